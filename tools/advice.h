/* advice.h: the sentence that a finding says, and what to change. One row a rule. */
#ifndef TOOLS_ADVICE_H
#define TOOLS_ADVICE_H

#include "arena.h"
#include "model.h"

/* Set the message and the advice of a finding whose locks, threads and events are resolved. */
void advice_write(struct arena *arena, struct report_finding *finding);

/* "thread 3 "teller" (teller_main)"; how the report calls a thread. */
const char *advice_thread(struct arena *arena, const struct report_thread *thread);

/* The same for what the shim saw happen (advice_incidents.c). False: no row for its rule. */
bool advice_of_incident(struct arena *arena, struct report_finding *finding);

/* And for races (advice_races.c). */
bool advice_of_race(struct arena *arena, struct report_finding *finding);

/* "`a`, `b` and `c`" of the finding's own locks. */
const char *advice_locks(struct arena *arena, const struct report_finding *finding);

#endif
