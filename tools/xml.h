/* xml.h: text into XML 1.0.
 *
 * XML has no form at all for most control characters and none for invalid UTF-8, so text of a
 * program is made visible first (safe.h): what comes out is always well-formed, and in one line.
 * Threads: any. Failure: the stream's error indicator. */
#ifndef TOOLS_XML_H
#define TOOLS_XML_H

#include <stdio.h>

#include "arena.h"

/* Character data or the value of an attribute in double quotes: any bytes. */
void xml_text(FILE *out, struct arena *arena, const char *text);

/* The same for what is printable already and may have several lines, as emit_finding_text gives it. */
void xml_lines(FILE *out, const char *text);

/* "<name>text</name>" in a line of its own behind `indent` spaces; nothing when `text` is NULL. */
void xml_element(FILE *out, struct arena *arena, int indent, const char *name, const char *text);

/* ` name="text"`. */
void xml_attribute(FILE *out, struct arena *arena, const char *name, const char *text);

#endif
