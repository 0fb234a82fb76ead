/* Bounds the depth of the tree that a parser would build, from the tokens alone: within brackets
 * every operator and word may stand above all that stands before it, until a comma or a word that
 * begins anew; what chains over commas (UNION, JOIN, CASE) is counted until the bracket ends. */
#include "sql/survey.h"

#include "sql/lexer.h"

struct bracket {
    unsigned chain;  /* tokens since the last border */
    unsigned below;  /* the deepest bracket since then */
    unsigned sticky; /* what no comma ends */
    unsigned best;   /* the deepest stretch so far */
};

struct depth {
    struct bracket open[SURVEY_DEPTH + 1];
    unsigned count; /* of brackets around the token */
    bool dot;       /* the last token was a dot: a word behind it is a name */
    bool over;
};

static bool is_one_of(struct slice word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_is_nocase(word, words[i]))
            return true;
    }
    return false;
}

static bool is_border(struct slice word)
{
    static const char *const words[] = {"and", "or", "when", "then", "else"};

    return word.len <= 4 && is_one_of(word, words, sizeof(words) / sizeof(*words));
}

static bool is_sticky(struct slice word)
{
    static const char *const words[] = {"join", "case", "union", "except", "intersect"};

    return word.len >= 4 && word.len <= 9 && is_one_of(word, words, sizeof(words) / sizeof(*words));
}

static void end_stretch(struct bracket *bracket)
{
    unsigned deep = bracket->chain + bracket->below;

    if (deep > bracket->best)
        bracket->best = deep;
    bracket->chain = bracket->below = 0;
}

static unsigned deepest(struct bracket *bracket)
{
    end_stretch(bracket);
    return bracket->best + bracket->sticky + 1;
}

static void check(struct depth *depth)
{
    struct bracket *bracket = &depth->open[depth->count];
    unsigned deep = bracket->chain + bracket->below;

    if ((deep > bracket->best ? deep : bracket->best) + bracket->sticky > SURVEY_DEPTH)
        depth->over = true;
}

static void open_bracket(struct depth *depth)
{
    depth->open[depth->count].chain++;
    if (depth->count == SURVEY_DEPTH)
        depth->over = true;
    else
        depth->open[++depth->count] = (struct bracket){0};
}

static void close_bracket(struct depth *depth)
{
    unsigned deep;

    if (depth->count == 0)
        return; /* the parser will say so */
    deep = deepest(&depth->open[depth->count--]);
    if (deep > depth->open[depth->count].below)
        depth->open[depth->count].below = deep;
}

static void see_operator(struct depth *depth, struct slice all)
{
    switch (all.len == 1 ? all.at[0] : 0) {
    case '(':
    case '[':
        open_bracket(depth);
        break;
    case ')':
    case ']':
        close_bracket(depth);
        break;
    case ',':
        end_stretch(&depth->open[depth->count]);
        break;
    case ';':
        if (depth->count == 0)
            depth->open[0] = (struct bracket){0};
        else
            end_stretch(&depth->open[depth->count]);
        break;
    default:
        depth->open[depth->count].chain++;
        break;
    }
}

static void see_token(struct depth *depth, const struct token *token)
{
    struct bracket *bracket = &depth->open[depth->count];

    if (depth->over)
        return;
    if (token->kind == TOKEN_OPERATOR)
        see_operator(depth, token->all);
    else if (token->kind == TOKEN_WORD && !depth->dot && is_border(token->all))
        end_stretch(bracket);
    else if (token->kind == TOKEN_WORD && !depth->dot && is_sticky(token->all))
        bracket->sticky++;
    else if (token->kind != TOKEN_INTEGER && token->kind != TOKEN_NUMBER)
        bracket->chain++;
    check(depth);
    depth->dot = token->kind == TOKEN_OPERATOR && token->all.len == 1 && token->all.at[0] == '.';
}

static bool glued(const struct token *token)
{
    return token->kind == TOKEN_OPERATOR && token->all.len == 1 &&
           strchr(".,()[];", token->all.at[0]);
}

/* Spaces stand between tokens, but not around what reads well without. */
static void write_token(struct buf *text, const struct token *token, unsigned value, bool *tight,
                        const uint8_t *end)
{
    bool left = glued(token) && token->all.at[0] != '(';

    if (buf_len(text) >= SURVEY_TEXT)
        return;
    if (buf_len(text) && !*tight && !left)
        buf_put(text, " ", 1);
    if (token->value) {
        buf_printf(text, "$%u", value + 1);
    } else if (token->kind == TOKEN_WORD) {
        lexer_fold(buf_room(text, token->all.len + LEXER_SLACK), token->all, end);
        buf_added(text, token->all.len);
    } else {
        buf_put_slice(text, token->all);
    }
    *tight = glued(token) && strchr(".([", token->all.at[0]);
}

static void cut(struct buf *text)
{
    size_t len = buf_len(text);

    if (len > SURVEY_TEXT) {
        len = SURVEY_TEXT;
        while (len && (text->at[text->head + len] & 0xc0) == 0x80)
            len--; /* not within a UTF-8 character */
    }
    text->tail = text->head + len;
    buf_put(text, "", 1);
}

static void see_param(struct survey *survey, const struct values *values, unsigned value,
                      const struct token *token)
{
    for (unsigned i = 0; i < values_stored(values); i++) {
        unsigned same = values_placeholder(values, i);

        if (values->at[i].kind == VALUE_PARAM && values->at[i].number == token->number &&
            values->at[i].pos < token->pos) {
            survey->repeated |= UINT64_C(1) << same;
            if (value < VALUES_MAX)
                survey->repeated |= UINT64_C(1) << value;
        }
    }
}

/* True for a value that has no placeholder of its own; `next` would be that. */
static bool is_more(const struct values *values, unsigned next, const struct token *token)
{
    if (next < values->count && next < VALUES_MAX)
        return values->at[next].pos != token->pos;
    return next == values->count;
}

/* Takes ", $2" back and says that more of the list may follow. */
static void write_more(struct buf *text, size_t before, bool second)
{
    if (buf_len(text) >= SURVEY_TEXT)
        return;
    text->tail = text->head + before;
    if (second)
        buf_put(text, ", ..", 4);
}

static void look(struct survey *survey, struct slice text, const struct values *values,
                 struct depth *depth)
{
    struct lexer lexer;
    struct token token;
    unsigned value = 0, nth = 0, count = 0;
    size_t before = 0; /* the length of the text in front of the last comma */
    bool tight = false;

    lexer_init(&lexer, text);
    for (lexer_next(&lexer, &token); token.kind != TOKEN_END && token.kind != TOKEN_BAD;
         lexer_next(&lexer, &token)) {
        bool more = token.value && is_more(values, value, &token);

        count++;
        see_token(depth, &token);
        if (token.kind == TOKEN_OPERATOR && token.all.len == 1 && token.all.at[0] == ',')
            before = buf_len(&survey->text);
        if (more)
            write_more(&survey->text, before, nth++ == 0);
        else
            write_token(&survey->text, &token, value, &tight, text.at + text.len);
        if (token.kind == TOKEN_PARAM && !more)
            see_param(survey, values, value, &token);
        if (token.value && !more) {
            value++;
            nth = 0;
        }
        if (!token.value && (token.kind == TOKEN_STRING || token.kind == TOKEN_INTEGER))
            buf_put(&survey->kept, &token.pos, sizeof(token.pos));
    }
    survey->parsable = token.kind == TOKEN_END && !depth->over && count <= SURVEY_TOKENS;
}

void survey_init(struct survey *survey, struct slice text, const struct values *values)
{
    struct depth depth;

    *survey = (struct survey){.parsable = false};
    depth.count = 0;
    depth.dot = depth.over = false;
    depth.open[0] = (struct bracket){0};
    look(survey, text, values, &depth);
    if (text.len > SURVEY_MAX || (text.len && memchr(text.at, '\0', text.len)))
        survey->parsable = false;
    cut(&survey->text);
}

void survey_clear(struct survey *survey)
{
    buf_clear(&survey->kept);
    buf_clear(&survey->text);
}

bool survey_kept(const struct survey *survey, uint32_t pos)
{
    const uint8_t *at = buf_slice(&survey->kept).at;
    size_t low = 0, high = buf_len(&survey->kept) / sizeof(pos);

    while (low < high) {
        size_t mid = (low + high) / 2;
        uint32_t there;

        memcpy(&there, at + mid * sizeof(there), sizeof(there));
        if (there == pos)
            return true;
        if (there < pos)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}
