/* facts.c: the tables' life, and looking things up in them. */
#include "facts_tables.h"

struct dt_blob_chunk {
	struct dt_blob_chunk *next;
	size_t room, used;
};

/* With its head a power of two: an allocator may round up to that. */
enum { BLOB_ROOM = 64 * 1024 - sizeof(struct dt_blob_chunk) };

void *dt_facts_blob(struct dt_facts *f, size_t bytes)
{
	bytes = (bytes + 7) & ~(size_t)7;
	if (!f->blobs || f->blobs->room - f->blobs->used < bytes) {
		size_t room = bytes > BLOB_ROOM ? bytes : BLOB_ROOM;
		struct dt_blob_chunk *chunk = f->alloc->resize(f->alloc, NULL, 0, sizeof *chunk + room);
		if (!chunk)
			return NULL;
		*chunk = (struct dt_blob_chunk){f->blobs, room, 0};
		f->blobs = chunk;
	}
	void *at = (char *)(f->blobs + 1) + f->blobs->used;
	f->blobs->used += bytes;
	return at;
}

void dt_facts_lend(struct dt_facts *f, bool lent)
{
	f->lent = lent;
}

const void *dt_facts_keep(struct dt_facts *f, const void *record, size_t bytes)
{
	if (f->lent)
		return record;
	void *copy = dt_facts_blob(f, bytes);
	return copy ? memcpy(copy, record, bytes) : NULL;
}

/* The program counters lie behind the record's head; of that only the flags are read again. */
uint32_t dt_facts_stack_flags(const struct dt_stack *stack)
{
	return ((const struct dt_rec_stack *)(const void *)stack->pc - 1)->head.flags;
}

uint32_t dt_facts_stack_id(const struct dt_facts *f, uint32_t index)
{
	uint32_t id = ((const struct dt_rec_stack *)(const void *)f->stacks.at[index].pc - 1)->id;

	return dt_idmap_find(&f->stack_ids, id) == index + 1 ? id : 0;
}

/* The room is the power of two, two at least, that the count says: outgrown lists stay where they are. */
bool dt_facts_list_push(struct dt_facts *f, uint32_t **list, uint32_t *count, uint32_t id)
{
	uint32_t n = *count;

	if (n != 1 && (n & (n - 1)) == 0) {
		uint32_t *more = dt_facts_blob(f, (n ? 2 * (size_t)n : 2) * sizeof *more);
		if (!more)
			return false;
		if (n)
			memcpy(more, *list, n * sizeof *more);
		*list = more;
	}
	(*list)[(*count)++] = id;
	return true;
}

enum dt_err dt_facts_new(struct dt_facts **out, struct dt_alloc *alloc)
{
	struct dt_facts *f = alloc->resize(alloc, NULL, 0, sizeof *f);

	if (!f)
		return DT_ERR_NOMEM;
	memset(f, 0, sizeof *f);
	f->alloc = alloc;
	*out = f;
	return DT_OK;
}

void dt_facts_free(struct dt_facts *f)
{
	if (!f)
		return;
	struct dt_alloc *alloc = f->alloc;
	for (struct dt_blob_chunk *chunk = f->blobs, *next; chunk; chunk = next) {
		next = chunk->next;
		alloc->resize(alloc, chunk, sizeof *chunk + chunk->room, 0);
	}
	dt_vec_fini(&f->modules, alloc);
	dt_vec_fini(&f->threads, alloc);
	dt_vec_fini(&f->segments, alloc);
	dt_vec_fini(&f->stacks, alloc);
	dt_vec_fini(&f->locks, alloc);
	dt_vec_fini(&f->acqs, alloc);
	dt_vec_fini(&f->incidents, alloc);
	dt_vec_fini(&f->stats, alloc);
	dt_vec_fini(&f->intervals, alloc);
	dt_vec_fini(&f->signal_sets, alloc);
	dt_vec_fini(&f->shared, alloc);
	dt_vec_fini(&f->kin, alloc);
	dt_vec_fini(&f->states, alloc);
	dt_vec_fini(&f->units, alloc);
	dt_vec_fini(&f->claims, alloc);
	dt_vec_fini(&f->races, alloc);
	dt_vec_fini(&f->unsettled, alloc);
	dt_vec_fini(&f->pending, alloc);
	dt_order_fini(&f->before, alloc);
	struct dt_idmap *maps[] = {&f->module_ids, &f->thread_ids, &f->segment_ids,
	                           &f->stack_ids,  &f->lock_ids,   &f->acq_ids,
	                           &f->signal_set_ids};
	for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
		dt_idmap_fini(maps[i], alloc);
	alloc->resize(alloc, f, sizeof *f, 0);
}

void dt_facts_set_header(struct dt_facts *f, const struct dt_log_header *header)
{
	f->process.pid = header->pid;
	f->process.ppid = header->ppid;
	f->process.start_ns = header->start_ns;
	memcpy(f->counters, header->counters, sizeof f->counters);
}

const struct dt_process *dt_facts_process(const struct dt_facts *f)
{
	return &f->process;
}

uint64_t dt_facts_counter(const struct dt_facts *f, enum dt_counter counter)
{
	uint64_t ours = counter == DT_COUNT_SIGHTINGS_LOST ? f->sightings_over : 0;

	return (unsigned)counter < DT_COUNTERS ? f->counters[counter] + ours : 0;
}

uint64_t dt_facts_unfinished(const struct dt_facts *f)
{
	return f->unfinished;
}

uint64_t dt_facts_unknown(const struct dt_facts *f)
{
	return f->unknown;
}

uint64_t dt_facts_dangling(const struct dt_facts *f)
{
	return (uint64_t)f->unsettled.count + f->acqs.count - f->looked_at + f->pending.count;
}

#define LOOKUP(type, name, table, map)                                                                       \
	const struct type *name(const struct dt_facts *f, uint32_t id)                                       \
	{                                                                                                    \
		uint32_t at = dt_idmap_find(&f->map, id);                                                    \
		return at ? &f->table.at[at - 1] : NULL;                                                     \
	}
LOOKUP(dt_module, dt_facts_module, modules, module_ids)
LOOKUP(dt_thread, dt_facts_thread, threads, thread_ids)
LOOKUP(dt_segment, dt_facts_segment, segments, segment_ids)
LOOKUP(dt_stack, dt_facts_stack, stacks, stack_ids)
LOOKUP(dt_lock, dt_facts_lock, locks, lock_ids)
LOOKUP(dt_acq, dt_facts_acq, acqs, acq_ids)

uint32_t dt_facts_lock_number(const struct dt_facts *f, uint32_t id)
{
	uint32_t at = dt_idmap_find(&f->lock_ids, id);

	return at ? at - 1 : f->locks.count;
}

#define TABLE(type, count_name, nth_name, table)                                                             \
	uint32_t count_name(const struct dt_facts *f)                                                        \
	{                                                                                                    \
		return f->table.count;                                                                       \
	}                                                                                                    \
	const struct type *nth_name(const struct dt_facts *f, uint32_t index)                                \
	{                                                                                                    \
		return index < f->table.count ? &f->table.at[index] : NULL;                                  \
	}
TABLE(dt_module, dt_facts_module_count, dt_facts_module_nth, modules)
TABLE(dt_thread, dt_facts_thread_count, dt_facts_thread_nth, threads)
TABLE(dt_lock, dt_facts_lock_count, dt_facts_lock_nth, locks)
TABLE(dt_acq, dt_facts_acq_count, dt_facts_acq_nth, acqs)
TABLE(dt_stat, dt_facts_stat_count, dt_facts_stat_nth, stats)
TABLE(dt_interval, dt_facts_interval_count, dt_facts_interval_nth, intervals)
TABLE(dt_shared, dt_facts_shared_count, dt_facts_shared_nth, shared)
TABLE(dt_kin, dt_facts_kin_count, dt_facts_kin_nth, kin)
TABLE(dt_state, dt_facts_state_count, dt_facts_state_nth, states)
TABLE(dt_units, dt_facts_units_count, dt_facts_units_nth, units)

const struct dt_acq *dt_facts_units_of(const struct dt_facts *facts, const struct dt_units *units)
{
	const struct dt_acq *acq = dt_facts_acq(facts, units->acq);

	for (uint32_t i = 0; acq && i < units->outwards; i++)
		acq = acq->depth > 1 ? dt_facts_acq(facts, acq->parent) : NULL;
	return acq && acq->depth ? acq : NULL;
}

TABLE(dt_claim, dt_facts_claim_count, dt_facts_claim_nth, claims)
TABLE(dt_incident_fact, dt_facts_incident_count, dt_facts_incident_nth, incidents)
TABLE(dt_race_fact, dt_facts_race_count, dt_facts_race_nth, races)

enum dt_err dt_facts_add_claim(struct dt_facts *f, const struct dt_claim *claim)
{
	struct dt_claim *added = dt_vec_push(&f->claims, f->alloc);

	if (!added)
		return DT_ERR_NOMEM;
	*added = *claim;
	return DT_OK;
}

uint64_t dt_facts_open_signals(const struct dt_facts *f, const struct dt_acq *acq)
{
	uint32_t at = acq->open_signals ? dt_idmap_find(&f->signal_set_ids, acq->open_signals) : 0;

	return at ? f->signal_sets.at[at - 1].signals : 0;
}

/* Of several the last that came before: an unmapping may have gone unseen. Two threads that meet a new
 * module at once may log its record behind the first use: one that came a little later counts when
 * none was there yet. */
const struct dt_module *dt_facts_module_at(const struct dt_facts *f, uint64_t address, uint32_t order)
{
	const struct dt_module *before = NULL, *later = NULL;

	for (uint32_t i = 0; i < f->modules.count; i++) {
		const struct dt_module *m = &f->modules.at[i];
		if (address < m->start || address >= m->end || m->order_end < order)
			continue;
		if (m->order_begin <= order)
			before = m;
		else if (!later)
			later = m;
	}
	return before ? before : later;
}
