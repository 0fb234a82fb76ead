/* The words of a console command. Comments and spaces between them count for nothing. Pure. */
#pragma once

#include "base/slice.h"

/* `text` from its first byte on that is no space and no comment. */
struct slice command_trim(struct slice text);

/* The next word (letters, digits, _), what stands inside quotes, or one other byte; moves `left`
 * behind it. Empty at the end. */
struct slice command_word(struct slice *left);

/* The text up to the next `;` outside quotes and comments, without it; moves `left` behind it. */
struct slice command_cut(struct slice *left);
