/* Looks for names in texts with the lexer alone: what the grammar says of them the shape has told.
 * Builds nothing; see relay.c. */
#include "session/prepare.h"

#include "session/conversation.h"
#include "sql/lexer.h"
#include "wire/frame.h"
#include "wire/types.h"

enum { NAME_MAX = 64 }; /* PostgreSQL's NAMEDATALEN: longer ones are cut there */

struct name {
    char text[NAME_MAX];
    size_t len;
};

/* As the server would have it; false for forms that are left to it. */
static bool fold(const struct token *token, struct name *name)
{
    const uint8_t *at = token->all.at;
    size_t len = token->all.len;

    name->len = 0;
    if (token->kind == TOKEN_WORD && len < NAME_MAX) {
        for (size_t i = 0; i < len; i++)
            name->text[name->len++] =
                (char)(at[i] >= 'A' && at[i] <= 'Z' ? at[i] - 'A' + 'a' : at[i]);
        return true;
    }
    if (token->kind != TOKEN_QUOTED || len < 3 || at[0] != '"')
        return false;
    for (size_t i = 1; i + 1 < len; i++) {
        if (name->len == NAME_MAX - 1)
            return false;
        name->text[name->len++] = (char)at[i];
        i += at[i] == '"';
    }
    return true;
}

static bool is_word(const struct token *token, const char *word)
{
    return token->kind == TOKEN_WORD && slice_is_nocase(token->all, word);
}

static int depth_of(const struct token *token)
{
    if (token->kind != TOKEN_OPERATOR || token->all.len != 1)
        return 0;
    return token->all.at[0] == '(' ? 1 : token->all.at[0] == ')' ? -1 : 0;
}

/* The token behind the first `word` outside of parentheses. */
static bool find_behind(struct lexer *lexer, const char *word, struct token *token)
{
    int depth = 0;

    for (;;) {
        lexer_next(lexer, token);
        if (token->kind == TOKEN_END || token->kind == TOKEN_BAD)
            return false;
        depth += depth_of(token);
        if (depth == 0 && is_word(token, word))
            break;
    }
    lexer_next(lexer, token);
    return true;
}

static struct slice text_of(const struct request *request, const struct message *message)
{
    struct slice body = slice_skip(request_slice(request, message), FRAME_HEAD);

    return slice_first(body, body.len ? body.len - 1 : 0);
}

void prepare_spell(const struct request *request, const struct message *message, struct buf *out)
{
    struct slice text = text_of(request, message);
    struct slice word = slice_first(slice_skip(text, message->name_at), message->name_len);
    bool quoted = word.len && word.at[0] == '"';

    for (size_t i = quoted; i + quoted < word.len; i++) {
        uint8_t c = word.at[i];

        if (!quoted && c >= 'A' && c <= 'Z')
            c = (uint8_t)(c - 'A' + 'a');
        buf_put(out, &c, 1);
        i += quoted && c == '"';
    }
}

static void note_place(struct message *message, const struct token *token)
{
    message->name_at = token->pos;
    message->name_len = (uint32_t)token->all.len;
}

/* [(types)] AS body: where the body begins. */
static bool find_body(struct slice rest, size_t *body)
{
    struct lexer lexer;
    struct token token;

    lexer_init(&lexer, rest);
    if (!find_behind(&lexer, "as", &token))
        return false;
    *body = token.pos;
    return true;
}

bool prepare_is_ours(struct slice name)
{
    return name.len > 7 && memcmp(name.at, "pgtier_", 7) == 0;
}

static void read_prepare(struct session *session, struct message *message, struct slice text)
{
    struct lexer lexer;
    struct token token;
    struct name name;
    struct slice rest;
    size_t body;

    /* What the server has of others' making may be of that name. */
    if (session->pins & PIN_BIT(PIN_PREPARED))
        return;
    lexer_init(&lexer, text);
    if (!find_behind(&lexer, "prepare", &token) || !fold(&token, &name))
        return;
    rest = slice_skip(text, token.pos + token.all.len);
    if (!find_body(rest, &body))
        return;
    note_place(message, &token);
    if (names_find(&session->names, slice_of(name.text, name.len))) {
        message->use = PREPARE_CLASHES;
        message->statement =
            statement_ref(names_find(&session->names, slice_of(name.text, name.len)));
        return;
    }
    message->use = PREPARE_MAKES;
    message->statement =
        statement_by_sql(&session->database->statements, rest, body, session_parsing(session));
    names_set(&session->names, slice_of(name.text, name.len), message->statement,
              session->changes++);
}

/* Behind EXECUTE, or DEALLOCATE, which the server gets only where the name is none of its client.
 */
static void read_use(struct session *session, struct message *message, struct slice text,
                     const char *word)
{
    struct lexer lexer;
    struct token token;
    struct name name;
    struct statement *statement;
    bool runs = strcmp(word, "execute") == 0;

    lexer_init(&lexer, text);
    if (!find_behind(&lexer, word, &token))
        return;
    if (!runs && is_word(&token, "prepare"))
        lexer_next(&lexer, &token);
    if (!fold(&token, &name))
        return;
    statement = names_find(&session->names, slice_of(name.text, name.len));
    if (statement ? !runs : !prepare_is_ours(slice_of(name.text, name.len)))
        return;
    note_place(message, &token);
    message->use = statement ? PREPARE_RUNS : PREPARE_FOREIGN;
    message->statement = statement ? statement_ref(statement) : NULL;
}

/* The names that DEALLOCATE takes away in a text of several statements. */
static void read_deallocates(struct session *session, struct slice text)
{
    struct lexer lexer;
    struct token token;
    struct name name;

    lexer_init(&lexer, text);
    while (find_behind(&lexer, "deallocate", &token)) {
        if (is_word(&token, "prepare"))
            lexer_next(&lexer, &token);
        if (fold(&token, &name))
            names_close(&session->names, slice_of(name.text, name.len), session->changes++);
    }
}

bool prepare_is_spoken(const struct shape *shape)
{
    for (unsigned i = 0; i < shape->nstatements; i++) {
        switch (shape->statements[i]) {
        case STATEMENT_PREPARE:
        case STATEMENT_EXECUTE:
        case STATEMENT_DEALLOCATE:
            return true;
        case STATEMENT_EXPLAIN:
        case STATEMENT_DDL:
            if (shape->unknown)
                return true;
        }
    }
    return false;
}

bool prepare_is_asked(const struct shape *shape)
{
    for (unsigned i = 0; i < shape->nrefs; i++)
        if (strcmp(shape->refs[i].name, "pg_prepared_statements") == 0)
            return true;
    for (unsigned i = 0; i < shape->nfunctions; i++)
        if (strcmp(shape->functions[i].name, "pg_prepared_statement") == 0)
            return true;
    return false;
}

/* Behind a word that has to do with names. */
static bool speaks_of(struct slice text, struct slice name)
{
    struct lexer lexer;
    struct token token;
    struct name found;
    bool behind = false;

    lexer_init(&lexer, text);
    for (;;) {
        lexer_next(&lexer, &token);
        if (token.kind == TOKEN_END || token.kind == TOKEN_BAD)
            return false;
        if (behind && fold(&token, &found) && slice_same(slice_of(found.text, found.len), name))
            return true;
        behind = is_word(&token, "prepare") || is_word(&token, "execute") ||
                 is_word(&token, "deallocate");
    }
}

bool prepare_occurs(const struct request *request, struct slice name)
{
    for (unsigned i = 0; i < request->nmessages; i++) {
        const struct message *message = &request->messages[i];

        if ((message->type == MSG_QUERY && speaks_of(text_of(request, message), name)) ||
            (message->type == MSG_BIND && message->statement &&
             speaks_of(message->statement->text, name)))
            return true;
    }
    return false;
}

void prepare_read(struct session *session, struct request *request, struct message *message,
                  const struct shape *shape)
{
    struct slice text = text_of(request, message);

    if (!prepare_is_spoken(shape))
        return;
    if (shape->nstatements == 1) {
        if (shape->statements[0] == STATEMENT_PREPARE)
            read_prepare(session, message, text);
        else
            read_use(session, message, text,
                     shape->statements[0] == STATEMENT_DEALLOCATE ? "deallocate" : "execute");
        return;
    }
    request->spells = true;
}

void prepare_drop(struct session *session, const struct request *request)
{
    for (unsigned i = 0; i < request->nmessages; i++) {
        const struct message *message = &request->messages[i];

        if (message->type == MSG_QUERY)
            read_deallocates(session, text_of(request, message));
        else if (message->type == MSG_BIND && message->statement)
            read_deallocates(session, message->statement->text);
    }
}

bool prepare_is_transparent(const struct message *message, const struct shape *shape)
{
    return message->use == PREPARE_RUNS && shape->nstatements == 1 &&
           shape->statements[0] == STATEMENT_EXECUTE && !shape->nfunctions && !shape->nrefs;
}
