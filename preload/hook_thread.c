/* hook_thread.c: create and join order, names. Exit and detach need no hook: the end of a thread is
 * noted by a destructor (thread.c), and what is detached can't be joined. */
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "block.h"
#include "hook.h"
#include "log.h"
#include "process.h"
#include "race/race.h"
#include "thread.h"

static void *run_thread(void *argument)
{
	struct shim_thread_block *block = argument;
	void *(*routine)(void *) = block->start.routine;
	void *routine_argument = block->start.argument;
	shim_thread_begin(block);
	return routine(routine_argument);
}

SHIM_HOOK(int, pthread_create,
          (pthread_t *thread, const pthread_attr_t *attributes, void *(*routine)(void *), void *argument))
{
	struct shim_thread *t = &shim_self;
	struct shim_thread_block *block = shim_thread_prepare(t, SHIM_SLOT());
	if (!block)
		return SHIM_REAL(pthread_create)(thread, attributes, routine, argument);
	block->start.routine = routine;
	block->start.argument = argument;
	uint32_t id = block->start.id;
	int result = SHIM_REAL(pthread_create)(thread, attributes, run_thread, block);
	shim_thread_created(t, block, result == 0 ? thread : NULL, id);
	return result;
}

static uint32_t want_join(pthread_t thread, uint32_t how, uintptr_t slot)
{
	uint32_t id = shim_thread_id_of(thread);
	if (id)
		shim_note_op(&shim_self, DT_OP_JOIN, (void *)(uintptr_t)id, how, slot);
	return id;
}

static int joined(uint32_t id, int result)
{
	if (result == 0)
		shim_thread_joined(&shim_self, id);
	return result;
}

/* A thread that is not observed has id 0: nobody knows whom it waits for, but this thread waits. */
#define JOIN(how, call)                                                                                     \
	struct shim_thread *t = &shim_self;                                                                 \
	uint32_t id = want_join(thread, how, SHIM_SLOT());                                                  \
	int result;                                                                                         \
	SHIM_BLOCKING_CANCELLABLE(result, t, SHIM_WAIT_TO_JOIN(t, id, how, SHIM_SLOT()), EDEADLK, call);    \
	return joined(id, result)

SHIM_HOOK(int, pthread_join, (pthread_t thread, void **value))
{
	JOIN(0, SHIM_REAL(pthread_join)(thread, value));
}

SHIM_HOOK(int, pthread_tryjoin_np, (pthread_t thread, void **value))
{
	uint32_t id = shim_thread_id_of(thread);
	return joined(id, SHIM_REAL(pthread_tryjoin_np)(thread, value));
}

SHIM_HOOK(int, pthread_timedjoin_np, (pthread_t thread, void **value, const struct timespec *deadline))
{
	JOIN(SHIM_HOW_TIMED, SHIM_REAL(pthread_timedjoin_np)(thread, value, deadline));
}

SHIM_HOOK(int, pthread_clockjoin_np,
          (pthread_t thread, void **value, clockid_t clock, const struct timespec *deadline))
{
	JOIN(SHIM_HOW_TIMED, SHIM_REAL(pthread_clockjoin_np)(thread, value, clock, deadline));
}

SHIM_HOOK(int, pthread_cancel, (pthread_t thread))
{
	shim_thread_cancelled(shim_thread_id_of(thread));
	return SHIM_REAL(pthread_cancel)(thread);
}

SHIM_HOOK(int, pthread_setcanceltype, (int type, int *old))
{
	if (type == PTHREAD_CANCEL_ASYNCHRONOUS)
		shim_race_cancel_type(type);
	int result = SHIM_REAL(pthread_setcanceltype)(type, old);
	if (type == PTHREAD_CANCEL_DEFERRED)
		shim_race_cancel_type(type);
	return result;
}

void shim_set_cancel_type(int type)
{
	SHIM_REAL(pthread_setcanceltype)(type, NULL);
}

SHIM_HOOK(int, pthread_setname_np, (pthread_t thread, const char *name))
{
	int result = SHIM_REAL(pthread_setname_np)(thread, name);
	struct shim_thread *t = &shim_self;
	if (result != 0 || t->busy || (!t->capacity && !shim_attach(t)) || !shim_process_check(t))
		return result;
	uint32_t id = shim_thread_id_of(thread);
	size_t length = 0;
	while (name[length])
		length++;
	struct dt_rec_id rec = {{DT_REC_THREAD_NAME, 0, 0}, id, 0};
	if (id)
		shim_log_append(&rec.head, sizeof rec, name, length + 1, NULL, 0);
	return result;
}
