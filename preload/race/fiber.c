/* fiber.c: fibers are threads of the engine that take turns on one of the system's: each has its clock, slot,
 * calls and trace. Also the rest of ThreadSanitizer's public interface. */
#include "abi.h"
#include "engine.h"
#include "report.h"
#include "sync.h"
#include "trace.h"

enum { NO_SYNC = 1 };

ABI(void *, __tsan_get_current_fiber, (void))
{
	struct race_hot *hot = race_self();
	return hot ? hot->thread : NULL;
}

ABI(void *, __tsan_create_fiber, (unsigned flags))
{
	(void)flags;
	struct race_hot *hot = race_self();
	if (!hot || hot->busy)
		return NULL;
	race_enter(hot);
	struct race_thread *fiber = race_thread_new(hot->thread->id);
	if (fiber) {
		race_clock_refresh(&hot->thread->clock);
		race_clock_refresh(&hot->thread->must);
		race_clock_copy(&fiber->clock, &hot->thread->clock);
		race_clock_copy(&fiber->must, &hot->thread->must);
		race_slot_take(fiber);
		struct race_hot first = {
		    .stamp = race_stamp(fiber->slot, fiber->epoch), .thread = fiber, .frame = fiber->frames};
		race_trace_begin(&first);
		race_watch(&first);
		fiber->saved = first;
		fiber->live = true;
		race_epoch_next(hot);
	}
	race_leave(hot);
	return fiber;
}

ABI(void, __tsan_switch_to_fiber, (void *to, unsigned flags))
{
	struct race_hot *hot = race_self();
	struct race_thread *fiber = to;
	if (!hot || hot->busy || !fiber || fiber == hot->thread)
		return;
	race_enter(hot);
	struct race_thread *from = hot->thread;
	if (!(flags & NO_SYNC)) {
		race_clock_refresh(&from->clock);
		race_clock_refresh(&from->must);
		race_clock_refresh(&fiber->clock);
		race_clock_refresh(&fiber->must);
		race_clock_join(&fiber->clock, &from->clock);
		race_clock_join(&fiber->must, &from->must);
		race_learned(fiber);
		race_epoch_next(hot);
	}
	uint32_t waiting = hot->waiting;
	from->saved = *hot;
	*hot = fiber->saved;
	race_forget_order(hot);
	hot->exact = __atomic_load_n(&race_many_threads, __ATOMIC_RELAXED) ? RACE_EXACT : 0;
	hot->waiting = waiting;
	race_leave(hot);
}

ABI(void, __tsan_destroy_fiber, (void *fiber))
{
	struct race_hot *hot = race_self();
	if (!hot || hot->busy || !fiber || fiber == hot->thread)
		return;
	race_enter(hot);
	race_thread_free(fiber);
	race_leave(hot);
}

ABI(void, __tsan_set_fiber_name, (void *fiber, const char *name))
{
	(void)fiber;
	(void)name;
}

/* Nothing is kept that this could inspect: reports go to the log. */
#define ANSWER(ret, name, params, answer)                                                                    \
	ABI(ret, name, params)                                                                               \
	{                                                                                                    \
		return answer;                                                                               \
	}
typedef unsigned long uptr;
ANSWER(void *, __tsan_get_current_report, (void), NULL)
#pragma GCC diagnostic ignored "-Wunused-parameter"
ANSWER(int, __tsan_get_report_data,
       (void *r, const char **d, int *c, int *s, int *m, int *l, int *k, int *t, int *u, void **i, uptr n), 0)
ANSWER(int, __tsan_get_report_tag, (void *r, uptr *tag), 0)
ANSWER(int, __tsan_get_report_stack, (void *r, uptr i, void **p, uptr n), 0)
ANSWER(int, __tsan_get_report_mop,
       (void *r, uptr i, int *t, void **a, int *s, int *w, int *at, void **p, uptr n), 0)
ANSWER(int, __tsan_get_report_loc,
       (void *r, uptr i, const char **t, void **a, uptr *s, uptr *z, int *d, int *f, int *p, void **q,
        uptr n),
       0)
ANSWER(int, __tsan_get_report_loc_object_type, (void *r, uptr i, const char **t), 0)
ANSWER(int, __tsan_get_report_mutex, (void *r, uptr i, uptr *m, void **a, int *d, void **p, uptr n), 0)
ANSWER(int, __tsan_get_report_thread,
       (void *r, uptr i, int *t, uint64_t *o, int *n, const char **m, int *p, void **q, uptr k), 0)
ANSWER(int, __tsan_get_report_unique_tid, (void *r, uptr i, int *t), 0)
ANSWER(const char *, __tsan_locate_address, (uptr a, char *name, uptr n, uptr *start, uptr *bytes), "")
ANSWER(int, __tsan_get_alloc_stack, (uptr a, uptr *p, uptr n, int *t, uint64_t *o), 0)
ANSWER(void *, __tsan_external_register_tag, (const char *type), NULL)
ANSWER(uptr, __tsan_testonly_shadow_stack_current_size, (void),
       race_hot.stamp ? (uptr)(race_hot.frame - race_hot.thread->frames) : 0)
ABI(void, __tsan_external_register_header, (void *tag, const char *header))
{
}
ABI(void, __tsan_external_assign_tag, (void *a, void *tag))
{
}
ABI(void, __tsan_external_read, (void *a, void *pc, void *tag))
{
	race_access_range((uintptr_t)a, 1, RACE_READ, (uintptr_t)pc);
}
ABI(void, __tsan_external_write, (void *a, void *pc, void *tag))
{
	race_access_range((uintptr_t)a, 1, 0, (uintptr_t)pc);
}
ABI(void, __tsan_on_thread_idle, (void))
{
}
ABI(void, __tsan_flush_memory, (void))
{
}

/* For virtual machines that manage a heap of their own. */
ABI(void, __tsan_java_init, (uptr start, uptr bytes))
{
}
ANSWER(int, __tsan_java_fini, (void), 0)
static void clear(uptr start, uptr bytes)
{
	if (shim_race_on) {
		race_shadow_clear(start, bytes);
		race_meta_clear(start, bytes);
	}
}
ABI(void, __tsan_java_alloc, (uptr at, uptr bytes))
{
	clear(at, bytes);
}
ABI(void, __tsan_java_free, (uptr at, uptr bytes))
{
	clear(at, bytes);
}
ABI(void, __tsan_java_move, (uptr from, uptr to, uptr bytes))
{
	clear(from, bytes);
	clear(to, bytes);
}
ANSWER(uptr, __tsan_java_find, (uptr * from, uptr to), 0)
ABI(void, __tsan_java_finalize, (void))
{
}
ABI(void, __tsan_java_mutex_lock, (uptr a))
{
	shim_race_lock((void *)a, DT_LOCK_RWLOCK, true);
}
ABI(void, __tsan_java_mutex_unlock, (uptr a))
{
	shim_race_unlock((void *)a, DT_LOCK_RWLOCK);
}
ABI(void, __tsan_java_mutex_read_lock, (uptr a))
{
	shim_race_lock((void *)a, DT_LOCK_RWLOCK | SHIM_HOW_SHARED, true);
}
ABI(void, __tsan_java_mutex_read_unlock, (uptr a))
{
	shim_race_unlock((void *)a, DT_LOCK_RWLOCK);
}
ABI(void, __tsan_java_mutex_lock_rec, (uptr a, int times))
{
	shim_race_lock((void *)a, DT_LOCK_RWLOCK, true);
}
ABI(int, __tsan_java_mutex_unlock_rec, (uptr a))
{
	shim_race_unlock((void *)a, DT_LOCK_RWLOCK);
	return 1;
}
ABI(void, __tsan_java_acquire, (uptr a))
{
	shim_race_acquire((void *)a, true);
}
ABI(void, __tsan_java_release, (uptr a))
{
	shim_race_release((void *)a, SHIM_RACE_JOIN, true);
}
ABI(void, __tsan_java_release_store, (uptr a))
{
	shim_race_release((void *)a, SHIM_RACE_STORE, true);
}
