/* CREATE DATABASE, DROP DATABASE and ALTER DATABASE want nobody else to be connected to what they
 * copy or take away. To a client that has disconnected nobody is: that servers of ours rest there,
 * and that we watch it, is not for it to know. Where the server refuses on their account they make
 * room, and the statement is sent once more; that the last of them has gone the server itself waits
 * for, some seconds (PostgreSQL, CountOtherDBBackends). Whoever uses such a server now is left
 * alone. */
#include "session/conversation.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "sql/lexer.h"

/* As long as the server waits for others to go. */
#define ASIDE (5 * CLOCK_SEC)

/* ---- which database ---- */

static bool is_word(const struct token *token, const char *word)
{
    return token->kind == TOKEN_WORD && slice_is_nocase(token->all, word);
}

/* Takes a name as the server reads it; NULL where it is none that can be read here. Owned. */
static char *read_name(const struct token *token)
{
    struct slice name = token->all;
    char *text;
    size_t len = 0;

    if (token->kind == TOKEN_STRING && !token->escaped)
        return mem_text(token->inner.at, token->inner.len);
    if (token->kind == TOKEN_WORD) {
        text = mem_text(name.at, name.len);
        for (char *c = text; *c; c++)
            *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
        return text;
    }
    if (token->kind != TOKEN_QUOTED || *name.at != '"')
        return NULL;
    text = mem_text(name.at + 1, name.len - 2);
    for (size_t i = 1; i + 1 < name.len; i++) {
        text[len++] = (char)name.at[i];
        i += name.at[i] == '"';
    }
    text[len] = '\0';
    return text;
}

/* What CREATE DATABASE copies. */
static char *read_template(struct lexer *lexer)
{
    struct token token;

    do {
        lexer_next(lexer, &token);
        if (token.kind == TOKEN_END || token.kind == TOKEN_BAD)
            return mem_text("template1", strlen("template1"));
    } while (!is_word(&token, "template"));
    lexer_next(lexer, &token);
    if (token.kind == TOKEN_OPERATOR && slice_is(token.all, "="))
        lexer_next(lexer, &token);
    return read_name(&token);
}

static char *read_dropped(struct lexer *lexer)
{
    struct token token;

    lexer_next(lexer, &token);
    if (is_word(&token, "if")) {
        lexer_next(lexer, &token);
        lexer_next(lexer, &token);
    }
    return read_name(&token);
}

/* The database that the statement wants for itself; NULL: it is none of these statements. Owned. */
static char *wanted_by(struct slice text, bool *drops)
{
    struct lexer lexer;
    struct token verb, object;

    lexer_init(&lexer, text);
    lexer_next(&lexer, &verb);
    lexer_next(&lexer, &object);
    if (!is_word(&object, "database"))
        return NULL;
    *drops = !is_word(&verb, "create");
    if (!*drops)
        return read_template(&lexer);
    return is_word(&verb, "drop") || is_word(&verb, "alter") ? read_dropped(&lexer) : NULL;
}

static bool is_alone(const struct session *session, const struct request *request)
{
    return request->ddl && request->plain && request->has_text && request->nqueries == 1 &&
           request->text.known->shape->nstatements == 1 && session->status == 'I' &&
           !session->midway;
}

bool occupied_concerns(const struct session *session, const struct request *request)
{
    bool drops;
    char *name = is_alone(session, request) ? wanted_by(request_text(request), &drops) : NULL;

    mem_free(name);
    return name != NULL;
}

/* ---- making room ---- */

static bool is_of_same_cluster(const struct database *one, const struct database *other)
{
    uint64_t system = topology_system(one->topology);

    return one == other || (system && system == topology_system(other->topology));
}

static unsigned make_room(struct session *session, const char *name)
{
    struct rooms *rooms = session->rooms;
    unsigned gone = 0;

    for (unsigned i = 0; i < rooms->ndatabases; i++) {
        struct database *database = &rooms->databases[i];

        if (!is_of_same_cluster(session->database, database))
            continue;
        gone += pool_set_vacate(database->pools, name);
        gone += topology_step_aside(database->topology, name, ASIDE);
    }
    return gone;
}

bool occupied_make_room(struct session *session, struct request *request)
{
    const char *own = session->take.server->place->dbname;
    bool drops = false;
    char *name;
    unsigned gone = 0;

    if (request->made_room || !is_alone(session, request))
        return false;
    name = wanted_by(request_text(request), &drops);
    /* Nobody can take away what he is connected to. */
    if (name && !(drops && strcmp(name, own) == 0))
        gone = make_room(session, name);
    if (gone)
        log_info(session->who, "made room in database \"%s\": %u connections closed", name, gone);
    mem_free(name);
    request->made_room = gone > 0;
    return gone > 0;
}
