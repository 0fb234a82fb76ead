/* The shapes of all databases, those that took the most time first. */
#pragma once

#include "session/rooms.h"

struct shape_list {
    struct listed_shape {
        struct database *database;
        struct known_shape *known; /* not referenced: valid until the next request */
    } * at;                        /* to be freed with mem_free */
    unsigned count;
    uint64_t total_ns; /* of all of them */
};

struct shape_list shape_list(struct rooms *rooms);
