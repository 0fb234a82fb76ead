/* An address is a network of all its bits, so that there is one comparison. */
#include "rules/network.h"

#include <arpa/inet.h>
#include <stdlib.h>

enum { TEXT_MAX = 64 };

static unsigned bits_of(uint8_t family)
{
    return family == 4 ? 32 : family == 6 ? 128 : 0;
}

static bool read_address(const char *text, struct network *network)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    *network = (struct network){0};
    if (inet_pton(AF_INET, text, network->address) == 1) {
        network->family = 4;
    } else if (inet_pton(AF_INET6, text, network->address) == 1) {
        network->family = 6;
        if (memcmp(network->address, mapped, sizeof(mapped)) == 0) {
            memmove(network->address, network->address + 12, 4);
            network->family = 4;
        }
    } else {
        return false;
    }
    network->bits = (uint8_t)bits_of(network->family);
    return true;
}

/* The bits behind the mask are nothing. */
static bool is_clean(const struct network *network)
{
    for (unsigned i = network->bits; i < bits_of(network->family); i++)
        if (network->address[i / 8] >> (7 - i % 8) & 1)
            return false;
    return true;
}

bool network_read(const char *text, struct network *network)
{
    char address[TEXT_MAX], *end;
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    long bits;

    *network = (struct network){0};
    if (strcmp(text, "unix") == 0)
        return true;
    if (len >= sizeof(address))
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    if (!read_address(address, network))
        return false;
    if (!slash)
        return true;
    bits = strtol(slash + 1, &end, 10);
    if (slash[1] < '0' || slash[1] > '9' || *end || bits > bits_of(network->family))
        return false;
    network->bits = (uint8_t)bits;
    return is_clean(network);
}

bool network_peer(const char *peer, struct network *address)
{
    char text[TEXT_MAX];
    const char *colon = strrchr(peer, ':');
    bool bracket = *peer == '[';
    size_t len;

    *address = (struct network){0};
    if (strcmp(peer, "unix") == 0)
        return true;
    if (!colon)
        return false;
    len = (size_t)(colon - peer);
    if (bracket && len >= 2) {
        peer++;
        len -= 2;
    }
    if (len >= sizeof(text))
        return false;
    memcpy(text, peer, len);
    text[len] = '\0';
    return read_address(text, address);
}

bool network_holds(const struct network *network, const struct network *address)
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;

    if (network->family != address->family ||
        memcmp(network->address, address->address, whole) != 0)
        return false;
    return !rest || (network->address[whole] ^ address->address[whole]) >> (8 - rest) == 0;
}

bool network_covers(const struct network *wide, const struct network *narrow)
{
    return wide->bits <= narrow->bits && network_holds(wide, narrow);
}
