#include "app/advise.h"

#include <stdio.h>

#include "app/check.h"
#include "app/settings.h"
#include "net/ask.h"

static void print_line(void *owner, const struct slice *fields, unsigned count)
{
    (void)owner;
    if (count > 0)
        printf("%.*s\n", (int)fields[0].len, (const char *)fields[0].at);
}

static int ask(const char *url)
{
    struct buf why = {0};
    struct ask *server = ask_new(url, &why);
    bool right = server && ask_rows(server, "SHOW ADVICE", print_line, NULL, &why);

    if (!right)
        fprintf(stderr, "pgtier: the console does not answer: %.*s\n", (int)buf_len(&why),
                (const char *)buf_slice(&why).at);
    ask_free(server);
    buf_clear(&why);
    return right ? 0 : 1;
}

/* A parameter of a connection string (libpq, 34.1.1.1), quoted. */
static void put(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "%s='", name);
    for (; *value; value++)
        buf_printf(out, "%s%c", strchr("'\\", *value) ? "\\" : "", *value);
    buf_put_slice(out, SLICE("' "));
}

static const char *password_of(const struct settings *settings, const char *user)
{
    for (unsigned i = 0; i < settings->auth.nusers; i++) {
        const struct settings_user *at = &settings->auth.users[i];

        if (strcmp(at->name, user) == 0 && at->password &&
            strncmp(at->password, "SCRAM-SHA-256$", 14) != 0)
            return at->password;
    }
    return NULL;
}

/* The address that it listens at, as one to connect to. */
static const char *reachable(const char *address)
{
    if (strcmp(address, "0.0.0.0") == 0 || strcmp(address, "*") == 0)
        return "127.0.0.1";
    return strcmp(address, "::") == 0 ? "::1" : address;
}

static int ask_by_settings(const struct settings *settings)
{
    const char *user = settings->admin.nusers ? settings->admin.users[0] : NULL;
    struct buf url = {0};
    char port[16];
    int status;

    if (!user) {
        fprintf(stderr, "pgtier: nobody may use the console: name someone in admin.users\n");
        return 1;
    }
    snprintf(port, sizeof(port), "%d", settings->listen.port);
    put(&url, "host", reachable(settings->listen.address));
    put(&url, "port", port);
    put(&url, "dbname", "pgtier");
    put(&url, "user", user);
    if (password_of(settings, user))
        put(&url, "password", password_of(settings, user));
    buf_put(&url, "", 1);
    status = ask((const char *)buf_slice(&url).at);
    buf_clear(&url);
    return status;
}

int advise(const char *where)
{
    struct diag diag = {.file = where};
    struct settings *settings;
    int status;

    if (strncmp(where, "postgres://", 11) == 0 || strncmp(where, "postgresql://", 13) == 0)
        return ask(where);
    settings = settings_load(where, &diag);
    if (!settings) {
        check_print(&diag);
        return 1;
    }
    status = ask_by_settings(settings);
    settings_free(settings);
    return status;
}
