#include "admin/shape_list.h"

#include "base/mem.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    const struct known_shape *x = ((const struct listed_shape *)a)->known;
    const struct known_shape *y = ((const struct listed_shape *)b)->known;

    if (x->total_ns != y->total_ns)
        return x->total_ns > y->total_ns ? -1 : 1;
    return x->calls == y->calls ? 0 : x->calls > y->calls ? -1 : 1;
}

static void add_all(struct shape_list *list, struct database *database, unsigned room)
{
    RING_EACH(link, after, &database->shapes.recent)
    {
        struct known_shape *known = RING_OF(link, struct known_shape, recent);

        if (list->count == room)
            return;
        list->total_ns += known->total_ns;
        list->at[list->count++] = (struct listed_shape){database, known};
    }
}

struct shape_list shape_list(struct rooms *rooms)
{
    struct shape_list list = {0};
    unsigned total = 0;

    for (unsigned i = 0; i < rooms->ndatabases; i++)
        total += (unsigned)rooms->databases[i].shapes.map.count;
    list.at = mem_array(total + 1, sizeof(*list.at));
    for (unsigned i = 0; i < rooms->ndatabases; i++)
        add_all(&list, &rooms->databases[i], total);
    qsort(list.at, list.count, sizeof(*list.at), compare);
    return list;
}
