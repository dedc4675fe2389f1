/* seen.h: what this thread has recorded already, in its present segment.
 *
 * Two memories. Tags: 32 bits of a signature, in sets of four; lossy (what is pushed out is looked up in
 * the shared tables again), and never wrong but for one in four thousand million. The matrix: one bit a
 * pair of (held set and place, lock), exact, for threads that make very many pairs of few locks: half a
 * million pairs of a thousand locks are 128 KB of bits where they would be megabytes of tags, each
 * look-up a miss of the cache.
 *
 * Memory: of the thread, given back when it ends. Threads: its own, and its signal handlers, which find
 * either memory as it was before or after. */
#ifndef SHIM_SEEN_H
#define SHIM_SEEN_H

#include "shim.h"

enum {
	SHIM_MATRIX_SLOTS = 4096,
	SHIM_MATRIX_LOCKS = 1024,  /* bits a row */
	SHIM_MATRIX_ROWS = 2048,
	SHIM_MATRIX_TRIES = 4
};

struct shim_matrix {
	struct {
		const void *lock;
		uint32_t generation, column;
	} columns[SHIM_MATRIX_SLOTS];
	uint64_t rows[SHIM_MATRIX_SLOTS];  /* keys */
	uint32_t column_count, row_count;
	uint32_t segment, zero;    /* that the rows are of */
	/* By the slot of the key, so that the bits can be fetched before the key is. */
	uint64_t bits[SHIM_MATRIX_SLOTS][SHIM_MATRIX_LOCKS / 64];
};

/* One acquisition: what was held, at which place, which lock. */
struct shim_pair {
	uint64_t parent, signature;
	const void *lock;
	uint32_t generation, context;
};

static inline uint32_t shim_matrix_column_slot(const struct shim_pair *pair)
{
	uintptr_t a = (uintptr_t)pair->lock >> 3;
	return (uint32_t)(a ^ (a >> 12)) + pair->generation;
}

static inline uint64_t shim_matrix_row_key(const struct shim_thread *t, const struct shim_pair *pair)
{
	uint64_t key = (pair->parent ^ t->salt ^ (uint64_t)pair->context << 20) * 0x9e3779b97f4a7c15u;
	return (key ^ key >> 31) | 1;
}

/* The word and bit of a pair; NULL: the matrix does not have it. */
static inline uint64_t *shim_matrix_find(const struct shim_thread *t, struct shim_matrix *m,
                                         const struct shim_pair *pair, uint32_t *bit)
{
	uint32_t c = shim_matrix_column_slot(pair), tries = 0;
	for (;; c++) {
		if (m->columns[c % SHIM_MATRIX_SLOTS].lock == pair->lock &&
		    m->columns[c % SHIM_MATRIX_SLOTS].generation == pair->generation)
			break;
		if (++tries == SHIM_MATRIX_TRIES)
			return NULL;
	}
	uint64_t key = shim_matrix_row_key(t, pair);
	uint32_t r = (uint32_t)(key >> 32);
	for (tries = 0; m->rows[r % SHIM_MATRIX_SLOTS] != key; r++)
		if (++tries == SHIM_MATRIX_TRIES)
			return NULL;
	uint32_t column = m->columns[c % SHIM_MATRIX_SLOTS].column;
	*bit = column % 64;
	return &m->bits[r % SHIM_MATRIX_SLOTS][column / 64];
}

static inline bool shim_tag_seen(const struct shim_thread *t, uint64_t signature)
{
	const uint32_t *set = t->tags + ((uint32_t)signature & t->tag_mask & ~3u);
	uint32_t tag = (uint32_t)(signature >> 32) ^ (uint32_t)t->salt;
	return set[0] == tag || set[1] == tag || set[2] == tag || set[3] == tag;
}

static inline bool shim_seen(const struct shim_thread *t, const struct shim_pair *pair)
{
	uint32_t bit;
	uint64_t *word = t->matrix ? shim_matrix_find(t, t->matrix, pair, &bit) : NULL;
	return (word && *word >> bit & 1) || shim_tag_seen(t, pair->signature);
}

/* It is recorded now. */
void shim_seen_add(struct shim_thread *t, const struct shim_pair *pair);
/* The same for what is no pair (a signal, a join). */
void shim_seen_add_tag(struct shim_thread *t, uint64_t signature);
/* The thread ends. */
void shim_seen_free(struct shim_thread *t);

#endif
