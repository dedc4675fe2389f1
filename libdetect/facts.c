/* facts.c: tables of what a log says, by id. */
#include <stddef.h>

#include <detect/facts.h>

#include "vec.h"

struct blob_chunk {
	struct blob_chunk *next;
	size_t bytes, used;
};

struct sighting {
	uint32_t acq, segment;
};

struct thread_name {
	uint32_t id;
	const char *name;
};

enum { EARLY_NAMES_MAX = 1024, ORDER_MEMO = 1024, CHUNK_BYTES = 64 * 1024 };

struct dt_facts {
	struct dt_alloc *alloc;
	struct blob_chunk *blobs;
	struct dt_process process;
	uint64_t counters[DT_COUNTERS];
	uint64_t unfinished;
	uint32_t order;
	DT_VEC(struct dt_module) modules;
	DT_VEC(struct dt_thread) threads;
	DT_VEC(struct dt_segment) segments;
	DT_VEC(struct dt_stack) stacks;
	DT_VEC(struct dt_lock) locks;
	DT_VEC(struct dt_acq) acqs;
	struct dt_idmap module_ids, thread_ids, segment_ids, stack_ids, lock_ids, acq_ids;
	DT_VEC(uint32_t) unsettled;      /* indices of acquisitions without a depth */
	DT_VEC(struct sighting) early;   /* sightings of acquisitions not yet there */
	DT_VEC(struct thread_name) names; /* of threads that have not written their own record yet */
	DT_VEC(uint32_t) visited, stack; /* of happens_before */
	uint32_t visit;
	struct {
		uint32_t a, b;
		bool before;
	} memo[ORDER_MEMO];
};

static void *blob(struct dt_facts *f, size_t bytes)
{
	bytes = (bytes + 7) & ~(size_t)7;
	if (!f->blobs || f->blobs->bytes - f->blobs->used < bytes) {
		size_t room = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
		struct blob_chunk *chunk = f->alloc->resize(f->alloc, NULL, 0, sizeof *chunk + room);
		if (!chunk)
			return NULL;
		*chunk = (struct blob_chunk){f->blobs, room, 0};
		f->blobs = chunk;
	}
	void *at = (char *)(f->blobs + 1) + f->blobs->used;
	f->blobs->used += bytes;
	return at;
}

static void *blob_copy(struct dt_facts *f, const void *from, size_t bytes)
{
	void *at = blob(f, bytes);
	if (at)
		memcpy(at, from, bytes);
	return at;
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
	for (struct blob_chunk *chunk = f->blobs, *next; chunk; chunk = next) {
		next = chunk->next;
		alloc->resize(alloc, chunk, sizeof *chunk + chunk->bytes, 0);
	}
	dt_vec_fini(&f->modules, alloc);
	dt_vec_fini(&f->threads, alloc);
	dt_vec_fini(&f->segments, alloc);
	dt_vec_fini(&f->stacks, alloc);
	dt_vec_fini(&f->locks, alloc);
	dt_vec_fini(&f->acqs, alloc);
	dt_vec_fini(&f->unsettled, alloc);
	dt_vec_fini(&f->early, alloc);
	dt_vec_fini(&f->names, alloc);
	dt_vec_fini(&f->visited, alloc);
	dt_vec_fini(&f->stack, alloc);
	struct dt_idmap *maps[] = {&f->module_ids, &f->thread_ids, &f->segment_ids,
	                           &f->stack_ids,  &f->lock_ids,   &f->acq_ids};
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

/* A record as large as its struct, at least. */
#define AS(type, rec, bytes) ((bytes) >= sizeof(struct type) ? (const struct type *)(rec) : NULL)

/* A new element with a new id, or the error. */
#define NEW(f, table, map, new_id, element)                                                                  \
	do {                                                                                                 \
		if (!(new_id) || dt_idmap_find(&(f)->map, (new_id)))                                         \
			return DT_ERR_CORRUPT;                                                               \
		(element) = dt_vec_push(&(f)->table, (f)->alloc);                                            \
		if (!(element))                                                                              \
			return DT_ERR_NOMEM;                                                                 \
		if (!dt_idmap_add(&(f)->map, (f)->alloc, (new_id), (f)->table.count)) {                      \
			(f)->table.count--;                                                                  \
			return DT_ERR_NOMEM;                                                                 \
		}                                                                                            \
	} while (0)

static enum dt_err add_process(struct dt_facts *f, const struct dt_rec_process *rec, size_t bytes)
{
	if (rec->text_bytes > bytes - sizeof *rec || rec->argc > rec->text_bytes)
		return DT_ERR_CORRUPT;
	if (!rec->text_bytes)
		return DT_OK;
	char *text = blob_copy(f, rec + 1, rec->text_bytes);
	const char **argv = blob(f, (rec->argc + 1) * sizeof *argv);
	if (!text || !argv)
		return DT_ERR_NOMEM;
	if (text[rec->text_bytes - 1])
		return DT_ERR_CORRUPT;
	const char *end = text + rec->text_bytes, *at = text;
	for (uint32_t i = 0; i < rec->argc; i++) {
		if (at >= end)
			return DT_ERR_CORRUPT;
		argv[i] = at;
		at += strlen(at) + 1;
	}
	argv[rec->argc] = NULL;
	f->process.argc = rec->argc;
	f->process.argv = argv;
	f->process.exe = at < end ? at : "";
	return DT_OK;
}

static enum dt_err add_module(struct dt_facts *f, const struct dt_rec_module *rec, size_t bytes)
{
	struct dt_module *m;
	if (!rec->path_bytes || (size_t)rec->path_bytes + rec->build_id_bytes > bytes - sizeof *rec ||
	    ((const char *)(rec + 1))[rec->path_bytes - 1] || rec->start > rec->end)
		return DT_ERR_CORRUPT;
	const char *text = blob_copy(f, rec + 1, (size_t)rec->path_bytes + rec->build_id_bytes);
	if (!text)
		return DT_ERR_NOMEM;
	NEW(f, modules, module_ids, rec->id, m);
	*m = (struct dt_module){rec->id,
	                        text,
	                        (const unsigned char *)text + rec->path_bytes,
	                        rec->build_id_bytes,
	                        rec->bias,
	                        rec->start,
	                        rec->end,
	                        f->order,
	                        UINT32_MAX};
	return DT_OK;
}

static enum dt_err add_thread(struct dt_facts *f, const struct dt_rec_thread *rec)
{
	struct dt_thread *t;
	NEW(f, threads, thread_ids, rec->id, t);
	*t = (struct dt_thread){.id = rec->id,
	                        .parent = rec->parent,
	                        .create_stack = rec->create_stack,
	                        .first_segment = rec->first_segment,
	                        .tid = rec->tid,
	                        .start_function = rec->start_function,
	                        .order = f->order};
	/* Its creator may have named it before it ran. */
	for (uint32_t i = 0; i < f->names.count; i++)
		if (f->names.at[i].id == rec->id)
			t->name = f->names.at[i].name;
	return DT_OK;
}

static enum dt_err add_thread_name(struct dt_facts *f, const struct dt_rec_id *rec, size_t bytes)
{
	uint32_t at = dt_idmap_find(&f->thread_ids, rec->id);
	size_t room = bytes - sizeof *rec;
	const char *name = (const char *)(rec + 1);
	if (!room || !memchr(name, '\0', room))
		return DT_ERR_CORRUPT;
	const char *copy = blob_copy(f, name, strlen(name) + 1);
	if (!copy)
		return DT_ERR_NOMEM;
	if (at) {
		f->threads.at[at - 1].name = copy;
		return DT_OK;
	}
	if (f->names.count == EARLY_NAMES_MAX)
		return DT_OK;
	struct thread_name *early = dt_vec_push(&f->names, f->alloc);
	if (!early)
		return DT_ERR_NOMEM;
	*early = (struct thread_name){rec->id, copy};
	return DT_OK;
}

static enum dt_err add_segment(struct dt_facts *f, const struct dt_rec_segment *rec)
{
	if (rec->pred >= rec->id)
		return DT_ERR_CORRUPT;
	uint32_t at = dt_idmap_find(&f->segment_ids, rec->id);
	struct dt_segment *s;
	if (!at) {
		NEW(f, segments, segment_ids, rec->id, s);
		s->id = rec->id;
		s->thread = rec->thread;
	} else {
		s = &f->segments.at[at - 1];
	}
	if (!rec->pred)
		return DT_OK;
	uint32_t n = s->pred_count;
	if ((n & (n - 1)) == 0) { /* full at every power of two, and at none */
		uint32_t *more = blob(f, (n ? 2 * (size_t)n : 1) * sizeof *more);
		if (!more)
			return DT_ERR_NOMEM;
		if (n)
			memcpy(more, s->preds, n * sizeof *more);
		s->preds = more;
	}
	s->preds[s->pred_count++] = rec->pred;
	return DT_OK;
}

static enum dt_err add_stack(struct dt_facts *f, const struct dt_rec_stack *rec, size_t bytes)
{
	struct dt_stack *s;
	if (rec->count > (bytes - sizeof *rec) / 8 || rec->exact > rec->count)
		return DT_ERR_CORRUPT;
	const uint64_t *pcs = blob_copy(f, rec + 1, rec->count * sizeof *pcs);
	if (!pcs)
		return DT_ERR_NOMEM;
	NEW(f, stacks, stack_ids, rec->id, s);
	*s = (struct dt_stack){rec->id, rec->count, rec->exact, rec->head.flags, f->order, pcs};
	return DT_OK;
}

static enum dt_err add_lock(struct dt_facts *f, const struct dt_rec_lock *rec)
{
	struct dt_lock *l;
	if (!rec->kind || rec->kind >= DT_LOCK_KINDS || rec->place > DT_PLACE_SHARED)
		return DT_ERR_CORRUPT;
	NEW(f, locks, lock_ids, rec->id, l);
	*l = (struct dt_lock){rec->id,
	                      rec->kind,
	                      rec->place,
	                      rec->head.flags,
	                      rec->address,
	                      rec->block,
	                      rec->block_bytes,
	                      rec->alloc_stack,
	                      rec->init_stack,
	                      rec->first_stack,
	                      rec->thread,
	                      f->order,
	                      false};
	return DT_OK;
}

static enum dt_err add_acq(struct dt_facts *f, const struct dt_rec_acq *rec)
{
	struct dt_acq *a;
	if (!rec->op || rec->op >= DT_OPS || rec->mode > DT_MODE_SHARED || rec->wait > DT_WAIT_TRY ||
	    rec->parent == rec->id)
		return DT_ERR_CORRUPT;
	uint32_t *unsettled = dt_vec_push(&f->unsettled, f->alloc);
	if (!unsettled)
		return DT_ERR_NOMEM;
	f->unsettled.count--;
	NEW(f, acqs, acq_ids, rec->id, a);
	*a = (struct dt_acq){rec->id,   rec->parent, rec->lock, rec->stack, rec->op,
	                     rec->mode, rec->wait,   0,         NULL,       0};
	f->unsettled.at[f->unsettled.count++] = f->acqs.count - 1;
	return DT_OK;
}

static enum dt_err see(struct dt_facts *f, struct dt_acq *a, uint32_t segment)
{
	for (uint32_t i = 0; i < a->segment_count; i++)
		if (a->segments[i] == segment)
			return DT_OK;
	uint32_t n = a->segment_count;
	if ((n & (n - 1)) == 0) {
		uint32_t *more = blob(f, (n ? 2 * (size_t)n : 1) * sizeof *more);
		if (!more)
			return DT_ERR_NOMEM;
		if (n)
			memcpy(more, a->segments, n * sizeof *more);
		a->segments = more;
	}
	a->segments[a->segment_count++] = segment;
	return DT_OK;
}

static enum dt_err add_sighting(struct dt_facts *f, const struct dt_rec_sighting *rec)
{
	if (!rec->acq || !rec->segment)
		return DT_ERR_CORRUPT;
	uint32_t at = dt_idmap_find(&f->acq_ids, rec->acq);
	if (at)
		return see(f, &f->acqs.at[at - 1], rec->segment);
	struct sighting *early = dt_vec_push(&f->early, f->alloc);
	if (!early)
		return DT_ERR_NOMEM;
	*early = (struct sighting){rec->acq, rec->segment};
	return DT_OK;
}

static enum dt_err add_end(struct dt_facts *f, const struct dt_rec_id *rec)
{
	uint32_t at;
	if (rec->head.type == DT_REC_LOCK_END && (at = dt_idmap_find(&f->lock_ids, rec->id)))
		f->locks.at[at - 1].ended = true;
	if (rec->head.type == DT_REC_THREAD_END && (at = dt_idmap_find(&f->thread_ids, rec->id)))
		f->threads.at[at - 1].ended = true;
	if (rec->head.type == DT_REC_MODULE_END && (at = dt_idmap_find(&f->module_ids, rec->id)))
		f->modules.at[at - 1].order_end = f->order;
	return DT_OK;
}

static enum dt_err add_exit(struct dt_facts *f, const struct dt_rec_exit *rec)
{
	f->process.exited = true;
	f->process.status = rec->status;
	return DT_OK;
}

static enum dt_err add_any(struct dt_facts *f, const struct dt_rec *rec, size_t bytes)
{
	static const size_t sizes[DT_REC_TYPES] = {
	    [DT_REC_PROCESS] = sizeof(struct dt_rec_process),
	    [DT_REC_MODULE] = sizeof(struct dt_rec_module),
	    [DT_REC_MODULE_END] = sizeof(struct dt_rec_id),
	    [DT_REC_THREAD] = sizeof(struct dt_rec_thread),
	    [DT_REC_THREAD_NAME] = sizeof(struct dt_rec_id),
	    [DT_REC_THREAD_END] = sizeof(struct dt_rec_id),
	    [DT_REC_SEGMENT] = sizeof(struct dt_rec_segment),
	    [DT_REC_STACK] = sizeof(struct dt_rec_stack),
	    [DT_REC_LOCK] = sizeof(struct dt_rec_lock),
	    [DT_REC_LOCK_END] = sizeof(struct dt_rec_id),
	    [DT_REC_ACQ] = sizeof(struct dt_rec_acq),
	    [DT_REC_SIGHTING] = sizeof(struct dt_rec_sighting),
	    [DT_REC_EXIT] = sizeof(struct dt_rec_exit),
	    [DT_REC_EXEC] = sizeof(struct dt_rec),
	};
	if (rec->type < DT_REC_TYPES && bytes < sizes[rec->type])
		return DT_ERR_CORRUPT;
	switch (rec->type) {
	case DT_REC_RESERVED:
		f->unfinished++;
		return DT_OK;
	case DT_REC_PROCESS:
		return add_process(f, (const void *)rec, bytes);
	case DT_REC_MODULE:
		return add_module(f, (const void *)rec, bytes);
	case DT_REC_THREAD:
		return add_thread(f, (const void *)rec);
	case DT_REC_THREAD_NAME:
		return add_thread_name(f, (const void *)rec, bytes);
	case DT_REC_MODULE_END:
	case DT_REC_THREAD_END:
	case DT_REC_LOCK_END:
		return add_end(f, (const void *)rec);
	case DT_REC_SEGMENT:
		return add_segment(f, (const void *)rec);
	case DT_REC_STACK:
		return add_stack(f, (const void *)rec, bytes);
	case DT_REC_LOCK:
		return add_lock(f, (const void *)rec);
	case DT_REC_ACQ:
		return add_acq(f, (const void *)rec);
	case DT_REC_SIGHTING:
		return add_sighting(f, (const void *)rec);
	case DT_REC_EXIT:
		return add_exit(f, (const void *)rec);
	case DT_REC_EXEC:
		f->process.execed = true;
		return DT_OK;
	default:
		return DT_OK; /* of a later version of the same format */
	}
}

enum dt_err dt_facts_add(struct dt_facts *f, const struct dt_rec *rec, size_t bytes)
{
	if (bytes < sizeof *rec || !rec->words || rec->words > bytes / 8)
		return DT_ERR_CORRUPT;
	f->order++;
	return add_any(f, rec, (size_t)rec->words * 8);
}

/* Depths for one acquisition and the parents it needs; the walk is as long as the held stack. */
static bool settle_one(struct dt_facts *f, uint32_t index)
{
	uint32_t at = index, steps = 0;
	f->stack.count = 0;
	while (!f->acqs.at[at].depth) {
		const struct dt_acq *a = &f->acqs.at[at];
		uint32_t *on_path = dt_vec_push(&f->stack, f->alloc);
		if (!on_path || ++steps > f->acqs.count)
			return false;
		*on_path = at;
		if (a->op != DT_OP_JOIN && !dt_idmap_find(&f->lock_ids, a->lock))
			return false;
		if (!a->parent) {
			f->acqs.at[at].depth = 1;
			f->stack.count--;
			break;
		}
		uint32_t parent = dt_idmap_find(&f->acq_ids, a->parent);
		if (!parent)
			return false;
		at = parent - 1;
	}
	uint32_t depth = f->acqs.at[at].depth;
	while (f->stack.count)
		f->acqs.at[f->stack.at[--f->stack.count]].depth = ++depth;
	return true;
}

enum dt_err dt_facts_settle(struct dt_facts *f)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < f->early.count; i++) {
		uint32_t at = dt_idmap_find(&f->acq_ids, f->early.at[i].acq);
		if (!at)
			f->early.at[kept++] = f->early.at[i];
		else if (see(f, &f->acqs.at[at - 1], f->early.at[i].segment) != DT_OK)
			return DT_ERR_NOMEM;
	}
	f->early.count = kept;
	kept = 0;
	for (uint32_t i = 0; i < f->unsettled.count; i++)
		if (!settle_one(f, f->unsettled.at[i]))
			f->unsettled.at[kept++] = f->unsettled.at[i];
	f->unsettled.count = kept;
	return DT_OK;
}

const struct dt_process *dt_facts_process(const struct dt_facts *f)
{
	return &f->process;
}

uint64_t dt_facts_counter(const struct dt_facts *f, enum dt_counter counter)
{
	return (unsigned)counter < DT_COUNTERS ? f->counters[counter] : 0;
}

uint64_t dt_facts_unfinished(const struct dt_facts *f)
{
	return f->unfinished;
}

uint64_t dt_facts_dangling(const struct dt_facts *f)
{
	return (uint64_t)f->unsettled.count + f->early.count;
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

/* Two threads that meet a new module at once may log its record behind the first use: a module
 * that came a little later counts when none was there yet. */
const struct dt_module *dt_facts_module_at(const struct dt_facts *f, uint64_t address, uint32_t order)
{
	const struct dt_module *later = NULL;
	for (uint32_t i = 0; i < f->modules.count; i++) {
		const struct dt_module *m = &f->modules.at[i];
		if (address < m->start || address >= m->end || m->order_end < order)
			continue;
		if (m->order_begin <= order)
			return m;
		if (!later)
			later = m;
	}
	return later;
}

static bool search(struct dt_facts *f, uint32_t a, uint32_t b)
{
	while (f->visited.count < f->segments.count)
		if (!dt_vec_push(&f->visited, f->alloc))
			return true; /* no memory: ordered is the answer that raises no false alarm */
	f->visit++;
	f->stack.count = 0;
	uint32_t *top = dt_vec_push(&f->stack, f->alloc);
	if (!top)
		return true;
	*top = b;
	while (f->stack.count) {
		uint32_t at = dt_idmap_find(&f->segment_ids, f->stack.at[--f->stack.count]);
		if (!at || f->visited.at[at - 1] == f->visit)
			continue;
		f->visited.at[at - 1] = f->visit;
		const struct dt_segment *s = &f->segments.at[at - 1];
		for (uint32_t i = 0; i < s->pred_count; i++) {
			if (s->preds[i] == a)
				return true;
			if (s->preds[i] < a)
				continue;
			if (!(top = dt_vec_push(&f->stack, f->alloc)))
				return true;
			*top = s->preds[i];
		}
	}
	return false;
}

bool dt_facts_happens_before(struct dt_facts *f, uint32_t a, uint32_t b)
{
	if (a >= b)
		return a == b;
	uint32_t slot = (a * 0x9e3779b1u ^ b * 0x85ebca6bu) >> 22;
	if (f->memo[slot].a != a || f->memo[slot].b != b) {
		bool before = search(f, a, b);
		f->memo[slot].a = a;
		f->memo[slot].b = b;
		f->memo[slot].before = before;
	}
	return f->memo[slot].before;
}
