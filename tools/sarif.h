/* sarif.h: the objects that SARIF is made of (emit_sarif.c prints them).
 *
 * Memory: strings in the arena; the JSON is the caller's. Threads: one. */
#ifndef TOOLS_SARIF_H
#define TOOLS_SARIF_H

#include "emit.h"
#include "json.h"

/* A path as a URI: relative ones stay so, absolute ones get "file://". */
const char *sarif_uri(struct arena *arena, const char *path);

/* A reportingDescriptor: name, texts, level. */
json_t *sarif_rule(struct arena *arena, const struct dt_rule *rule);

/* A result; not `whole`: without its flows, stacks and related locations. */
json_t *sarif_result(struct arena *arena, const struct emit *emit, const struct report_finding *found,
                     bool whole);

#endif
