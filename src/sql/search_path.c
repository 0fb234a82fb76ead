#include "sql/search_path.h"

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"

#include <string.h>

enum { SCHEMAS_MAX = 64, NAME_MAX_BYTES = 63, PATHS_MAX = 10000 };

/* The names of a list, one after the other, each with its NUL. */
struct list {
    struct buf names;
    size_t at[SCHEMAS_MAX]; /* where each begins */
    unsigned count;
};

static bool add_name(struct list *list, struct slice name)
{
    if (list->count == SCHEMAS_MAX || name.len == 0 || name.len > NAME_MAX_BYTES)
        return false;
    list->at[list->count++] = buf_len(&list->names);
    buf_put_slice(&list->names, name);
    buf_put(&list->names, "", 1);
    return true;
}

/* Folded as an identifier is; beyond ASCII that depends on the server. */
static bool read_plain(struct slice *rest, struct buf *name)
{
    while (rest->len && !strchr(", \t\r\n\f\"", *rest->at)) {
        uint8_t byte = *rest->at;

        if (byte == 0 || byte >= 0x80)
            return false;
        byte = byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
        buf_put(name, &byte, 1);
        *rest = slice_skip(*rest, 1);
    }
    return buf_len(name) > 0;
}

static bool read_quoted(struct slice *rest, struct buf *name)
{
    *rest = slice_skip(*rest, 1);
    while (rest->len) {
        uint8_t byte = *rest->at;

        *rest = slice_skip(*rest, 1);
        if (byte == '"') {
            if (!rest->len || *rest->at != '"')
                return true;
            *rest = slice_skip(*rest, 1);
        }
        buf_put(name, &byte, 1);
    }
    return false;
}

static void skip_blanks(struct slice *rest)
{
    while (rest->len && *rest->at && strchr(" \t\r\n\f", *rest->at))
        *rest = slice_skip(*rest, 1);
}

static bool take_name(struct list *list, struct slice name, const char *role)
{
    if (slice_is(name, "$user"))
        return add_name(list, slice_text(role));
    /* Temporary tables are looked for first wherever it stands: they are none of the catalog's. */
    return slice_is(name, "pg_temp") || add_name(list, name);
}

static bool read_names(struct list *list, struct slice rest, const char *role)
{
    skip_blanks(&rest);
    while (rest.len) {
        struct buf name = {0};
        bool good = *rest.at == '"' ? read_quoted(&rest, &name) : read_plain(&rest, &name);

        good = good && take_name(list, buf_slice(&name), role);
        buf_clear(&name);
        skip_blanks(&rest);
        if (!good || (rest.len && *rest.at != ','))
            return false;
        if (rest.len) {
            rest = slice_skip(rest, 1);
            skip_blanks(&rest);
            if (!rest.len)
                return false;
        }
    }
    return true;
}

static const char *name_at(const struct list *list, unsigned i)
{
    return (const char *)buf_slice(&list->names).at + list->at[i];
}

static bool has_name(const struct list *list, const char *name)
{
    for (unsigned i = 0; i < list->count; i++)
        if (strcmp(name_at(list, i), name) == 0)
            return true;
    return false;
}

/* It is looked at first where the setting doesn't name it. */
static bool read_list(struct list *list, struct slice setting, const char *role)
{
    struct list named = {.count = 0};
    bool good = read_names(&named, setting, role);

    good = good && (has_name(&named, "pg_catalog") || add_name(list, SLICE("pg_catalog")));
    for (unsigned i = 0; good && i < named.count; i++)
        good = add_name(list, slice_text(name_at(&named, i)));
    buf_clear(&named.names);
    return good;
}

static bool is_same(const struct search_path *path, const struct list *list)
{
    if (path->nschemas != list->count)
        return false;
    for (unsigned i = 0; i < list->count; i++)
        if (strcmp(path->schemas[i], name_at(list, i)) != 0)
            return false;
    return true;
}

/* One block: the path, its array, and the names behind it. */
static struct search_path *new_path(const struct list *list)
{
    size_t array = list->count * sizeof(char *), bytes = buf_len(&list->names);
    struct search_path *path = mem_new(sizeof(*path) + array + bytes);
    const char **schemas = (const char **)(void *)(path + 1);
    char *names = (char *)schemas + array;

    memcpy(names, buf_slice(&list->names).at, bytes);
    for (unsigned i = 0; i < list->count; i++)
        schemas[i] = names + list->at[i];
    path->schemas = schemas;
    path->nschemas = list->count;
    return path;
}

static const struct search_path *find(struct search_paths *paths, const struct list *list)
{
    uint64_t hash = hash_slice(buf_slice(&list->names));
    struct search_path *path;

    for (struct map_link *link = map_first(&paths->map, hash); link; link = map_next(link)) {
        path = MAP_OF(link, struct search_path, link);
        if (is_same(path, list))
            return path;
    }
    if (paths->map.count >= PATHS_MAX)
        return NULL;
    path = new_path(list);
    map_add(&paths->map, &path->link, hash);
    return path;
}

const struct search_path *search_path_find(struct search_paths *paths, struct slice setting,
                                           const char *role)
{
    struct list list = {.count = 0};
    const struct search_path *path = NULL;

    if (read_list(&list, setting, role))
        path = find(paths, &list);
    buf_clear(&list.names);
    return path;
}

static void free_path(struct map_link *link, void *with)
{
    (void)with;
    mem_free(MAP_OF(link, struct search_path, link));
}

void search_paths_clear(struct search_paths *paths)
{
    map_each(&paths->map, free_path, NULL);
    map_clear(&paths->map);
}
