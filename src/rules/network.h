/* Networks as a DBA writes them ("10.0.0.0/8", "::1", "unix"), and whether a peer is in one. */
#pragma once

#include "base/slice.h"

struct network {
    uint8_t family;      /* 4, 6, or 0: Unix sockets */
    uint8_t bits;        /* of the address that count */
    uint8_t address[16]; /* in network order; an IPv4 one in the first four bytes */
};

/* False where the text is none, or has bits set behind its mask. */
bool network_read(const char *text, struct network *network);
/* A peer as stream.peer has it: "10.0.0.7:4711", "[::1]:4711", "unix". An IPv4 address that is
 * mapped into IPv6 is one of IPv4. */
bool network_peer(const char *peer, struct network *address);
bool network_holds(const struct network *network, const struct network *address);
/* True where whoever is in `narrow` is in `wide`. */
bool network_covers(const struct network *wide, const struct network *narrow);
