/* What a primary streams: whatever is read of it stays inside of it. */
#include "wire/pgoutput.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct slice all, struct slice part)
{
    if (part.len && (part.at < all.at || part.at + part.len > all.at + all.len))
        abort();
}

static void look_at_row(struct slice all, struct slice row)
{
    struct slice value;
    bool null;

    check_inside(all, row);
    for (unsigned i = 0; i < 8; i++)
        if (change_value(row, i, &value, &null))
            check_inside(all, value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice all = slice_of(data, size);
    struct stream_message message;
    struct change change;
    struct change_column column;

    if (stream_read(all, &message))
        check_inside(all, message.change);
    if (!change_read(all, &change))
        return 0;
    check_inside(all, change.schema);
    check_inside(all, change.name);
    check_inside(all, change.tables);
    while (change_column(&change.columns, &column))
        check_inside(all, column.name);
    look_at_row(all, change.before);
    look_at_row(all, change.after);
    return 0;
}
