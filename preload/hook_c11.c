/* hook_c11.c: mtx_*, cnd_*, call_once and thrd_* of C11. glibc's call the pthread functions from
 * within, past our hooks, so they have their own. A mtx_t is a pthread_mutex_t in glibc. */
#include <pthread.h>
#include <threads.h>
#include <time.h>

#include "block.h"
#include "hook.h"
#include "identity.h"
#include "misuse.h"
#include "once.h"
#include "race/race.h"
#include "thread.h"
#include "wait.h"
#include "waiters.h"
#include "want.h"

static inline bool relock(struct shim_thread *t, mtx_t *mutex)
{
	return SHIM_UNLIKELY(t->depth) &&
	       (((pthread_mutex_t *)mutex)->__data.__kind & 3) == PTHREAD_MUTEX_RECURSIVE_NP &&
	       shim_relock(t, mutex);
}

SHIM_HOOK(int, mtx_init, (mtx_t *mutex, int type))
{
	shim_misuse_init(&shim_self, mutex, DT_LOCK_MUTEX, SHIM_SLOT());
	int result = SHIM_REAL(mtx_init)(mutex, type);
	if (result == thrd_success)
		shim_identity_born(&shim_self, mutex, DT_LOCK_MUTEX, SHIM_SLOT());
	return result;
}

SHIM_HOOK(void, mtx_destroy, (mtx_t *mutex))
{
	shim_misuse_destroy(&shim_self, mutex, DT_LOCK_MUTEX, SHIM_SLOT());
	SHIM_REAL(mtx_destroy)(mutex);
	shim_misuse_destroyed(&shim_self, mutex, DT_LOCK_MUTEX, SHIM_SLOT());
	shim_identity_ended(mutex);
}

SHIM_HOOK(int, mtx_trylock, (mtx_t *mutex))
{
	struct shim_thread *t = &shim_self;
	if (relock(t, mutex))
		return SHIM_REAL(mtx_trylock)(mutex);
	uint32_t index = shim_want(t, mutex, SHIM_SLOT(), DT_LOCK_MUTEX | SHIM_HOW_TRY);
	int result = SHIM_REAL(mtx_trylock)(mutex);
	shim_got(t, index, DT_LOCK_MUTEX | SHIM_HOW_TRY, result == thrd_success);
	shim_race_lock(mutex, DT_LOCK_MUTEX, result == thrd_success);
	return result;
}

SHIM_HOOK_AHEAD(int, mtx_lock, (mtx_t *mutex));
SHIM_HOOK_AHEAD(int, mtx_timedlock, (mtx_t *mutex, const struct timespec *deadline));

/* thrd_timedout is no answer of mtx_lock. */
static int lock_blocking(struct shim_block *block, mtx_t *mutex)
{
	int result;
	SHIM_ENDLESS(result, block, deadline, result == thrd_timedout,
	             SHIM_REAL(mtx_timedlock)(mutex, &deadline), SHIM_REAL(mtx_lock)(mutex));
	return result == thrd_timedout ? thrd_error : result;
}

SHIM_HOOK(int, mtx_lock, (mtx_t *mutex))
{
	struct shim_thread *t = &shim_self;
	if (relock(t, mutex))
		return SHIM_REAL(mtx_lock)(mutex);
	uint32_t index = shim_want(t, mutex, SHIM_SLOT(), DT_LOCK_MUTEX);
	int result = SHIM_REAL(mtx_trylock)(mutex);
	if (SHIM_UNLIKELY(result == thrd_busy))
		SHIM_BLOCKING(result, t, SHIM_WAIT_FOR(t, mutex, DT_LOCK_MUTEX, index), thrd_error,
		              lock_blocking(&shim_b, mutex));
	shim_got(t, index, DT_LOCK_MUTEX, result == thrd_success);
	shim_race_lock(mutex, DT_LOCK_MUTEX, result == thrd_success);
	return result;
}

SHIM_HOOK(int, mtx_timedlock, (mtx_t *mutex, const struct timespec *deadline))
{
	struct shim_thread *t = &shim_self;
	if (relock(t, mutex))
		return SHIM_REAL(mtx_timedlock)(mutex, deadline);
	uint32_t index = shim_want(t, mutex, SHIM_SLOT(), DT_LOCK_MUTEX | SHIM_HOW_TIMED);
	int result = SHIM_REAL(mtx_trylock)(mutex);
	if (SHIM_UNLIKELY(result == thrd_busy))
		SHIM_BLOCKING(result, t, SHIM_WAIT_FOR(t, mutex, DT_LOCK_MUTEX | SHIM_HOW_TIMED, index), thrd_error,
		              SHIM_REAL(mtx_timedlock)(mutex, deadline));
	shim_got(t, index, DT_LOCK_MUTEX | SHIM_HOW_TIMED, result == thrd_success);
	shim_race_lock(mutex, DT_LOCK_MUTEX, result == thrd_success);
	return result;
}

SHIM_HOOK(int, mtx_unlock, (mtx_t *mutex))
{
	shim_race_unlock(mutex, DT_LOCK_MUTEX);
	if (SHIM_UNLIKELY(!shim_release(&shim_self, mutex)))
		shim_misuse_unlock(&shim_self, mutex, DT_LOCK_MUTEX, SHIM_SLOT());
	return SHIM_REAL(mtx_unlock)(mutex);
}

SHIM_HOOK(int, cnd_wait, (cnd_t *cond, mtx_t *mutex))
{
	int result;
	SHIM_COND_WAIT(result, cond, mutex, 0, thrd_timedout, SHIM_REAL(cnd_wait)(cond, mutex));
	return result;
}

SHIM_HOOK(int, cnd_timedwait, (cnd_t *cond, mtx_t *mutex, const struct timespec *deadline))
{
	int result;
	SHIM_COND_WAIT(result, cond, mutex, SHIM_HOW_TIMED, thrd_timedout,
	               SHIM_REAL(cnd_timedwait)(cond, mutex, deadline));
	return result;
}

SHIM_HOOK(int, cnd_signal, (cnd_t *cond))
{
	shim_note_op(&shim_self, DT_OP_COND_SIGNAL, cond, DT_LOCK_COND, SHIM_SLOT());
	shim_waiters_wake(cond, false);
	return SHIM_REAL(cnd_signal)(cond);
}

SHIM_HOOK(int, cnd_broadcast, (cnd_t *cond))
{
	shim_note_op(&shim_self, DT_OP_COND_SIGNAL, cond, DT_LOCK_COND, SHIM_SLOT());
	shim_waiters_wake(cond, true);
	return SHIM_REAL(cnd_broadcast)(cond);
}

SHIM_HOOK(void, cnd_destroy, (cnd_t *cond))
{
	shim_misuse_destroy(&shim_self, cond, DT_LOCK_COND, SHIM_SLOT());
	SHIM_REAL(cnd_destroy)(cond);
	shim_misuse_destroyed(&shim_self, cond, DT_LOCK_COND, SHIM_SLOT());
	shim_identity_ended(cond);
}

SHIM_HOOK(void, call_once, (once_flag *flag, void (*routine)(void)))
{
	struct shim_once_call call;
	SHIM_ONCE_MAY_THROW();
	shim_once_begin(&call, flag, routine, SHIM_SLOT());
	SHIM_REAL(call_once)(flag, shim_once_routine);
	shim_once_end(&call);
}

static int run_thread(void *argument)
{
	struct shim_thread_block *block = argument;
	int (*routine)(void *) = block->start.routine_c11;
	void *routine_argument = block->start.argument;
	shim_thread_begin(block);
	return routine(routine_argument);
}

SHIM_HOOK(int, thrd_create, (thrd_t *thread, thrd_start_t routine, void *argument))
{
	struct shim_thread *t = &shim_self;
	struct shim_thread_block *block = shim_thread_prepare(t, SHIM_SLOT());
	if (!block)
		return SHIM_REAL(thrd_create)(thread, routine, argument);
	block->start.routine_c11 = routine;
	block->start.argument = argument;
	uint32_t id = block->start.id;
	int result = SHIM_REAL(thrd_create)(thread, run_thread, block);
	shim_thread_created(t, block, result == thrd_success ? thread : NULL, id);
	return result;
}

SHIM_HOOK(int, thrd_join, (thrd_t thread, int *value))
{
	struct shim_thread *t = &shim_self;
	uint32_t id = shim_thread_id_of(thread);
	int result;
	if (id)
		shim_note_op(t, DT_OP_JOIN, (void *)(uintptr_t)id, 0, SHIM_SLOT());
	SHIM_BLOCKING_CANCELLABLE(result, t, SHIM_WAIT_TO_JOIN(t, id, 0, SHIM_SLOT()), thrd_error,
	                          SHIM_REAL(thrd_join)(thread, value));
	if (result == thrd_success)
		shim_thread_joined(t, id);
	return result;
}
