/* merge_ids.h: keys and numbers by id, for the passes of merging. Memory: the arena's, but for the table,
 * which merge_ids_free frees. Threads: one. */
#ifndef TOOLS_MERGE_IDS_H
#define TOOLS_MERGE_IDS_H

#include <stdint.h>
#include <string.h>
#include <uthash.h>

#include "arena.h"

struct merge_id {
	int64_t id, key;
	UT_hash_handle hh;
};

static inline struct merge_id *merge_ids_find(struct merge_id *ids, int64_t id)
{
	struct merge_id *found;

	HASH_FIND(hh, ids, &id, sizeof(id), found);
	return found;
}

/* 0 when it is not there. */
static inline int64_t merge_ids_key(struct merge_id *ids, int64_t id)
{
	const struct merge_id *found = merge_ids_find(ids, id);

	return found ? found->key : 0;
}

static inline struct merge_id *merge_ids_add(struct merge_id **ids, struct arena *arena, int64_t id,
                                             int64_t key)
{
	struct merge_id *added = arena_alloc(arena, sizeof(*added));

	added->id = id;
	added->key = key;
	HASH_ADD(hh, *ids, id, sizeof(added->id), added);
	return added;
}

static inline void merge_ids_free(struct merge_id **ids)
{
	HASH_CLEAR(hh, *ids);
}

#endif
