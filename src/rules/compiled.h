/* What load.c builds and rules_unref takes down: the rules and the memory that they live in. */
#pragma once

#include "conf/keep.h"
#include "rules/rules.h"

struct compiled {
    struct rules rules; /* first: a struct rules * is a struct compiled * */
    struct keep *keep;
};
