#include "net/ask.h"

#include <libpq-fe.h>

#include "base/mem.h"

enum { FIELDS_MAX = 64 };

struct ask {
    PGconn *server;
};

/* The words without the newline at their end. */
static void tell(const PGconn *server, struct buf *why)
{
    const char *words = PQerrorMessage(server);
    size_t len = strlen(words);

    while (len && words[len - 1] == '\n')
        len--;
    buf_put(why, words, len);
}

struct ask *ask_new(const char *url, struct buf *why)
{
    struct ask *ask = mem_new(sizeof(*ask));

    ask->server = PQconnectdb(url);
    if (PQstatus(ask->server) == CONNECTION_OK)
        return ask;
    tell(ask->server, why);
    ask_free(ask);
    return NULL;
}

void ask_free(struct ask *ask)
{
    if (!ask)
        return;
    PQfinish(ask->server);
    mem_free(ask);
}

static void give_row(const PGresult *rows, int at,
                     void (*row)(void *owner, const struct slice *fields, unsigned count),
                     void *owner)
{
    struct slice fields[FIELDS_MAX];
    int count = PQnfields(rows) < FIELDS_MAX ? PQnfields(rows) : FIELDS_MAX;

    for (int i = 0; i < count; i++)
        fields[i] = PQgetisnull(rows, at, i)
                        ? (struct slice){0}
                        : slice_of(PQgetvalue(rows, at, i), (size_t)PQgetlength(rows, at, i));
    row(owner, fields, (unsigned)count);
}

bool ask_rows(struct ask *ask, const char *sql,
              void (*row)(void *owner, const struct slice *fields, unsigned count), void *owner,
              struct buf *why)
{
    PGresult *rows = PQexec(ask->server, sql);
    ExecStatusType status = PQresultStatus(rows);
    bool right = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;

    if (!right)
        tell(ask->server, why);
    for (int i = 0; right && i < PQntuples(rows); i++)
        give_row(rows, i, row, owner);
    PQclear(rows);
    return right;
}
