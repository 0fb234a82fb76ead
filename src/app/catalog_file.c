/* A line that names the form, then one for each row of CATALOG_QUERY in the text format of COPY. */
#include "app/catalog_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/check.h"
#include "app/settings.h"
#include "net/ask.h"
#include "sql/catalog.h"

enum { FIELDS = 7 };

static const char HEAD[] = "pgtier catalog 1";

/* --- writing --- */

static void write_field(struct slice text)
{
    static const char special[] = "\\\t\n\r", letters[] = "\\tnr";

    for (size_t i = 0; i < text.len; i++) {
        const char *at = strchr(special, text.at[i]);

        if (at)
            printf("\\%c", letters[at - special]);
        else
            putchar(text.at[i]);
    }
}

static void write_row(void *owner, const struct slice *fields, unsigned count)
{
    (void)owner;
    for (unsigned i = 0; i < count; i++) {
        if (i)
            putchar('\t');
        if (fields[i].at)
            write_field(fields[i]);
        else
            fputs("\\N", stdout);
    }
    putchar('\n');
}

static bool ask(const char *url, struct buf *why)
{
    struct ask *server = ask_new(url, why);
    bool right = false;

    if (server) {
        puts(HEAD);
        right = ask_rows(server, CATALOG_QUERY, write_row, NULL, why);
    }
    ask_free(server);
    if (right && fflush(stdout) != 0) {
        buf_printf(why, "%s", strerror(errno));
        return false;
    }
    return right;
}

static int write_catalog(const char *url)
{
    struct buf why = {0};
    bool right = ask(url, &why);

    if (!right)
        fprintf(stderr, "pgtier: the primary does not tell its catalog: %.*s\n", (int)buf_len(&why),
                (const char *)buf_slice(&why).at);
    buf_clear(&why);
    return right ? 0 : 1;
}

int catalog_file_write(const char *path, const char *database)
{
    struct diag diag = {.file = path};
    struct settings *settings = settings_load(path, &diag);
    const struct settings_database *found;
    int status = 1;

    if (!settings) {
        check_print(&diag);
        return 1;
    }
    found = settings_database(settings, database);
    if (found)
        status = write_catalog(found->primary.url);
    else
        fprintf(stderr, "pgtier: %s has no database \"%s\"; its first one is \"%s\"\n", path,
                database, settings->databases[0].name);
    settings_free(settings);
    return status;
}

/* --- reading --- */

/* Undoes the escapes of a field in place. Returns its end. */
static char *take_field(char *at, struct slice *field)
{
    char *to = at, *from = at;

    while (*from && *from != '\t' && *from != '\n') {
        if (*from == '\\' && from[1]) {
            from++;
            *to++ = (char)(*from == 't' ? '\t' : *from == 'n' ? '\n' : *from == 'r' ? '\r' : *from);
            from++;
        } else {
            *to++ = *from++;
        }
    }
    *field = slice_of(at, (size_t)(to - at));
    return from;
}

static bool add_line(struct catalog *catalog, char *line)
{
    struct slice fields[FIELDS];

    for (unsigned i = 0; i < FIELDS; i++) {
        bool null = strncmp(line, "\\N", 2) == 0 && (!line[2] || strchr("\t\n", line[2]));

        line = take_field(line, &fields[i]);
        if (null)
            fields[i] = (struct slice){0};
        if (i < FIELDS - 1 && *line++ != '\t')
            return false;
    }
    return (*line == '\0' || *line == '\n') && catalog_add_row(catalog, fields, FIELDS);
}

/* The line at which it is no such file; 0: it is one. */
static unsigned read_lines(FILE *file, struct catalog *catalog)
{
    char *line = NULL;
    size_t cap = 0;
    unsigned number = 0, wrong = 1;

    while (getline(&line, &cap, file) > 0) {
        bool right =
            number++ == 0 ? strncmp(line, HEAD, strlen(HEAD)) == 0 : add_line(catalog, line);

        wrong = right ? 0 : number;
        if (wrong)
            break;
    }
    free(line);
    return wrong;
}

struct catalog *catalog_file_load(const char *dump)
{
    FILE *file = fopen(dump, "r");
    struct catalog *catalog;
    unsigned wrong;

    if (!file) {
        fprintf(stderr, "pgtier: %s: %s\n", dump, strerror(errno));
        return NULL;
    }
    catalog = catalog_new();
    wrong = read_lines(file, catalog);
    fclose(file);
    if (wrong) {
        fprintf(stderr, "%s:%u: not what `pgtier catalog` writes; have it written anew\n", dump,
                wrong);
        catalog_unref(catalog);
        return NULL;
    }
    catalog_finish(catalog);
    return catalog;
}
