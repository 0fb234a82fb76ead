/* `pgtier init DATABASE_URL`: settings to begin with, written from what a live database tells. */
#pragma once

/* Asks the database and writes YAML to standard output: a file that `check` finds right once
 * DATABASE_PRIMARY_URL is set. The exit status: 0, or 1 where the database does not answer. */
int init_settings(const char *url);
