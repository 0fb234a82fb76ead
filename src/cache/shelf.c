#include "cache/shelf.h"

#include "base/mem.h"

/* ---- the heap of an account: the least rank on top ---- */

/* Of equals the one that was of use longer ago. */
static bool is_less(const struct shelf_item *a, const struct shelf_item *b)
{
    return a->rank < b->rank || (a->rank == b->rank && a->turn < b->turn);
}

static void set(struct account *account, unsigned place, struct shelf_item *item)
{
    account->items[place] = item;
    item->place = place;
}

static void rise(struct account *account, struct shelf_item *item)
{
    unsigned place = item->place;

    while (place > 0 && is_less(item, account->items[(place - 1) / 2])) {
        set(account, place, account->items[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    set(account, place, item);
}

static void sink(struct account *account, struct shelf_item *item)
{
    unsigned place = item->place;

    for (;;) {
        unsigned child = place * 2 + 1;

        if (child >= account->nitems)
            break;
        if (child + 1 < account->nitems &&
            is_less(account->items[child + 1], account->items[child]))
            child++;
        if (!is_less(account->items[child], item))
            break;
        set(account, place, account->items[child]);
        place = child;
    }
    set(account, place, item);
}

static void heap_add(struct account *account, struct shelf_item *item)
{
    if (account->nitems == account->cap) {
        account->cap = account->cap ? account->cap * 2 : 16;
        account->items = mem_grow(account->items, account->cap * sizeof(*account->items));
    }
    set(account, account->nitems++, item);
    rise(account, item);
}

static void heap_remove(struct account *account, struct shelf_item *item)
{
    struct shelf_item *last = account->items[--account->nitems];

    if (last == item)
        return;
    set(account, item->place, last);
    rise(account, last);
    sink(account, last);
}

/* ---- the shelf ---- */

void shelf_init(struct shelf *shelf, uint64_t max)
{
    *shelf = (struct shelf){.max = max};
    ring_init(&shelf->accounts);
}

void shelf_drop(struct shelf *shelf, struct shelf_item *item)
{
    struct account *account = item->account;

    map_remove(&shelf->items, &item->link);
    heap_remove(account, item);
    if (account->nitems == 0) {
        ring_leave(&account->in_shelf);
        mem_free(account->items);
        account->items = NULL;
        account->cap = 0;
    }
    shelf->bytes -= item->bytes;
    account->figures.bytes -= item->bytes;
    account->figures.entries--;
    kept_unref(item->kept);
    mem_free(item);
}

void shelf_clear(struct shelf *shelf)
{
    struct ring *first;

    while ((first = ring_first(&shelf->accounts)))
        shelf_drop(shelf, RING_OF(first, struct account, in_shelf)->items[0]);
    map_clear(&shelf->items);
}

static void send_away(struct shelf *shelf, struct shelf_item *item)
{
    if (shelf->goes)
        shelf->goes(shelf->owner, item);
    shelf_drop(shelf, item);
}

static struct shelf_item *find(struct shelf *shelf, struct hash128 hash)
{
    struct map_link *link = map_first(&shelf->items, hash.low);

    for (; link; link = map_next(link)) {
        struct shelf_item *item = MAP_OF(link, struct shelf_item, link);

        if (item->hash.high == hash.high)
            return item;
    }
    return NULL;
}

struct shelf_item *shelf_find(struct shelf *shelf, struct hash128 hash, int64_t now)
{
    struct shelf_item *item = find(shelf, hash);

    if (!item || item->expires > now)
        return item;
    send_away(shelf, item);
    return NULL;
}

void shelf_use(struct shelf *shelf, struct shelf_item *item)
{
    item->uses++;
    item->turn = ++shelf->turns;
    item->rank = shelf->age + (double)item->uses * item->worth;
    sink(item->account, item);
}

static void evict(struct shelf *shelf, struct shelf_item *item)
{
    item->account->figures.evicted++;
    shelf->age = item->rank;
    send_away(shelf, item);
}

static struct shelf_item *least(struct shelf *shelf)
{
    struct shelf_item *found = NULL;

    RING_EACH(link, after, &shelf->accounts)
    {
        struct shelf_item *first = RING_OF(link, struct account, in_shelf)->items[0];

        if (!found || is_less(first, found))
            found = first;
    }
    return found;
}

static void make_room(struct shelf *shelf, struct account *account, uint64_t bytes)
{
    while (account->max_size > 0 && account->figures.bytes + bytes > account->max_size)
        evict(shelf, account->items[0]);
    while (shelf->max > 0 && shelf->bytes + bytes > shelf->max)
        evict(shelf, least(shelf));
}

uint64_t shelf_cost(const struct key *key)
{
    return sizeof(struct shelf_item) + key->len + 1;
}

bool shelf_put(struct shelf *shelf, const struct key *key, struct kept *kept, uint64_t bytes,
               int64_t saved, struct account *account, int64_t now)
{
    struct shelf_item *item = find(shelf, key->hash);
    uint64_t uses = 1;

    if (item) {
        uses = item->uses;
        shelf_drop(shelf, item);
    }
    if ((shelf->max > 0 && bytes > shelf->max) ||
        (account->max_size > 0 && bytes > account->max_size))
        return false;
    make_room(shelf, account, bytes);
    item = mem_new(sizeof(*item) + key->len + 1);
    item->hash = key->hash;
    item->account = account;
    item->kept = kept ? kept_ref(kept) : NULL;
    item->bytes = bytes;
    item->expires = account->ttl > 0 ? now + account->ttl : INT64_MAX;
    item->worth = (double)(saved > 0 ? saved : 1) / (double)bytes;
    item->uses = uses;
    item->turn = ++shelf->turns;
    item->rank = shelf->age + (double)uses * item->worth;
    item->len = key->len;
    memcpy(item->text, key->text, key->len);
    map_add(&shelf->items, &item->link, key->hash.low);
    if (account->nitems == 0)
        ring_append(&shelf->accounts, &account->in_shelf);
    heap_add(account, item);
    shelf->bytes += bytes;
    account->figures.bytes += bytes;
    account->figures.entries++;
    return true;
}

uint64_t shelf_sweep(struct shelf *shelf, bool (*wanted)(void *with, const char *text), void *with)
{
    struct buf found = {0}; /* struct shelf_item *: a heap changes its order with each that goes */
    struct shelf_item **items;
    uint64_t count;

    RING_EACH(link, after, &shelf->accounts)
    {
        struct account *account = RING_OF(link, struct account, in_shelf);

        for (unsigned i = 0; i < account->nitems; i++)
            if (wanted(with, account->items[i]->text))
                buf_put(&found, &account->items[i], sizeof(account->items[i]));
    }
    items = (struct shelf_item **)(void *)buf_slice(&found).at;
    count = buf_len(&found) / sizeof(*items);
    for (uint64_t i = 0; i < count; i++)
        send_away(shelf, items[i]);
    buf_clear(&found);
    return count;
}
