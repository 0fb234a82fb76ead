/* The settings file described from the tables that read it: for editors, and for people. */
#pragma once

/* `pgtier schema`: JSON Schema (draft-07, json-schema.org) of the file, to standard output. */
int reference_schema(void);
/* `pgtier reference`: docs/settings.md. */
int reference_print(void);
