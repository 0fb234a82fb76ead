/* The rules of a settings file, compiled: relations, tiers, defaults, operations and cache classes.
 */
#pragma once

#include "conf/field.h"
#include "rules/rules.h"

/* The sections of the file that it reads; settings.c reads the others. */
extern const struct field RULES_SECTIONS[];
extern const unsigned RULES_NSECTIONS;
/* .. and cache.classes, which it reads as well. */
extern const struct form FORM_OF_CLASSES;

/* `root` is the whole file. Faults go to `diag`; the result is there in any case, but is good only
 * where none came. Give back with rules_unref. */
struct rules *rules_load(const struct yaml *root, struct diag *diag);
