/* pattern.h: the wildcards of suppression files. No memory, any thread, cannot fail. */
#ifndef TOOLS_PATTERN_H
#define TOOLS_PATTERN_H

#include <stdbool.h>

/* As ThreadSanitizer has it: the pattern can be anywhere in the text; `*` is any text, `^` at its start
 * and `$` at its end tie it to the text's. False for NULL. */
bool pattern_in(const char *pattern, const char *text);

/* As Valgrind has it: the pattern is the whole text; `*` is any text, `?` any one character. */
bool pattern_whole(const char *pattern, const char *text);

#endif
