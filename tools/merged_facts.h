/* merged_facts.h: what the store says of the lock order, as facts that the engine analyses: one lock for each
 * lock that the runs share, one thread for a role that has one thread at a time, one for each thread of a run
 * for the other roles.
 *
 * A thread's segments are its phases: what lies before another role starts happens before all that the role
 * does. Where a run has no thread of a role, what the same acquisition says in other runs counts.
 *
 * Memory: merged_facts_close frees all; strings are the arena's that was given. Threads: one.
 * Failure: a line, to be freed. */
#ifndef TOOLS_MERGED_FACTS_H
#define TOOLS_MERGED_FACTS_H

#include "resolve.h"
#include "store.h"

struct merged_facts;

char *merged_facts_open(struct merged_facts **facts, struct store *store, struct arena *arena);
void merged_facts_close(struct merged_facts *facts);

struct dt_facts *merged_facts_get(const struct merged_facts *facts);
/* To resolve their ids. */
struct resolve_source merged_facts_source(struct merged_facts *facts);

/* The runs (keys) in which `thread` wanted `lock` at `stack` while holding `held`, which it took at
 * `hold_stack`; at most `most`, each once. */
size_t merged_facts_runs(struct merged_facts *facts, const struct dt_event *hold, const struct dt_event *want,
                         int64_t *runs, size_t most);

#endif
