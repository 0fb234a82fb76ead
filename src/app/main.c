/* The command line. */
#include "app/check.h"
#include "app/explain.h"
#include "app/proxy.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "pgtier: a PostgreSQL proxy that pools, routes and caches, and never answers with old data\n"
    "\n"
    "  pgtier [run] FILE           serve with the settings of FILE until SIGTERM or SIGINT;\n"
    "                              SIGHUP reads the file anew\n"
    "  pgtier check FILE           tell every fault of FILE; exit status 1 where there is one\n"
    "  pgtier explain FILE \"SQL\"   tell what the settings make of a statement\n"
    "\n"
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

static int run_command(int argc, char **argv)
{
    if (strcmp(argv[0], "check") == 0)
        return argc == 2 ? check_file(argv[1]) : misused("check takes one FILE", NULL);
    if (strcmp(argv[0], "explain") == 0)
        return argc == 3 ? explain_file(argv[1], argv[2])
                         : misused("explain takes a FILE and a statement in quotes", NULL);
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
