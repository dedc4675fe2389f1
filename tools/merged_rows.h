/* merged_rows.h: the store's rows of the lock order in memory: small ones of numbers, sorted by key, so that
 * a key is found by bisection. Internal to merged_facts.c and merged_runs.c.
 *
 * A row's id is its index + 1. Memory: merged_rows_close frees all; strings are the arena's that was given.
 * Threads: one. Failure: a line, to be freed. */
#ifndef TOOLS_MERGED_ROWS_H
#define TOOLS_MERGED_ROWS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "arena.h"
#include "merged_order.h"
#include "model.h"
#include "store.h"

#define NO_ROLE UINT32_MAX

struct merged_acq {
	int64_t key, parent, lock, stack;
	uint8_t op, mode, wait;
};

struct merged_lock {
	int64_t key;
	struct report_lock named;
	uint32_t kind, flags, units;
	bool plural;
};

struct merged_role {
	int64_t key;
	const char *start;
	int64_t created;
	bool plural;
};

/* A thread of the facts: a role's one, or a run's. */
struct merged_thread {
	uint32_t id, role, in_run;
	int64_t run;
};

struct merged_sighting {
	uint32_t acq, thread, segment;
	int64_t run;
};

#define LIST(type)                                                                                           \
	struct {                                                                                             \
		type *at;                                                                                    \
		size_t count, room;                                                                          \
	}
#define PUSH(list)                                                                                           \
	((list)->count < (list)->room                                                                        \
	     ? 0                                                                                             \
	     : ((list)->room = (list)->room ? 2 * (list)->room : 64,                                         \
	        (list)->at = must_realloc((list)->at, (list)->room, sizeof(*(list)->at)), 0),                \
	 memset(&(list)->at[(list)->count], 0, sizeof(*(list)->at)), &(list)->at[(list)->count++])

struct merged_rows {
	struct arena *arena;
	LIST(struct merged_acq) acqs;
	LIST(struct merged_lock) locks;
	LIST(struct merged_role) roles;
	LIST(struct merged_thread) threads;
	LIST(int64_t) stacks; /* keys of those that acquisitions have */
	LIST(struct merged_sighting) sightings;
	struct merged_order *order;
};

char *merged_rows_read(struct merged_rows *rows, struct store *store, struct arena *arena);
void merged_rows_close(struct merged_rows *rows);

/* Index + 1 of the row with this key, of rows that begin with theirs; 0: none. */
uint32_t merged_rows_find(const void *rows, size_t count, size_t each, int64_t key);
#define FIND(list, key) merged_rows_find((list)->at, (list)->count, sizeof(*(list)->at), key)

bool merged_rows_is_main(const struct merged_role *role);

#endif
