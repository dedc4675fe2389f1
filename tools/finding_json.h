/* finding_json.h: a resolved finding into JSON and back, all of it: how merged facts keep what one run's own
 * analysis found. (What other programs read is emit_json.c's.)
 *
 * Memory: the arena's. Threads: one. Failure: finding_json_read says false of what is no such finding. */
#ifndef TOOLS_FINDING_JSON_H
#define TOOLS_FINDING_JSON_H

#include "arena.h"
#include "json.h"
#include "model.h"

/* To be freed by json_decref. `known`, `suppressed` and `process` are the report's, not the finding's. */
json_t *finding_json_write(struct arena *arena, const struct report_finding *finding);
bool finding_json_read(struct arena *arena, const json_t *json, struct report_finding *finding);

/* A stack's frames alone. */
json_t *finding_json_stack(struct arena *arena, const struct report_stack *stack);
/* The same, printed. */
const char *finding_json_print_stack(struct arena *arena, const struct report_stack *stack);
struct report_stack finding_json_read_stack(struct arena *arena, const json_t *json);

#endif
