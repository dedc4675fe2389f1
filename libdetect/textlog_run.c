/* textlog_run.c: what a thread's line does to the run, and what the shim would record of it. */
#include "textlog_run.h"

static const struct dt_run_how plain = {DT_MODE_EXCLUSIVE, DT_WAIT_FOREVER};

static const char *name_of(const struct dt_run *run, uint32_t thread)
{
	return run->threads.at[thread].name;
}

/* Segments. A meeting point is one of thread 0; the id of a thread is its number + 1. */
static enum dt_err add_order(struct dt_run *run, uint32_t segment, uint32_t thread_id, uint32_t pred)
{
	struct dt_rec_segment rec = {
	    .head = {.type = DT_REC_SEGMENT}, .id = segment, .thread = thread_id, .pred = pred};

	return dt_log_buffer_add(&run->log, &rec, sizeof rec, NULL, 0);
}

enum dt_err dt_run_next_segment(struct dt_run *run, uint32_t thread, uint32_t pred)
{
	struct dt_run_thread *t = &run->threads.at[thread];
	uint32_t last = t->segment;

	t->segment = ++run->segments;
	enum dt_err err = add_order(run, t->segment, thread + 1, last);
	return err || !pred ? err : add_order(run, t->segment, thread + 1, pred);
}

static enum dt_err register_thread(struct dt_run *run, const char *name, const struct dt_rec_thread *start,
                                   uint32_t pred, uint32_t *thread)
{
	struct dt_run_thread *t = dt_vec_push(&run->threads, run->alloc);

	if (!t)
		return DT_ERR_NOMEM;
	*thread = run->threads.count - 1;
	t->name = name;
	t->segment = ++run->segments;
	struct dt_rec_thread rec = *start;
	rec.head.type = DT_REC_THREAD;
	rec.id = *thread + 1;
	rec.tid = (int32_t)rec.id;
	rec.first_segment = t->segment;
	enum dt_err err = add_order(run, t->segment, rec.id, pred);
	return err ? err : dt_log_buffer_add(&run->log, &rec, sizeof rec, NULL, 0);
}

enum dt_err dt_run_add_thread(struct dt_run *run, const char *name, uint32_t *thread)
{
	return register_thread(run, name, &(struct dt_rec_thread){.id = 0}, 0, thread);
}

enum dt_err dt_run_stack_of(struct dt_run *run, uint32_t thread, uint32_t *stack)
{
	const struct dt_run_thread *t = &run->threads.at[thread];
	uint64_t pc;

	*stack = t->has_line_stack ? t->line_stack : t->stack;
	if (t->has_line_stack || t->has_stack)
		return DT_OK;
	enum dt_err err = dt_run_place(run, NULL, &pc);
	return err ? err : dt_run_stack(run, &pc, 1, stack);
}

/* May `thread` have it now? */
static enum dt_err check_free(struct dt_run *run, uint32_t thread, uint32_t object, enum dt_mode mode)
{
	const struct dt_run_object *o = &run->objects.at[object];

	if ((o->flags & DT_LOCK_CLASS) || o->kind == DT_LOCK_SEM)
		return DT_OK;
	if (o->writer != DT_NOBODY)
		return dt_run_refuse(run, name_of(run, thread), " can't get ", o->name, ": it is held by ",
		                     name_of(run, o->writer), NULL);
	if (mode == DT_MODE_EXCLUSIVE && o->holders)
		return dt_run_refuse(run, name_of(run, thread), " can't get ", o->name,
		                     ": it is held for reading", NULL);
	return DT_OK;
}

static enum dt_err take(struct dt_run *run, uint32_t thread, const struct dt_run_held *held)
{
	struct dt_run_object *o = &run->objects.at[held->object];
	enum dt_err err = check_free(run, thread, held->object, held->how.mode);

	if (err)
		return err;
	o->holders++;
	if (held->how.mode == DT_MODE_EXCLUSIVE)
		o->writer = thread;
	return dt_run_push(run, thread, held);
}

static void give_up(struct dt_run *run, uint32_t thread, uint32_t index)
{
	const struct dt_run_held *held = &run->threads.at[thread].held.at[index];
	struct dt_run_object *o = &run->objects.at[held->object];

	o->holders--;
	o->writer = DT_NOBODY;
	dt_run_remove(run, thread, index);
}

static enum dt_err finish_join(struct dt_run *run, uint32_t thread)
{
	uint32_t joined = run->threads.at[thread].joined;
	enum dt_run_state *state = &run->threads.at[joined].state;

	if (*state != DT_RUN_FREE && *state != DT_RUN_GONE)
		return dt_run_refuse(run, name_of(run, thread), " can't have joined ", name_of(run, joined),
		                     ", which waits", NULL);
	*state = DT_RUN_GONE;
	return dt_run_next_segment(run, thread, run->threads.at[joined].segment);
}

enum dt_err dt_run_resume(struct dt_run *run, uint32_t thread)
{
	struct dt_run_thread *t = &run->threads.at[thread];
	enum dt_run_state was = t->state;

	switch (was) {
	case DT_RUN_FREE:
		return DT_OK;
	case DT_RUN_WANTS:
		if (t->next.how.wait == DT_WAIT_FOREVER)
			return dt_run_refuse(run, t->name, " still wants ",
			                     run->objects.at[t->next.object].name, NULL);
		break;
	case DT_RUN_AT_BARRIER:
		return dt_run_refuse(run, t->name, " waits at a barrier", NULL);
	case DT_RUN_GONE:
		return dt_run_refuse(run, t->name, " has ended", NULL);
	case DT_RUN_WAITS:
	case DT_RUN_JOINS:
		break;
	}
	t->state = DT_RUN_FREE;
	if (was == DT_RUN_WAITS)
		return take(run, thread, &t->next);
	return was == DT_RUN_JOINS ? finish_join(run, thread) : DT_OK;
}

/* It has it already and only counts how often. */
static struct dt_run_held *relock(struct dt_run *run, uint32_t thread, uint32_t object, enum dt_mode mode)
{
	uint32_t index = dt_run_held(run, thread, object);
	const struct dt_run_object *o = &run->objects.at[object];

	if (index == DT_NOBODY)
		return NULL;
	struct dt_run_held *held = &run->threads.at[thread].held.at[index];
	bool again = o->kind == DT_LOCK_MUTEX ? (o->flags & DT_LOCK_RECURSIVE) != 0
	                                      : mode == DT_MODE_SHARED && held->how.mode == DT_MODE_SHARED;
	return again ? held : NULL;
}

enum dt_err dt_run_want(struct dt_run *run, uint32_t thread, uint32_t object, struct dt_run_how how)
{
	struct dt_run_held wanted = {.object = object, .how = how};

	if (relock(run, thread, object, how.mode))
		return DT_OK;
	enum dt_err err = dt_run_stack_of(run, thread, &wanted.stack);
	err = err ? err : dt_run_object_id(run, object, wanted.stack, &wanted.id);
	err = err ? err : dt_run_signals(run, thread, &wanted);
	err = err ? err : dt_run_act(run, thread, DT_OP_ACQUIRE, wanted.id, how, wanted.stack, &wanted.acq);
	run->threads.at[thread].next = wanted;
	run->threads.at[thread].state = DT_RUN_WANTS;
	return err;
}

/* Is this what the thread wants since an earlier line? A bare `got` is any. */
static bool is_wanted(const struct dt_run_thread *t, uint32_t object, struct dt_run_how how)
{
	bool bare = how.mode == plain.mode && how.wait == plain.wait;

	return t->state == DT_RUN_WANTS && t->next.object == object &&
	       (bare || (t->next.how.mode == how.mode && t->next.how.wait == how.wait));
}

enum dt_err dt_run_got(struct dt_run *run, uint32_t thread, uint32_t object, struct dt_run_how how)
{
	struct dt_run_thread *t = &run->threads.at[thread];
	enum dt_err err = DT_OK;

	if (!is_wanted(t, object, how)) {
		err = dt_run_resume(run, thread);
		struct dt_run_held *held = err ? NULL : relock(run, thread, object, how.mode);
		if (held)
			held->relocks++;
		if (err || held)
			return err;
		err = dt_run_want(run, thread, object, how);
	}
	if (err)
		return err;
	t->state = DT_RUN_FREE;
	return take(run, thread, &t->next);
}

enum dt_err dt_run_release(struct dt_run *run, uint32_t thread, uint32_t object)
{
	uint32_t index = dt_run_held(run, thread, object);

	if (index == DT_NOBODY)
		return dt_run_refuse(run, name_of(run, thread), " does not hold ",
		                     run->objects.at[object].name, NULL);
	if (run->threads.at[thread].held.at[index].relocks)
		run->threads.at[thread].held.at[index].relocks--;
	else
		give_up(run, thread, index);
	return DT_OK;
}

enum dt_err dt_run_create(struct dt_run *run, uint32_t thread, const char *name, const char *function)
{
	struct dt_rec_thread start = {.parent = thread + 1};
	uint32_t child;

	if (dt_run_find_thread(run, name) != DT_NOBODY)
		return dt_run_refuse(run, name, " is there already", NULL);
	enum dt_err err = dt_run_stack_of(run, thread, &start.create_stack);
	err = err ? err : dt_run_use_stack(run, start.create_stack);
	if (!err && function)
		err = dt_run_place(run, function, &start.start_function);
	err = err ? err : register_thread(run, name, &start, run->threads.at[thread].segment, &child);
	if (!err)
		run->threads.at[child].blocked = run->threads.at[thread].blocked;
	return err ? err : dt_run_next_segment(run, thread, 0);
}

enum dt_err dt_run_join(struct dt_run *run, uint32_t thread, uint32_t joined, struct dt_run_how how)
{
	uint32_t stack, acq;

	if (thread == joined)
		return dt_run_refuse(run, name_of(run, thread), " can't join itself", NULL);
	enum dt_err err = dt_run_stack_of(run, thread, &stack);
	err = err ? err : dt_run_act(run, thread, DT_OP_JOIN, joined + 1, how, stack, &acq);
	run->threads.at[thread].state = DT_RUN_JOINS;
	run->threads.at[thread].joined = joined;
	return err;
}

/* The mutex is released, the wait is recorded under what stays held, and so is that the mutex is
 * wanted again. */
enum dt_err dt_run_wait(struct dt_run *run, uint32_t thread, uint32_t cond, uint32_t mutex,
                        struct dt_run_how how)
{
	struct dt_run_thread *t = &run->threads.at[thread];
	struct dt_run_held again = {.object = mutex, .how = plain};
	uint32_t index = dt_run_held(run, thread, mutex), id, acq;

	if (index == DT_NOBODY)
		return dt_run_refuse(run, t->name, " does not hold ", run->objects.at[mutex].name, NULL);
	again.id = t->held.at[index].id;
	again.relocks = t->held.at[index].relocks;
	give_up(run, thread, index);
	enum dt_err err = dt_run_stack_of(run, thread, &again.stack);
	err = err ? err : dt_run_object_id(run, cond, again.stack, &id);
	err = err ? err : dt_run_act(run, thread, DT_OP_COND_WAIT, id, how, again.stack, &acq);
	err = err ? err : dt_run_signals(run, thread, &again);
	err = err ? err : dt_run_act(run, thread, DT_OP_ACQUIRE, again.id, plain, again.stack, &again.acq);
	t->next = again;
	t->state = DT_RUN_WAITS;
	return err;
}

/* A call at an object that does not wait for a lock. */
static enum dt_err act_at(struct dt_run *run, uint32_t thread, enum dt_op op, uint32_t object)
{
	uint32_t stack, id, acq;
	enum dt_err err = dt_run_stack_of(run, thread, &stack);

	err = err ? err : dt_run_object_id(run, object, stack, &id);
	return err ? err : dt_run_act(run, thread, op, id, plain, stack, &acq);
}

enum dt_err dt_run_signal(struct dt_run *run, uint32_t thread, uint32_t cond)
{
	return act_at(run, thread, DT_OP_COND_SIGNAL, cond);
}

enum dt_err dt_run_await(struct dt_run *run, uint32_t thread, uint32_t sem, struct dt_run_how how)
{
	uint32_t stack, id, acq;
	enum dt_err err = dt_run_stack_of(run, thread, &stack);

	err = err ? err : dt_run_object_id(run, sem, stack, &id);
	return err ? err : dt_run_act(run, thread, DT_OP_SEM_WAIT, id, how, stack, &acq);
}

/* Who posts what it does not hold has made a signal of it. */
enum dt_err dt_run_post(struct dt_run *run, uint32_t thread, uint32_t sem)
{
	struct dt_rec_id rec = {.head = {.type = DT_REC_SEM_SIGNAL}};

	if (dt_run_held(run, thread, sem) != DT_NOBODY)
		return dt_run_release(run, thread, sem);
	enum dt_err err = act_at(run, thread, DT_OP_SEM_POST, sem);
	rec.id = run->objects.at[sem].id;
	return err || !run->objects.at[sem].units ? err : dt_log_buffer_add(&run->log, &rec, sizeof rec, NULL, 0);
}

/* The last has arrived. */
static enum dt_err end_round(struct dt_run *run, struct dt_run_object *barrier)
{
	uint32_t meeting = ++run->segments;
	enum dt_err err = DT_OK;

	for (uint32_t i = 0; !err && i < barrier->arrived.count; i++)
		err = add_order(run, meeting, 0, run->threads.at[barrier->arrived.at[i]].segment);
	for (uint32_t i = 0; !err && i < barrier->arrived.count; i++) {
		run->threads.at[barrier->arrived.at[i]].state = DT_RUN_FREE;
		err = dt_run_next_segment(run, barrier->arrived.at[i], meeting);
	}
	barrier->arrived.count = 0;
	return err;
}

enum dt_err dt_run_barrier(struct dt_run *run, uint32_t thread, uint32_t barrier)
{
	enum dt_err err = act_at(run, thread, DT_OP_BARRIER_WAIT, barrier);

	if (err)
		return err;
	struct dt_run_object *o = &run->objects.at[barrier];
	uint32_t *arrived = dt_vec_push(&o->arrived, run->alloc);
	if (!arrived)
		return DT_ERR_NOMEM;
	*arrived = thread;
	run->threads.at[thread].state = DT_RUN_AT_BARRIER;
	return o->arrived.count == o->barrier_count ? end_round(run, o) : DT_OK;
}

enum dt_err dt_run_once(struct dt_run *run, uint32_t thread, uint32_t once)
{
	struct dt_run_object *o = &run->objects.at[once];
	enum dt_err err = DT_OK;

	if (!o->meeting) {
		o->meeting = ++run->segments;
		err = add_order(run, o->meeting, 0, run->threads.at[thread].segment);
	}
	return err ? err : dt_run_next_segment(run, thread, o->meeting);
}

enum dt_err dt_run_destroy(struct dt_run *run, uint32_t thread, uint32_t object)
{
	struct dt_run_object *o = &run->objects.at[object];
	struct dt_rec_id rec = {.head = {.type = DT_REC_LOCK_END}, .id = o->id};

	if (o->holders || o->arrived.count)
		return dt_run_refuse(run, name_of(run, thread), " can't destroy ", o->name, ": it is in use",
		                     NULL);
	if (!o->id)
		return DT_OK;
	o->id = 0;
	o->meeting = 0;
	return dt_log_buffer_add(&run->log, &rec, sizeof rec, NULL, 0);
}

enum dt_err dt_run_name(struct dt_run *run, uint32_t thread, const char *name)
{
	struct dt_rec_id rec = {.head = {.type = DT_REC_THREAD_NAME}, .id = thread + 1};

	return dt_log_buffer_add(&run->log, &rec, sizeof rec, name, strlen(name) + 1);
}

enum dt_err dt_run_exit(struct dt_run *run, uint32_t thread)
{
	struct dt_rec_id rec = {.head = {.type = DT_REC_THREAD_END}, .id = thread + 1};

	run->threads.at[thread].state = DT_RUN_GONE;
	return dt_log_buffer_add(&run->log, &rec, sizeof rec, NULL, 0);
}
