/* merge_phase.h: the threads of one run by role, and how what a thread did lies to the other roles.
 *
 * Must-happen-before means something within one run only. What carries over to others is its shape: "before
 * any worker starts", "after all workers have ended", "while workers run".
 *
 * Memory: the arena's, and the open object's. Threads: one. Failure: only the lack of memory. */
#ifndef TOOLS_MERGE_PHASE_H
#define TOOLS_MERGE_PHASE_H

#include "resolve.h"

struct merge_phase;

struct merge_role {
	int64_t key;
	const char *start; /* function; "main", NULL: not seen */
	uint32_t create_stack;
	bool plural; /* two such threads at a time */
};

/* "KEY:b KEY:d …": before, after, during; roles in order of their keys. */
struct merge_relations {
	int64_t key;
	const char *text;
};

struct merge_place {
	uint32_t thread;
	int64_t role, phase;
};

/* `facts` are settled and outlive it. */
struct merge_phase *merge_phase_open(struct dt_facts *facts, struct resolve *resolve, struct arena *arena);
void merge_phase_close(struct merge_phase *phase);

/* False for a segment of no thread. */
bool merge_phase_of(struct merge_phase *phase, uint32_t segment, struct merge_place *place);

/* The roles; the relations that merge_phase_of met. NULL past the last. */
const struct merge_role *merge_phase_role(const struct merge_phase *phase, size_t index);
const struct merge_relations *merge_phase_relations(const struct merge_phase *phase, size_t index);

#endif
