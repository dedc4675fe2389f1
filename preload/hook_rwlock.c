/* hook_rwlock.c: pthread_rwlock_t. A second read lock of the same thread is counted, not pushed. */
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "block.h"
#include "hook.h"
#include "identity.h"
#include "misuse.h"
#include "objects.h"
#include "race/race.h"
#include "want.h"

enum {
	READ = DT_LOCK_RWLOCK | SHIM_HOW_SHARED,
	WRITE = DT_LOCK_RWLOCK,
	SHARED_HELD = SHIM_HOW_SHARED | SHIM_HOW_HELD
};

/* The calling thread reads the lock already. */
static bool reads(const struct shim_thread *t, const pthread_rwlock_t *lock)
{
	for (uint32_t i = t->depth; i-- > 0;)
		if (t->held[i].lock == lock && (t->held[i].how & SHARED_HELD) == SHARED_HELD)
			return true;
	return false;
}

/* The calling thread has it for writing: the real call returns EDEADLK, or waits its time out. */
static bool writes(const struct shim_thread *t, const pthread_rwlock_t *lock)
{
	return shim_rwlock_writer(lock) == t->owner;
}

/* Tried first; `call` answers who writes himself, `wait_call` blocks. A reader that reads already is only
 * counted. */
#define TAKE(lock, how, try_call, call, wait_call)                                                               \
	struct shim_thread *t = &shim_self;                                                           \
	bool again = ((how) & SHIM_HOW_SHARED) && SHIM_UNLIKELY(t->depth) && reads(t, lock);          \
	uint32_t index = again ? SHIM_NO_ENTRY : shim_want(t, lock, SHIM_SLOT(), how);                \
	int result = (try_call);                                                                      \
	if (SHIM_UNLIKELY(result == EBUSY) && !((how) & SHIM_HOW_TRY)) {                              \
		if (writes(t, lock))                                                                  \
			result = (call);                                                              \
		else                                                                                  \
			SHIM_BLOCKING(result, t, WAIT(t, lock, how, index), EDEADLK, wait_call);           \
	}                                                                                             \
	if (again && result == 0)                                                                     \
		shim_relock(t, lock);                                                                 \
	if (!again)                                                                                   \
		shim_got(t, index, how, result == 0);                                                 \
	shim_race_lock(lock, how, result == 0);                                                       \
	return result

#define WAIT(t, lock, what, index)                                                                    \
	&(const struct shim_wait)                                                                     \
	{                                                                                             \
		.op = DT_OP_ACQUIRE, .how = (what), .object = (lock),                                 \
		.context = (index) == SHIM_NO_ENTRY ? shim_context_now(t, SHIM_SLOT()) : shim_context_of(t, index) \
	}

SHIM_HOOK(int, pthread_rwlock_tryrdlock, (pthread_rwlock_t *lock))
{
	TAKE(lock, READ | SHIM_HOW_TRY, SHIM_REAL(pthread_rwlock_tryrdlock)(lock), EBUSY, EBUSY);
}

SHIM_HOOK(int, pthread_rwlock_trywrlock, (pthread_rwlock_t *lock))
{
	TAKE(lock, WRITE | SHIM_HOW_TRY, SHIM_REAL(pthread_rwlock_trywrlock)(lock), EBUSY, EBUSY);
}

#define TRY_READ SHIM_REAL(pthread_rwlock_tryrdlock)(lock)
#define TRY_WRITE SHIM_REAL(pthread_rwlock_trywrlock)(lock)

SHIM_HOOK_AHEAD(int, pthread_rwlock_timedrdlock, (pthread_rwlock_t *lock, const struct timespec *deadline));
SHIM_HOOK_AHEAD(int, pthread_rwlock_timedwrlock, (pthread_rwlock_t *lock, const struct timespec *deadline));
SHIM_HOOK_AHEAD(int, pthread_rwlock_rdlock, (pthread_rwlock_t *lock));
SHIM_HOOK_AHEAD(int, pthread_rwlock_wrlock, (pthread_rwlock_t *lock));

static int read_endless(struct shim_block *block, pthread_rwlock_t *lock)
{
	int result;
	SHIM_ENDLESS(result, block, deadline, result == ETIMEDOUT,
	             SHIM_REAL(pthread_rwlock_timedrdlock)(lock, &deadline), SHIM_REAL(pthread_rwlock_rdlock)(lock));
	return block->refusal ? block->refusal : result;
}

static int write_endless(struct shim_block *block, pthread_rwlock_t *lock)
{
	int result;
	SHIM_ENDLESS(result, block, deadline, result == ETIMEDOUT,
	             SHIM_REAL(pthread_rwlock_timedwrlock)(lock, &deadline), SHIM_REAL(pthread_rwlock_wrlock)(lock));
	return block->refusal ? block->refusal : result;
}

SHIM_HOOK(int, pthread_rwlock_rdlock, (pthread_rwlock_t *lock))
{
	TAKE(lock, READ, TRY_READ, SHIM_REAL(pthread_rwlock_rdlock)(lock), read_endless(&shim_b, lock));
}

SHIM_HOOK(int, pthread_rwlock_wrlock, (pthread_rwlock_t *lock))
{
	TAKE(lock, WRITE, TRY_WRITE, SHIM_REAL(pthread_rwlock_wrlock)(lock), write_endless(&shim_b, lock));
}

SHIM_HOOK(int, pthread_rwlock_timedrdlock, (pthread_rwlock_t *lock, const struct timespec *deadline))
{
	TAKE(lock, READ | SHIM_HOW_TIMED, TRY_READ, SHIM_REAL(pthread_rwlock_timedrdlock)(lock, deadline),
	     SHIM_REAL(pthread_rwlock_timedrdlock)(lock, deadline));
}

SHIM_HOOK(int, pthread_rwlock_timedwrlock, (pthread_rwlock_t *lock, const struct timespec *deadline))
{
	TAKE(lock, WRITE | SHIM_HOW_TIMED, TRY_WRITE, SHIM_REAL(pthread_rwlock_timedwrlock)(lock, deadline),
	     SHIM_REAL(pthread_rwlock_timedwrlock)(lock, deadline));
}

SHIM_HOOK(int, pthread_rwlock_clockrdlock,
          (pthread_rwlock_t *lock, clockid_t clock, const struct timespec *deadline))
{
	TAKE(lock, READ | SHIM_HOW_TIMED, TRY_READ, SHIM_REAL(pthread_rwlock_clockrdlock)(lock, clock, deadline),
	     SHIM_REAL(pthread_rwlock_clockrdlock)(lock, clock, deadline));
}

SHIM_HOOK(int, pthread_rwlock_clockwrlock,
          (pthread_rwlock_t *lock, clockid_t clock, const struct timespec *deadline))
{
	TAKE(lock, WRITE | SHIM_HOW_TIMED, TRY_WRITE, SHIM_REAL(pthread_rwlock_clockwrlock)(lock, clock, deadline),
	     SHIM_REAL(pthread_rwlock_clockwrlock)(lock, clock, deadline));
}

SHIM_HOOK(int, pthread_rwlock_unlock, (pthread_rwlock_t *lock))
{
	if (SHIM_UNLIKELY(!shim_release(&shim_self, lock)))
		shim_misuse_unlock(&shim_self, lock, DT_LOCK_RWLOCK, SHIM_SLOT());
	shim_race_unlock(lock, DT_LOCK_RWLOCK);
	return SHIM_REAL(pthread_rwlock_unlock)(lock);
}

SHIM_HOOK(int, pthread_rwlock_init, (pthread_rwlock_t *lock, const pthread_rwlockattr_t *attributes))
{
	shim_misuse_init(&shim_self, lock, DT_LOCK_RWLOCK, SHIM_SLOT());
	int result = SHIM_REAL(pthread_rwlock_init)(lock, attributes);
	if (result == 0)
		shim_identity_born(&shim_self, lock, DT_LOCK_RWLOCK, SHIM_SLOT());
	return result;
}

SHIM_HOOK(int, pthread_rwlock_destroy, (pthread_rwlock_t *lock))
{
	shim_misuse_destroy(&shim_self, lock, DT_LOCK_RWLOCK, SHIM_SLOT());
	int result = SHIM_REAL(pthread_rwlock_destroy)(lock);
	if (result == 0) {
		shim_misuse_destroyed(&shim_self, lock, DT_LOCK_RWLOCK, SHIM_SLOT());
		shim_identity_ended(lock);
		shim_race_forget(lock, sizeof *lock);
	}
	return result;
}
