/* fingerprint.h: which findings are one bug, across runs, machines and unrelated edits.
 *
 * Made of the rule and, for each edge, of the locks' class names and the innermost functions of its
 * stacks, in the rotation that comes first. Never of addresses, lines, thread ids, counts or paths.
 * Code without symbols goes by module name and offset: stable until it is built anew. */
#ifndef TOOLS_FINGERPRINT_H
#define TOOLS_FINGERPRINT_H

#include "arena.h"
#include "model.h"

/* 32 hexadecimal digits, from a finding whose locks and events are resolved. In the arena. */
const char *fingerprint_make(struct arena *arena, const struct report_finding *finding);

#endif
