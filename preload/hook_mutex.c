/* hook_mutex.c: pthread_mutex_t of every type. The type is read where glibc keeps it, in the object. */
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "hook.h"
#include "identity.h"

static inline bool recursive(const pthread_mutex_t *mutex)
{
	return (mutex->__data.__kind & 3) == PTHREAD_MUTEX_RECURSIVE_NP;
}

/* EOWNERDEAD: the holder of a robust mutex died, and the caller has it now. */
static inline bool got(int result)
{
	return result == 0 || result == EOWNERDEAD;
}

/* Already the caller's, and recursive: only counted. */
static inline bool relock(struct shim_thread *t, pthread_mutex_t *mutex)
{
	return SHIM_UNLIKELY(t->depth) && SHIM_UNLIKELY(recursive(mutex)) && shim_relock(t, mutex);
}

SHIM_HOOK(int, pthread_mutex_lock, (pthread_mutex_t *mutex))
{
	struct shim_thread *t = &shim_self;
	if (relock(t, mutex))
		return SHIM_REAL(pthread_mutex_lock)(mutex);
	uint32_t index = shim_want(t, mutex, SHIM_SLOT(), DT_LOCK_MUTEX);
	int result = SHIM_REAL(pthread_mutex_lock)(mutex);
	shim_got(t, index, DT_LOCK_MUTEX, got(result));
	return result;
}

SHIM_HOOK(int, pthread_mutex_trylock, (pthread_mutex_t *mutex))
{
	struct shim_thread *t = &shim_self;
	if (relock(t, mutex))
		return SHIM_REAL(pthread_mutex_trylock)(mutex);
	uint32_t index = shim_want(t, mutex, SHIM_SLOT(), DT_LOCK_MUTEX | SHIM_HOW_TRY);
	int result = SHIM_REAL(pthread_mutex_trylock)(mutex);
	shim_got(t, index, DT_LOCK_MUTEX | SHIM_HOW_TRY, got(result));
	return result;
}

SHIM_HOOK(int, pthread_mutex_timedlock, (pthread_mutex_t *mutex, const struct timespec *deadline))
{
	struct shim_thread *t = &shim_self;
	if (relock(t, mutex))
		return SHIM_REAL(pthread_mutex_timedlock)(mutex, deadline);
	uint32_t index = shim_want(t, mutex, SHIM_SLOT(), DT_LOCK_MUTEX | SHIM_HOW_TIMED);
	int result = SHIM_REAL(pthread_mutex_timedlock)(mutex, deadline);
	shim_got(t, index, DT_LOCK_MUTEX | SHIM_HOW_TIMED, got(result));
	return result;
}

SHIM_HOOK(int, pthread_mutex_clocklock, (pthread_mutex_t *mutex, clockid_t clock, const struct timespec *deadline))
{
	struct shim_thread *t = &shim_self;
	if (relock(t, mutex))
		return SHIM_REAL(pthread_mutex_clocklock)(mutex, clock, deadline);
	uint32_t index = shim_want(t, mutex, SHIM_SLOT(), DT_LOCK_MUTEX | SHIM_HOW_TIMED);
	int result = SHIM_REAL(pthread_mutex_clocklock)(mutex, clock, deadline);
	shim_got(t, index, DT_LOCK_MUTEX | SHIM_HOW_TIMED, got(result));
	return result;
}

SHIM_HOOK(int, pthread_mutex_unlock, (pthread_mutex_t *mutex))
{
	shim_release(&shim_self, mutex);
	return SHIM_REAL(pthread_mutex_unlock)(mutex);
}

SHIM_HOOK(int, pthread_mutex_init, (pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes))
{
	int result = SHIM_REAL(pthread_mutex_init)(mutex, attributes);
	if (result == 0)
		shim_identity_born(&shim_self, mutex, DT_LOCK_MUTEX, SHIM_SLOT());
	return result;
}

SHIM_HOOK(int, pthread_mutex_destroy, (pthread_mutex_t *mutex))
{
	int result = SHIM_REAL(pthread_mutex_destroy)(mutex);
	if (result == 0)
		shim_identity_ended(mutex);
	return result;
}
