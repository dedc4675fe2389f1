/* hook_rwlock.c: pthread_rwlock_t. A second read lock of the same thread is counted, not pushed. */
#include <pthread.h>
#include <time.h>

#include "hook.h"
#include "identity.h"

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

#define TAKE(lock, how, call)                                                         \
	struct shim_thread *t = &shim_self;                                           \
	int result;                                                                   \
	if (((how) & SHIM_HOW_SHARED) && SHIM_UNLIKELY(t->depth) && reads(t, lock)) { \
		result = (call);                                                      \
		if (result == 0)                                                      \
			shim_relock(t, lock);                                         \
		return result;                                                        \
	}                                                                             \
	uint32_t index = shim_want(t, lock, SHIM_SLOT(), how);                        \
	result = (call);                                                              \
	shim_got(t, index, how, result == 0);                                             \
	return result

SHIM_HOOK(int, pthread_rwlock_rdlock, (pthread_rwlock_t *lock))
{
	TAKE(lock, READ, SHIM_REAL(pthread_rwlock_rdlock)(lock));
}

SHIM_HOOK(int, pthread_rwlock_wrlock, (pthread_rwlock_t *lock))
{
	TAKE(lock, WRITE, SHIM_REAL(pthread_rwlock_wrlock)(lock));
}

SHIM_HOOK(int, pthread_rwlock_tryrdlock, (pthread_rwlock_t *lock))
{
	TAKE(lock, READ | SHIM_HOW_TRY, SHIM_REAL(pthread_rwlock_tryrdlock)(lock));
}

SHIM_HOOK(int, pthread_rwlock_trywrlock, (pthread_rwlock_t *lock))
{
	TAKE(lock, WRITE | SHIM_HOW_TRY, SHIM_REAL(pthread_rwlock_trywrlock)(lock));
}

SHIM_HOOK(int, pthread_rwlock_timedrdlock, (pthread_rwlock_t *lock, const struct timespec *deadline))
{
	TAKE(lock, READ | SHIM_HOW_TIMED, SHIM_REAL(pthread_rwlock_timedrdlock)(lock, deadline));
}

SHIM_HOOK(int, pthread_rwlock_timedwrlock, (pthread_rwlock_t *lock, const struct timespec *deadline))
{
	TAKE(lock, WRITE | SHIM_HOW_TIMED, SHIM_REAL(pthread_rwlock_timedwrlock)(lock, deadline));
}

SHIM_HOOK(int, pthread_rwlock_clockrdlock,
          (pthread_rwlock_t *lock, clockid_t clock, const struct timespec *deadline))
{
	TAKE(lock, READ | SHIM_HOW_TIMED, SHIM_REAL(pthread_rwlock_clockrdlock)(lock, clock, deadline));
}

SHIM_HOOK(int, pthread_rwlock_clockwrlock,
          (pthread_rwlock_t *lock, clockid_t clock, const struct timespec *deadline))
{
	TAKE(lock, WRITE | SHIM_HOW_TIMED, SHIM_REAL(pthread_rwlock_clockwrlock)(lock, clock, deadline));
}

SHIM_HOOK(int, pthread_rwlock_unlock, (pthread_rwlock_t *lock))
{
	shim_release(&shim_self, lock);
	return SHIM_REAL(pthread_rwlock_unlock)(lock);
}

SHIM_HOOK(int, pthread_rwlock_init, (pthread_rwlock_t *lock, const pthread_rwlockattr_t *attributes))
{
	int result = SHIM_REAL(pthread_rwlock_init)(lock, attributes);
	if (result == 0)
		shim_identity_born(&shim_self, lock, DT_LOCK_RWLOCK, SHIM_SLOT());
	return result;
}

SHIM_HOOK(int, pthread_rwlock_destroy, (pthread_rwlock_t *lock))
{
	int result = SHIM_REAL(pthread_rwlock_destroy)(lock);
	if (result == 0)
		shim_identity_ended(lock);
	return result;
}
