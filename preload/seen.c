/* seen.c: the memories grow with what a thread does: tags times four up to a bound; the matrix comes
 * when a thread has made so many pairs that their tags leave the second-level cache. */
#include "region.h"
#include "seen.h"
#include "thread.h"

enum { MATRIX_FROM_TAGS = 1 << 16 };

/* More distinct signatures come by than the tags hold: make room, up to a bound. */
static void grow_tags(struct shim_thread *t)
{
	if (SHIM_LIKELY(++t->tag_misses <= t->tag_mask))
		return;
	t->tag_misses = 0;
	int growth = 0;
	while (growth < SHIM_TAG_GROWTHS && t->block->grown[growth])
		growth++;
	if (growth == SHIM_TAG_GROWTHS)
		return;
	uint32_t *tags = shim_region_map_dense(shim_grown_tags(growth) * sizeof *tags, true);
	if (!tags)
		return;
	t->block->grown[growth] = tags;
	/* A handler in between sees the new table with the old, smaller mask. */
	t->tags = tags;
	atomic_signal_fence(memory_order_seq_cst);
	t->tag_mask = shim_grown_tags(growth) - 1;
}

void shim_seen_add_tag(struct shim_thread *t, uint64_t signature)
{
	grow_tags(t);
	uint32_t *set = t->tags + ((uint32_t)signature & t->tag_mask & ~3u);
	uint32_t tag = (uint32_t)(signature >> 32) ^ (uint32_t)t->salt;
	for (int i = 0; i < 4; i++) {
		if (!set[i]) {
			set[i] = tag;
			return;
		}
	}
	set[(signature >> 20) & 3] = tag;
}

static bool add_column(struct shim_matrix *m, const struct shim_pair *pair)
{
	uint32_t at = shim_matrix_column_slot(pair);
	for (uint32_t tries = 0; tries < SHIM_MATRIX_TRIES; tries++, at++) {
		__typeof__(&m->columns[0]) slot = &m->columns[at % SHIM_MATRIX_SLOTS];
		if (slot->lock == pair->lock && slot->generation == pair->generation)
			return true;
		if (slot->lock || m->column_count == SHIM_MATRIX_LOCKS)
			continue;
		slot->column = m->column_count++;
		slot->generation = pair->generation;
		atomic_signal_fence(memory_order_seq_cst);
		slot->lock = pair->lock;
		return true;
	}
	return false;
}

static bool add_row(struct shim_matrix *m, uint64_t key)
{
	uint32_t at = (uint32_t)(key >> 32);
	for (uint32_t tries = 0; tries < SHIM_MATRIX_TRIES; tries++, at++) {
		uint64_t *slot = &m->rows[at % SHIM_MATRIX_SLOTS];
		if (*slot == key)
			return true;
		if (*slot || m->row_count == SHIM_MATRIX_ROWS)
			continue;
		m->row_count++;
		*slot = key;
		return true;
	}
	return false;
}

/* The rows of a past segment are of no more use; their keys hold the segment's salt. */
static void renew(struct shim_thread *t, struct shim_matrix *m)
{
	for (uint32_t i = 0; i < SHIM_MATRIX_SLOTS; i++) {
		if (!m->rows[i])
			continue;
		m->rows[i] = 0;
		atomic_signal_fence(memory_order_seq_cst);
		for (uint32_t k = 0; k < SHIM_MATRIX_LOCKS / 64; k++)
			m->bits[i][k] = 0;
	}
	m->row_count = 0;
	m->segment = t->segment;
}

void shim_seen_add(struct shim_thread *t, const struct shim_pair *pair)
{
	struct shim_matrix *m = t->matrix;
	uint32_t bit;
	if (!m && t->tag_mask + 1 >= MATRIX_FROM_TAGS)
		m = t->matrix = shim_region_map(sizeof *m, true);
	if (m && m->segment != t->segment)
		renew(t, m);
	if (m && add_column(m, pair) && add_row(m, shim_matrix_row_key(t, pair)))
		*shim_matrix_find(t, m, pair, &bit) |= (uint64_t)1 << bit;
	else
		shim_seen_add_tag(t, pair->signature);
}

void shim_seen_free(struct shim_thread *t)
{
	if (t->matrix)
		shim_region_unmap(t->matrix, sizeof *t->matrix);
	t->matrix = NULL;
	for (int i = 0; t->block && i < SHIM_TAG_GROWTHS; i++) {
		if (t->block->grown[i])
			shim_region_unmap(t->block->grown[i], shim_grown_tags(i) * sizeof *t->tags);
		t->block->grown[i] = NULL;
	}
}
