#include "sql/functions.h"
#include <string.h>
bool function_aggregates(const char *name)
{
    return !strcmp(name, "avg") || !strcmp(name, "sum") || !strcmp(name, "count") ||
           !strcmp(name, "min") || !strcmp(name, "max");
}
