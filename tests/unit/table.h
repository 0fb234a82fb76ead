/* shapes.txt: a statement a line, then behind tabs what is to be found of it. Lines that are empty
 * or begin with # are for people. */
#pragma once

#include "base/buf.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TABLE_COLUMNS = 3, TABLE_LEAST = 500 /* lines: lost ones are noticed */ };

/* The table is printed with what is found instead of being checked. */
static bool table_print;

/* \n and \t in the table stand for a line's end and a tab. */
static void table_unescape(char *text)
{
    char *to = text;

    for (char *at = text; *at; at++) {
        if (at[0] == '\\' && (at[1] == 'n' || at[1] == 't'))
            *to++ = *++at == 'n' ? '\n' : '\t';
        else
            *to++ = *at;
    }
    *to = '\0';
}

/* Cuts the line into its columns; those that are missing are empty. The statement is unescaped only
 * in what the callbacks get. */
static void table_cut(char *line, char *columns[TABLE_COLUMNS])
{
    static char nothing[1] = "";

    for (unsigned i = 0; i < TABLE_COLUMNS; i++) {
        char *tab = line == nothing ? NULL : strchr(line, '\t');

        columns[i] = line;
        if (tab)
            *tab = '\0';
        line = tab ? tab + 1 : nothing;
    }
}

/* Calls `each` for every line; returns how many there were. */
static unsigned table_each(const char *name,
                           void (*each)(char *columns[TABLE_COLUMNS], unsigned number))
{
    FILE *file = fopen(name, "r");
    char *line = NULL, *columns[TABLE_COLUMNS];
    size_t cap = 0;
    ssize_t len;
    unsigned number = 0, count = 0;

    assert_non_null(file);
    while ((len = getline(&line, &cap, file)) > 0) {
        number++;
        if (line[len - 1] == '\n')
            line[len - 1] = '\0';
        if (line[0] == '\0' || line[0] == '#') {
            if (table_print)
                puts(line);
            continue;
        }
        count++;
        table_cut(line, columns);
        each(columns, number);
    }
    free(line);
    fclose(file);
    return count;
}

/* Writes what is found of a text; `expected` is what its line says. */
typedef void table_find(struct buf *out, const char *text, const char *expected);

static struct {
    table_find *find;
    unsigned column, wrong;
} table_checking;

static void table_check_line(char *columns[TABLE_COLUMNS], unsigned number)
{
    unsigned column = table_checking.column;
    char *text = mem_text(columns[0], strlen(columns[0]));
    struct buf found = {0};
    char *at;

    table_unescape(text);
    table_checking.find(&found, text, columns[column]);
    buf_put(&found, "", 1);
    at = (char *)found.at + found.head;
    if (table_print) {
        for (unsigned i = 0; i < TABLE_COLUMNS; i++)
            printf("%s%s", i ? "\t" : "", i == column ? at : columns[i]);
        putchar('\n');
    } else if (strcmp(at, columns[column]) != 0) {
        table_checking.wrong++;
        print_error("line %u: %s\n  expected %s\n  found    %s\n", number, columns[0],
                    columns[column], at);
    }
    mem_free(text);
    buf_clear(&found);
}

/* `column` counts from 0, the statement's. */
static void table_check(const char *name, unsigned column, table_find *find)
{
    table_checking.find = find;
    table_checking.column = column;
    table_checking.wrong = 0;
    assert_true(table_each(name, table_check_line) > TABLE_LEAST);
    assert_int_equal(table_checking.wrong, 0);
}
