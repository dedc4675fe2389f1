/* safe.h: text from a program under test, made fit for a terminal or a file format.
 *
 * Names come from argv, thread names, symbols and paths, so they can hold any bytes. */
#ifndef TOOLS_SAFE_H
#define TOOLS_SAFE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "arena.h"

/* Length in bytes of the UTF-8 sequence at `text`, and its code point; 0 when it is no valid one
 * (overlong, surrogate, cut, above U+10FFFF). `text` ends with NUL. */
size_t safe_utf8_next(const char *text, uint32_t *code_point);

/* Print with control characters, invalid UTF-8 and direction overrides as \xNN or \u{NNNN}, so
 * that a name can neither steer the terminal nor fake a line of the report. */
void safe_print(FILE *out, const char *text);

/* The same as a string, for formats that put it into their own escapes: printable UTF-8 in one line. */
const char *safe_visible(struct arena *arena, const char *text);

/* Valid UTF-8: each byte that belongs to no valid sequence becomes U+FFFD. Never NULL for non-NULL. */
const char *safe_utf8(struct arena *arena, const char *text);

#endif
