/* The fingerprint of a text: what is left when comments, spacing, letter case of words and literal
 * values are taken away. One scan, no allocation. Texts of one shape have one fingerprint, whether
 * a value stands in them as literal or as $n. */
#pragma once

#include "base/hash.h"
#include "sql/value.h"

/* Lexes `text`, fills `values` in the order of the placeholders and `hash` with the 128-bit hash of
 * the shape. Returns false for a text whose lexing fails (an unterminated string or comment); its
 * hash is then that of the raw text and values are empty. Standard_conforming_strings is taken as
 * on. Comments count for nothing. Cannot fail otherwise. */
bool finger_text(struct slice text, struct hash128 *hash, struct values *values);
