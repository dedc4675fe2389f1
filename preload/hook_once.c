/* hook_once.c: pthread_once (and, by once.h, call_once). The real function runs a routine of ours,
 * which runs the program's; a C++ exception may pass through both. */
#include <pthread.h>
#include <unwind.h>

#include "hook.h"
#include "objects.h"
#include "once.h"
#include "process.h"
#include "race/race.h"
#include "thread.h"

enum { ONCES = 4096 };

static struct once {
	_Atomic uintptr_t control;
	_Atomic uint32_t meeting;  /* behind the finished routine, 0: none yet */
	_Atomic uint32_t attempt;  /* the segment a routine was started in: it may leave by an exception */
} onces[ONCES];

/* Meeting points are numbered anew in the child of a fork: those of the parent's are no use there. */
static _Atomic uint32_t onces_process;

static struct once *once_of(const struct shim_thread *t, const void *control, bool add)
{
	uint32_t process = atomic_load(&onces_process);
	if (process != t->process && atomic_compare_exchange_strong(&onces_process, &process, t->process))
		for (int i = 0; i < ONCES; i++) {
			atomic_store(&onces[i].meeting, 0);
			atomic_store(&onces[i].attempt, 0);
		}
	uintptr_t wanted = (uintptr_t)control;
	for (uint32_t i = 0; i < 64; i++) {
		uint32_t at = (uint32_t)((wanted >> 2) ^ (wanted >> 13)) + i;
		uintptr_t found = atomic_load(&onces[at % ONCES].control);
		if (!found && (!add || atomic_compare_exchange_strong(&onces[at % ONCES].control, &found, wanted))) {
			if (!add)
				return NULL;
			found = wanted;
		}
		if (found == wanted)
			return &onces[at % ONCES];
	}
	return NULL;
}

static bool observing(struct shim_thread *t)
{
	return !t->busy && (t->capacity || shim_attach(t)) && shim_process_check(t);
}

void shim_once_begin(struct shim_once_call *call, void *control, void (*routine)(void), uintptr_t slot)
{
	struct shim_thread *t = &shim_self;
	call->outer = t->once;
	call->control = control;
	call->routine = routine;
	call->running = false;
	call->context = 0;
	call->block.slot = NULL;
	t->once = call;
	/* Whether it will run the routine or wait for another that does, only the real call knows. */
	if (shim_once_is_done(control) || !t->capacity)
		return;
	call->context = shim_context_now(t, slot);
	shim_block_begin(&call->block, t,
	                 &(const struct shim_wait){.op = DT_OP_ACQUIRE, .how = DT_LOCK_ONCE, .object = control,
	                                           .context = call->context, .final = true});
}

void shim_once_routine(void)
{
	struct shim_thread *t = &shim_self;
	struct shim_once_call *call = t->once;
	shim_block_end(&call->block);
	call->running = true;
	struct once *once = observing(t) ? once_of(t, call->control, true) : NULL;
	if (once) {
		/* Real once calls run one routine at a time: the last one has thrown. */
		uint32_t last = atomic_load(&once->attempt);
		if (last)
			shim_segment_next(t, last);
		atomic_store(&once->attempt, t->segment);
	}
	call->routine();
	shim_race_release(call->control, SHIM_RACE_STORE, true);
	if (!observing(t) || !(once = once_of(t, call->control, true)))
		return;
	uint32_t id = shim_segment_meeting();
	if (!id)
		return;
	shim_segment_arrive(t, id);
	shim_segment_next(t, 0);
	atomic_store(&once->attempt, 0);
	atomic_store_explicit(&once->meeting, id, memory_order_release);
}

static void leave(struct shim_once_call *call)
{
	shim_block_end(&call->block);
	shim_self.once = call->outer;
}

_Unwind_Reason_Code shim_once_personality(int version, _Unwind_Action actions, _Unwind_Exception_Class kind,
                                          struct _Unwind_Exception *exception, struct _Unwind_Context *context);

/* Calls that it made are left already, so the innermost one is that of the frame. */
_Unwind_Reason_Code shim_once_personality(int version, _Unwind_Action actions, _Unwind_Exception_Class kind,
                                          struct _Unwind_Exception *exception, struct _Unwind_Context *context)
{
	(void)version, (void)kind, (void)exception, (void)context;
	if ((actions & _UA_CLEANUP_PHASE) && shim_self.once)
		leave(shim_self.once);
	return _URC_CONTINUE_UNWIND;
}

void shim_once_end(struct shim_once_call *call)
{
	struct shim_thread *t = &shim_self;
	leave(call);
	shim_race_acquire(call->control, true);
	if (!observing(t))
		return;
	/* Only the first return of each thread says something new. */
	uintptr_t control = (uintptr_t)call->control;
	uintptr_t *known = &t->block->onces[((control >> 2) ^ (control >> 13)) % SHIM_ONCES_KNOWN];
	if (*known == control)
		return;
	struct once *once = once_of(t, call->control, false);
	uint32_t id = once ? atomic_load_explicit(&once->meeting, memory_order_acquire) : 0;
	if (!id)
		return;
	*known = control;
	shim_segment_next(t, id);
}

SHIM_HOOK(int, pthread_once, (pthread_once_t *control, void (*routine)(void)))
{
	struct shim_once_call call;
	SHIM_ONCE_MAY_THROW();
	shim_once_begin(&call, control, routine, SHIM_SLOT());
	int result = SHIM_REAL(pthread_once)(control, shim_once_routine);
	shim_once_end(&call);
	return result;
}
