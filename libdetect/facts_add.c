/* facts_add.c: one record into the tables, or a refusal.
 *
 * A record may lie in memory that another process writes to: its head is loaded once, and text is
 * checked where it was copied to, not where it came from. */
#include "facts_add.h"

char *dt_facts_copy(struct dt_facts *f, const void *rest, size_t bytes)
{
	char *copy = dt_facts_blob(f, bytes);

	return copy ? memcpy(copy, rest, bytes) : NULL;
}

/* argc strings and the name of the executable file behind them. */
static enum dt_err split_arguments(struct dt_facts *f, const char *text, const char *end, uint32_t argc)
{
	const char **argv = dt_facts_blob(f, (argc + (size_t)1) * sizeof *argv);

	if (!argv)
		return DT_ERR_NOMEM;
	for (uint32_t i = 0; i < argc; i++) {
		if (text >= end)
			return DT_ERR_CORRUPT;
		argv[i] = text;
		text += strlen(text) + 1;
	}
	argv[argc] = NULL;
	f->process.argc = argc;
	f->process.argv = argv;
	f->process.exe = text < end ? text : "";
	return DT_OK;
}

static enum dt_err add_process(struct dt_facts *f, const void *at, struct dt_rec head, size_t bytes)
{
	const struct dt_rec_process rec = *(const struct dt_rec_process *)at;

	(void)head;
	if (rec.text_bytes > bytes - sizeof rec || rec.argc > rec.text_bytes || f->process.argv)
		return DT_ERR_CORRUPT;
	if (!rec.text_bytes)
		return DT_OK;
	const char *text = dt_facts_copy(f, (const char *)at + sizeof rec, rec.text_bytes);
	if (!text)
		return DT_ERR_NOMEM;
	if (text[rec.text_bytes - 1])
		return DT_ERR_CORRUPT;
	return split_arguments(f, text, text + rec.text_bytes, rec.argc);
}

static enum dt_err add_module(struct dt_facts *f, const void *at, struct dt_rec head, size_t bytes)
{
	const struct dt_rec_module rec = *(const struct dt_rec_module *)at;
	struct dt_module *m;
	size_t text_bytes = (size_t)rec.path_bytes + rec.build_id_bytes;

	(void)head;
	if (!rec.path_bytes || text_bytes > bytes - sizeof rec || rec.start > rec.end)
		return DT_ERR_CORRUPT;
	const char *text = dt_facts_copy(f, (const char *)at + sizeof rec, text_bytes);
	if (!text)
		return DT_ERR_NOMEM;
	if (text[rec.path_bytes - 1])
		return DT_ERR_CORRUPT;
	NEW(f, modules, module_ids, rec.id, m);
	*m = (struct dt_module){
	    .id = rec.id,
	    .path = text,
	    .build_id = (const unsigned char *)text + rec.path_bytes,
	    .build_id_bytes = rec.build_id_bytes,
	    .bias = rec.bias,
	    .start = rec.start,
	    .end = rec.end,
	    .order_begin = f->order,
	    .order_end = UINT32_MAX,
	};
	return DT_OK;
}

static enum dt_err add_thread(struct dt_facts *f, const void *at, struct dt_rec head, size_t bytes)
{
	const struct dt_rec_thread rec = *(const struct dt_rec_thread *)at;
	struct dt_thread *t;

	(void)head;
	(void)bytes;
	NEW(f, threads, thread_ids, rec.id, t);
	*t = (struct dt_thread){
	    .id = rec.id,
	    .parent = rec.parent,
	    .create_stack = rec.create_stack,
	    .first_segment = rec.first_segment,
	    .tid = rec.tid,
	    .start_function = rec.start_function,
	    .order = f->order,
	};
	return DT_OK;
}

static enum dt_err add_segment(struct dt_facts *f, const void *at, struct dt_rec head, size_t bytes)
{
	const struct dt_rec_segment rec = *(const struct dt_rec_segment *)at;
	uint32_t known = dt_idmap_find(&f->segment_ids, rec.id);
	struct dt_segment *s;

	(void)head;
	(void)bytes;
	if (rec.pred >= rec.id || rec.thread > DT_ID_MAX)
		return DT_ERR_CORRUPT;
	if (known) {
		s = &f->segments.at[known - 1];
		if (s->thread != rec.thread)
			return DT_ERR_CORRUPT;
	} else {
		NEW(f, segments, segment_ids, rec.id, s);
		s->id = rec.id;
		s->thread = rec.thread;
	}
	dt_order_changed(&f->before, rec.id);
	if (rec.pred && !dt_facts_list_push(f, &s->preds, &s->pred_count, rec.pred))
		return DT_ERR_NOMEM;
	return DT_OK;
}

static enum dt_err add_stack(struct dt_facts *f, const void *at, struct dt_rec head, size_t bytes)
{
	const struct dt_rec_stack rec = *(const struct dt_rec_stack *)at;
	struct dt_stack *s;

	if (rec.count > (bytes - sizeof rec) / sizeof *s->pc || rec.exact > rec.count)
		return DT_ERR_CORRUPT;
	(void)head;
	const char *kept = dt_facts_keep(f, at, sizeof rec + rec.count * sizeof *s->pc);
	if (!kept)
		return DT_ERR_NOMEM;
	NEW(f, stacks, stack_ids, rec.id, s);
	*s = (struct dt_stack){
	    .pc = (const void *)(kept + sizeof rec),
	    .order = f->order,
	    .count = rec.count,
	    .exact = rec.exact,
	};
	return DT_OK;
}

static enum dt_err add_lock(struct dt_facts *f, const void *at, struct dt_rec head, size_t bytes)
{
	const struct dt_rec_lock rec = *(const struct dt_rec_lock *)at;
	struct dt_lock *l;

	(void)bytes;
	if (!rec.kind || rec.kind >= DT_LOCK_KINDS || rec.place > DT_PLACE_SHARED)
		return DT_ERR_CORRUPT;
	const void *kept = dt_facts_keep(f, at, sizeof rec);
	if (!kept)
		return DT_ERR_NOMEM;
	NEW(f, locks, lock_ids, rec.id, l);
	*l = (struct dt_lock){
	    .made = kept,
	    .id = rec.id,
	    .order = f->order,
	    .units = rec.units,
	    .flags = head.flags,
	    .kind = rec.kind,
	    .place = rec.place,
	};
	return DT_OK;
}

static enum dt_err add_acq(struct dt_facts *f, const void *at, struct dt_rec head, size_t bytes)
{
	const struct dt_rec_acq rec = *(const struct dt_rec_acq *)at;
	struct dt_acq *a;

	(void)head;
	(void)bytes;
	if (!rec.op || rec.op >= DT_OPS || rec.mode > DT_MODE_SHARED || rec.wait > DT_WAIT_TRY ||
	    rec.handler > DT_SIGNAL_MAX || rec.parent == rec.id)
		return DT_ERR_CORRUPT;
	NEW(f, acqs, acq_ids, rec.id, a);
	*a = (struct dt_acq){
	    .id = rec.id,
	    .parent = rec.parent,
	    .lock = rec.lock,
	    .stack = rec.stack,
	    .op = rec.op,
	    .mode = rec.mode,
	    .wait = rec.wait,
	    .handler = rec.handler,
	    .open_signals = rec.open_signals,
	};
	return DT_OK;
}

/* Room for one sighting more: both halves of a list that was full move to one of twice the size. */
static bool grow_sightings(struct dt_facts *f, struct dt_acq *a)
{
	uint32_t count = a->segment_count, room = dt_sightings_room(count + 1);

	if (room == dt_sightings_room(count))
		return true;
	uint32_t *more = dt_facts_blob(f, 2 * (size_t)room * sizeof *more);
	if (!more)
		return false;
	if (count) {
		memcpy(more, a->segments, count * sizeof *more);
		memcpy(more + room, a->segments + count, count * sizeof *more);
	}
	a->segments = more;
	return true;
}

static enum dt_err see(struct dt_facts *f, struct dt_acq *a, uint32_t segment, uint32_t order)
{
	for (uint32_t i = 0; i < a->segment_count; i++)
		if (a->segments[i] == segment)
			return DT_OK;
	if (a->segment_count == DT_SIGHTINGS_MAX) {
		f->sightings_over++;
		return DT_OK;
	}
	if (!grow_sightings(f, a))
		return DT_ERR_NOMEM;
	uint32_t nth = a->segment_count++;
	a->segments[nth] = segment;
	a->segments[dt_sightings_room(a->segment_count) + nth] = order;
	return DT_OK;
}

static void name_thread(struct dt_thread *t, const struct dt_pending *about)
{
	if (t->name && about->order < t->name_order)
		return;
	t->name = about->name;
	t->name_order = about->order;
}

enum dt_err dt_facts_apply(struct dt_facts *f, const struct dt_pending *about, bool *done)
{
	const struct dt_idmap *map = about->type == DT_REC_SIGHTING     ? &f->acq_ids
	                             : about->type == DT_REC_LOCK_END   ? &f->lock_ids
	                             : about->type == DT_REC_SEM_SIGNAL ? &f->lock_ids
	                             : about->type == DT_REC_MODULE_END ? &f->module_ids
	                                                                : &f->thread_ids;
	uint32_t at = dt_idmap_find(map, about->id);

	*done = at && (about->type != DT_REC_SIGHTING || dt_idmap_find(&f->segment_ids, about->segment));
	if (!*done)
		return DT_OK;
	switch (about->type) {
	case DT_REC_SIGHTING:
		return see(f, &f->acqs.at[at - 1], about->segment, about->order);
	case DT_REC_LOCK_END:
		f->locks.at[at - 1].ended = true;
		break;
	case DT_REC_SEM_SIGNAL:
		f->locks.at[at - 1].signal = true;
		break;
	case DT_REC_MODULE_END:
		f->modules.at[at - 1].order_end = about->order;
		break;
	case DT_REC_THREAD_END:
		f->threads.at[at - 1].ended = true;
		break;
	case DT_REC_THREAD_NAME:
		name_thread(&f->threads.at[at - 1], about);
		break;
	}
	return DT_OK;
}

/* Now or, when what it is about is not there yet, later. */
static enum dt_err add_about(struct dt_facts *f, const struct dt_pending *about)
{
	bool done;
	enum dt_err err = dt_facts_apply(f, about, &done);

	if (err || done)
		return err;
	struct dt_pending *pending = dt_vec_push(&f->pending, f->alloc);
	if (!pending)
		return DT_ERR_NOMEM;
	*pending = *about;
	return DT_OK;
}

static enum dt_err add_sighting(struct dt_facts *f, const void *at, struct dt_rec head, size_t bytes)
{
	const struct dt_rec_sighting rec = *(const struct dt_rec_sighting *)at;

	(void)bytes;
	if (!rec.acq || !rec.segment)
		return DT_ERR_CORRUPT;
	return add_about(f, &(struct dt_pending){
	                        .type = head.type, .id = rec.acq, .segment = rec.segment, .order = f->order});
}

static enum dt_err add_end(struct dt_facts *f, const void *at, struct dt_rec head, size_t bytes)
{
	const struct dt_rec_id rec = *(const struct dt_rec_id *)at;

	(void)bytes;
	if (!rec.id)
		return DT_ERR_CORRUPT;
	return add_about(f, &(struct dt_pending){.type = head.type, .id = rec.id, .order = f->order});
}

static enum dt_err add_thread_name(struct dt_facts *f, const void *at, struct dt_rec head, size_t bytes)
{
	const struct dt_rec_id rec = *(const struct dt_rec_id *)at;

	if (!rec.id)
		return DT_ERR_CORRUPT;
	const char *name = dt_facts_copy(f, (const char *)at + sizeof rec, bytes - sizeof rec);
	if (!name)
		return DT_ERR_NOMEM;
	if (!memchr(name, '\0', bytes - sizeof rec))
		return DT_ERR_CORRUPT;
	return add_about(
	    f, &(struct dt_pending){.type = head.type, .id = rec.id, .order = f->order, .name = name});
}

static enum dt_err add_reserved(struct dt_facts *f, const void *at, struct dt_rec head, size_t bytes)
{
	(void)at;
	(void)head;
	(void)bytes;
	f->unfinished++;
	return DT_OK;
}

static enum dt_err add_exit(struct dt_facts *f, const void *at, struct dt_rec head, size_t bytes)
{
	(void)head;
	(void)bytes;
	f->process.exited = true;
	f->process.status = ((const struct dt_rec_exit *)at)->status;
	return DT_OK;
}

static enum dt_err add_exec(struct dt_facts *f, const void *at, struct dt_rec head, size_t bytes)
{
	(void)at;
	(void)head;
	(void)bytes;
	f->process.execed = true;
	return DT_OK;
}

static const struct {
	size_t bytes; /* of its struct */
	enum dt_err (*add)(struct dt_facts *f, const void *at, struct dt_rec head, size_t bytes);
} types[DT_REC_TYPES] = {
    [DT_REC_RESERVED] = {sizeof(struct dt_rec), add_reserved},
    [DT_REC_PROCESS] = {sizeof(struct dt_rec_process), add_process},
    [DT_REC_MODULE] = {sizeof(struct dt_rec_module), add_module},
    [DT_REC_MODULE_END] = {sizeof(struct dt_rec_id), add_end},
    [DT_REC_THREAD] = {sizeof(struct dt_rec_thread), add_thread},
    [DT_REC_THREAD_NAME] = {sizeof(struct dt_rec_id), add_thread_name},
    [DT_REC_THREAD_END] = {sizeof(struct dt_rec_id), add_end},
    [DT_REC_SEGMENT] = {sizeof(struct dt_rec_segment), add_segment},
    [DT_REC_STACK] = {sizeof(struct dt_rec_stack), add_stack},
    [DT_REC_LOCK] = {sizeof(struct dt_rec_lock), add_lock},
    [DT_REC_LOCK_END] = {sizeof(struct dt_rec_id), add_end},
    [DT_REC_ACQ] = {sizeof(struct dt_rec_acq), add_acq},
    [DT_REC_SIGHTING] = {sizeof(struct dt_rec_sighting), add_sighting},
    [DT_REC_EXIT] = {sizeof(struct dt_rec_exit), add_exit},
    [DT_REC_EXEC] = {sizeof(struct dt_rec), add_exec},
    [DT_REC_INCIDENT] = {sizeof(struct dt_rec_incident), dt_facts_add_incident},
    [DT_REC_SEM_SIGNAL] = {sizeof(struct dt_rec_id), add_end},
    [DT_REC_STAT] = {sizeof(struct dt_rec_stat), dt_facts_add_stat},
    [DT_REC_INTERVAL] = {sizeof(struct dt_rec_interval), dt_facts_add_interval},
    [DT_REC_SIGNAL_SET] = {sizeof(struct dt_rec_signal_set), dt_facts_add_signal_set},
    [DT_REC_SHARED] = {sizeof(struct dt_rec_shared), dt_facts_add_shared},
    [DT_REC_FORK] = {sizeof(struct dt_rec_kin), dt_facts_add_kin},
    [DT_REC_REAP] = {sizeof(struct dt_rec_kin), dt_facts_add_kin},
    [DT_REC_UNITS] = {sizeof(struct dt_rec_units), dt_facts_add_units},
    [DT_REC_STATE] = {sizeof(struct dt_rec_state), dt_facts_add_state},
    [DT_REC_RACE] = {sizeof(struct dt_rec_race), dt_facts_add_race},
};

enum dt_err dt_facts_add(struct dt_facts *f, const struct dt_rec *rec, size_t bytes)
{
	struct dt_rec head;

	if (bytes < sizeof head)
		return DT_ERR_CORRUPT;
	uint64_t bits = __atomic_load_n((const uint64_t *)(const void *)rec, __ATOMIC_ACQUIRE);
	memcpy(&head, &bits, sizeof head);
	size_t length = (size_t)head.words * 8;
	if (!head.words || length > bytes || f->order == UINT32_MAX - 1)
		return DT_ERR_CORRUPT;
	f->order++;
	if (head.type >= DT_REC_TYPES) {
		f->unknown++;
		return DT_OK;
	}
	enum dt_err err =
	    length < types[head.type].bytes ? DT_ERR_CORRUPT : types[head.type].add(f, rec, head, length);
	if (err)
		f->order--;
	return err;
}
