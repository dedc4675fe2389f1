/* json.h: jansson without the checks at every call: no memory ends the command (say.h).
 *
 * Memory: what is put into an object or array belongs to it. Threads: one. */
#ifndef TOOLS_JSON_H
#define TOOLS_JSON_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "arena.h"

/* A string of any bytes, made valid UTF-8; null for NULL. */
json_t *json_text(struct arena *arena, const char *value);
/* The same with what can't be seen made visible: for sentences, which people read. */
json_t *json_words(struct arena *arena, const char *value);
json_t *json_hexadecimal(uint64_t value);

void json_push(json_t *array, json_t *value);
void json_put(json_t *object, const char *key, json_t *value);

/* Print and free. `flags` are json_dumpf's. */
void json_print(FILE *out, json_t *value, size_t flags);

#endif
