/* The command line. */
#include "app/advise.h"
#include "app/catalog_file.h"
#include "app/check.h"
#include "app/explain.h"
#include "app/feed_command.h"
#include "app/init.h"
#include "app/proxy.h"
#include "app/reference.h"
#include "app/rules_test.h"
#include "base/log.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "pgtier: a PostgreSQL proxy that pools, routes and caches, and never answers with old data\n"
    "\n"
    "  pgtier [run] FILE           serve with the settings of FILE until SIGTERM or SIGINT;\n"
    "                              SIGHUP reads the file anew\n"
    "  pgtier init URL             write a FILE to begin with from a live database\n"
    "  pgtier check FILE           tell every fault of FILE; exit status 1 where there is one\n"
    "  pgtier explain FILE \"SQL\"   tell what the settings make of a statement\n"
    "  pgtier rules test FILE CASES\n"
    "                              judge the statements of CASES and compare with what they "
    "expect;\n"
    "                              exit status 1 where one differs\n"
    "  pgtier catalog FILE [DATABASE]\n"
    "                              write what the database's catalog says, for --catalog\n"
    "  pgtier feed install|remove FILE [DATABASE]\n"
    "                              triggers by which writes that bypass pgtier are heard of\n"
    "  pgtier advise FILE|URL      what the running pgtier advises to keep, as settings to paste\n"
    "  pgtier schema               JSON Schema of FILE, for editors\n"
    "  pgtier reference            every setting with its default, as docs/settings.md\n"
    "\n"
    "  --catalog DUMP              (with explain and rules test) what `pgtier catalog` wrote: "
    "know\n"
    "                              columns, views, partitions and functions without a server\n"
    "  -v, --verbose               (with rules test) tell of every case\n"
    "  --debug                     (before the rest) log every login and every step that fails\n"
    "  -h, --help                  this text\n"
    "  -V, --version               the version\n"
    "\n"
    "FILE is YAML: conf/pgtier.yaml is an example, docs/rules.md the reference.\n";

static int misused(const char *what, const char *arg)
{
    fprintf(stderr, "pgtier: %s%s%s\nTry: pgtier --help\n", what, arg ? " " : "", arg ? arg : "");
    return 2;
}

static bool is_one_of(const char *arg, const char *a, const char *b)
{
    return strcmp(arg, a) == 0 || strcmp(arg, b) == 0;
}

/* What stands in front of a command's words, in any place. */
struct options {
    const char *catalog;
    bool verbose;
};

/* Takes the options out of the words. Returns how many are left, -1 where one is wrong. */
static int take_options(int argc, char **argv, struct options *options)
{
    int left = 0;

    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--catalog") == 0 && i + 1 < argc)
            options->catalog = argv[++i];
        else if (is_one_of(argv[i], "-v", "--verbose"))
            options->verbose = true;
        else if (argv[i][0] == '-' && argv[i][1])
            return misused("unknown option", argv[i]), -1;
        else
            argv[left++] = argv[i];
    }
    return left;
}

static int run_explain(int argc, char **argv)
{
    struct options options = {0};

    argc = take_options(argc, argv, &options);
    if (argc < 0)
        return 2;
    return argc == 2 ? explain_file(argv[0], options.catalog, argv[1])
                     : misused("explain takes a FILE and a statement in quotes", NULL);
}

static int run_rules(int argc, char **argv)
{
    struct options options = {0};

    argc = take_options(argc, argv, &options);
    if (argc < 0)
        return 2;
    if (argc != 3 || strcmp(argv[0], "test") != 0)
        return misused("rules takes the word test, a FILE and a file of cases", NULL);
    return rules_test(argv[1], options.catalog, argv[2], options.verbose);
}

static int run_feed(int argc, char **argv)
{
    bool install = argc > 0 && strcmp(argv[0], "install") == 0;

    if (argc < 2 || argc > 3 || (!install && strcmp(argv[0], "remove") != 0))
        return misused("feed takes install or remove, a FILE, and the name of one of its databases",
                       NULL);
    return feed_command(install, argv[1], argv[2]);
}

static int run_command(int argc, char **argv)
{
    if (strcmp(argv[0], "check") == 0)
        return argc == 2 ? check_file(argv[1]) : misused("check takes one FILE", NULL);
    if (strcmp(argv[0], "explain") == 0)
        return run_explain(argc - 1, argv + 1);
    if (strcmp(argv[0], "rules") == 0)
        return run_rules(argc - 1, argv + 1);
    if (strcmp(argv[0], "catalog") == 0)
        return argc == 2 || argc == 3
                   ? catalog_file_write(argv[1], argv[2])
                   : misused("catalog takes a FILE, and the name of one of its databases", NULL);
    if (strcmp(argv[0], "feed") == 0)
        return run_feed(argc - 1, argv + 1);
    if (strcmp(argv[0], "init") == 0)
        return argc == 2 ? init_settings(argv[1])
                         : misused("init takes the URL of a database: postgresql://..", NULL);
    if (strcmp(argv[0], "schema") == 0 && argc == 1)
        return reference_schema();
    if (strcmp(argv[0], "reference") == 0 && argc == 1)
        return reference_print();
    if (strcmp(argv[0], "advise") == 0)
        return argc == 2 ? advise(argv[1]) : misused("advise takes a FILE, or a URL", NULL);
    if (strcmp(argv[0], "run") == 0)
        return argc == 2 ? proxy_run(argv[1]) : misused("run takes one FILE", NULL);
    if (argv[0][0] == '-')
        return misused("unknown option", argv[0]);
    return argc == 1 ? proxy_run(argv[0]) : misused("unknown command", argv[0]);
}

int main(int argc, char **argv)
{
    argc--;
    argv++;
    if (argc > 0 && strcmp(argv[0], "--debug") == 0) {
        log_set_level(LOG_DEBUG);
        argc--;
        argv++;
    }
    if (argc == 0)
        return misused("no FILE given", NULL);
    if (is_one_of(argv[0], "-h", "--help")) {
        fputs(usage, stdout);
        return 0;
    }
    if (is_one_of(argv[0], "-V", "--version")) {
        puts("pgtier " PGTIER_VERSION);
        return 0;
    }
    return run_command(argc, argv);
}
