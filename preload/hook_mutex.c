/* hook_mutex.c: pthread_mutex_t of every type. The type is read where glibc keeps it, in the object.
 *
 * A lock is tried first; only who would block publishes that and looks for a deadlock (block.h). */
#include <errno.h>
#include <pthread.h>
#include <sys/single_threaded.h>
#include <time.h>

#include "avoid.h"
#include "block.h"
#include "fast_mutex.h"
#include "hook.h"
#include "identity.h"
#include "misuse.h"
#include "mutex.h"
#include "note.h"
#include "objects.h"
#include "race/race.h"
#include "want.h"

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

/* One thread and a free lock: the real call can't block, and glibc saves the atomic operation. */
static inline bool alone(const pthread_mutex_t *mutex)
{
	return __libc_single_threaded && shim_mutex_is_free(mutex) && !(shim_mutex_kind(mutex) & SHIM_MUTEX_PSHARED);
}

/* A robust mutex is not tried: pthread_mutex_trylock leaves one that is not recoverable locked (glibc 2.36). */
static inline bool may_try(const pthread_mutex_t *mutex)
{
	return SHIM_LIKELY(!(shim_mutex_kind(mutex) & SHIM_MUTEX_ROBUST));
}

/* Taken by the caller itself: the real call returns an error. */
static inline bool refused_anyway(const struct shim_thread *t, const pthread_mutex_t *mutex)
{
	return shim_mutex_owner(mutex) == t->owner && shim_mutex_knows_owner(mutex);
}

SHIM_HOOK_AHEAD(int, pthread_mutex_lock, (pthread_mutex_t *mutex));
SHIM_HOOK_AHEAD(int, pthread_mutex_trylock, (pthread_mutex_t *mutex));
SHIM_HOOK_AHEAD(int, pthread_mutex_timedlock, (pthread_mutex_t *mutex, const struct timespec *deadline));

static int lock_blocking(struct shim_block *block, pthread_mutex_t *mutex)
{
	int result;
	SHIM_ENDLESS(result, block, deadline, result == ETIMEDOUT,
	             SHIM_REAL(pthread_mutex_timedlock)(mutex, &deadline), SHIM_REAL(pthread_mutex_lock)(mutex));
	return block->refusal ? block->refusal : result;
}

static __attribute__((noinline)) int lock_contended(struct shim_thread *t, pthread_mutex_t *mutex, uint32_t index)
{
	int result;
	if (refused_anyway(t, mutex))
		return SHIM_REAL(pthread_mutex_lock)(mutex);
	SHIM_BLOCKING(result, t, SHIM_WAIT_FOR(t, mutex, DT_LOCK_MUTEX, index), EDEADLK, lock_blocking(&shim_b, mutex));
	return result;
}

/* The entry is noted. */
static __attribute__((noinline)) int lock_wanted(struct shim_thread *t, pthread_mutex_t *mutex, uint32_t index,
                                                 uintptr_t slot)
{
	int result = shim_fast_mutex_fits(t, mutex) ? (shim_fast_mutex_take(t, mutex) ? 0 : EBUSY)
	             : alone(mutex)                 ? SHIM_REAL(pthread_mutex_lock)(mutex)
	             : may_try(mutex)               ? SHIM_REAL(pthread_mutex_trylock)(mutex)
	                                            : EBUSY;
	if (SHIM_UNLIKELY(result == EBUSY))
		result = lock_contended(t, mutex, index);
	if (SHIM_UNLIKELY(result == EINVAL))
		shim_misuse_invalid(t, mutex, slot);
	shim_got(t, index, DT_LOCK_MUTEX, got(result));
	shim_race_lock(mutex, DT_LOCK_MUTEX, got(result));
	return result;
}

static __attribute__((noinline)) int lock_any(struct shim_thread *t, pthread_mutex_t *mutex, uintptr_t slot)
{
	if (relock(t, mutex))
		return SHIM_REAL(pthread_mutex_lock)(mutex);
	return lock_wanted(t, mutex, shim_want(t, mutex, slot, DT_LOCK_MUTEX), slot);
}

static __attribute__((noinline)) int lock_new(struct shim_thread *t, pthread_mutex_t *mutex, uintptr_t slot)
{
	return lock_wanted(t, mutex, shim_want_slow(t, mutex, slot, DT_LOCK_MUTEX), slot);
}

static __attribute__((noinline)) int lock_got(struct shim_thread *t, pthread_mutex_t *mutex, uint32_t index)
{
	if (t->sample == 0)
		shim_stats_sample(t, index);
	shim_race_lock(mutex, DT_LOCK_MUTEX, true);
	return 0;
}

/* The entry is noted, and shim_fast_mutex_fits. */
static inline __attribute__((always_inline)) int lock_take(struct shim_thread *t, pthread_mutex_t *mutex, uint32_t index,
                                                          const struct shim_context *c)
{
	if (SHIM_UNLIKELY(!shim_fast_mutex_take(t, mutex)))
		return lock_wanted(t, mutex, index, c->slot);
	t->held[index].how = DT_LOCK_MUTEX | SHIM_HOW_HELD;
	bool timed = --t->sample == 0;
	return SHIM_UNLIKELY(timed || shim_race_on) ? lock_got(t, mutex, index) : 0;
}

/* At a known context, another lock than the last time. */
static __attribute__((noinline)) int lock_other(struct shim_thread *t, pthread_mutex_t *mutex, struct shim_context *c)
{
	uint32_t index = t->depth;
	if (SHIM_UNLIKELY(shim_avoid_on))
		return lock_any(t, mutex, c->slot);
	if (SHIM_UNLIKELY(!shim_want_other(t, mutex, c)))
		return lock_new(t, mutex, c->slot);
	return lock_take(t, mutex, index, c);
}

/* Already the caller's: a recursive one is only counted. */
static inline bool own(const struct shim_thread *t, const pthread_mutex_t *mutex)
{
	return SHIM_UNLIKELY(recursive(mutex)) && shim_mutex_owner(mutex) == t->owner;
}

/* The shortest path saves no register: what is rarer is called in its place. */
SHIM_HOOK(int, pthread_mutex_lock, (pthread_mutex_t *mutex))
{
	struct shim_thread *t = &shim_self;
	uint32_t index = t->depth;
	struct shim_context *c = shim_context_known(t, SHIM_SLOT(), DT_LOCK_MUTEX);
	if (SHIM_UNLIKELY(!c) || !shim_fast_mutex_fits(t, mutex) || own(t, mutex))
		return lock_any(t, mutex, SHIM_SLOT());
	if (SHIM_UNLIKELY(!shim_want_again(t, mutex, c)))
		return lock_other(t, mutex, c);
	return lock_take(t, mutex, index, c);
}

SHIM_HOOK(int, pthread_mutex_trylock, (pthread_mutex_t *mutex))
{
	struct shim_thread *t = &shim_self;
	if (relock(t, mutex))
		return SHIM_REAL(pthread_mutex_trylock)(mutex);
	uint32_t index = shim_want(t, mutex, SHIM_SLOT(), DT_LOCK_MUTEX | SHIM_HOW_TRY);
	int result = SHIM_REAL(pthread_mutex_trylock)(mutex);
	if (SHIM_UNLIKELY(result == EINVAL))
		shim_misuse_invalid(t, mutex, SHIM_SLOT());
	shim_got(t, index, DT_LOCK_MUTEX | SHIM_HOW_TRY, got(result));
	shim_race_lock(mutex, DT_LOCK_MUTEX, got(result));
	return result;
}

/* A lock call with a time limit: tried first, like the others. */
#define TIMED_LOCK(call)                                                                                        \
	struct shim_thread *t = &shim_self;                                                                     \
	int result;                                                                                             \
	if (relock(t, mutex))                                                                                   \
		return (call);                                                                                  \
	uint32_t index = shim_want(t, mutex, SHIM_SLOT(), DT_LOCK_MUTEX | SHIM_HOW_TIMED);                      \
	result = may_try(mutex) ? SHIM_REAL(pthread_mutex_trylock)(mutex) : EBUSY;                              \
	if (result == EBUSY)                                                                                    \
		SHIM_BLOCKING(result, t, SHIM_WAIT_FOR(t, mutex, DT_LOCK_MUTEX | SHIM_HOW_TIMED, index), EDEADLK, \
		              call);                                                                            \
	shim_got(t, index, DT_LOCK_MUTEX | SHIM_HOW_TIMED, got(result));                                        \
	shim_race_lock(mutex, DT_LOCK_MUTEX, got(result));                                                      \
	return result

SHIM_HOOK(int, pthread_mutex_timedlock, (pthread_mutex_t *mutex, const struct timespec *deadline))
{
	TIMED_LOCK(SHIM_REAL(pthread_mutex_timedlock)(mutex, deadline));
}

SHIM_HOOK(int, pthread_mutex_clocklock, (pthread_mutex_t *mutex, clockid_t clock, const struct timespec *deadline))
{
	TIMED_LOCK(SHIM_REAL(pthread_mutex_clocklock)(mutex, clock, deadline));
}

SHIM_HOOK_AHEAD(int, pthread_mutex_unlock, (pthread_mutex_t *mutex));

static __attribute__((noinline)) int wake(pthread_mutex_t *mutex)
{
	shim_fast_mutex_wake(&mutex->__data.__lock);
	return 0;
}

static inline __attribute__((always_inline)) int give(struct shim_thread *t, pthread_mutex_t *mutex)
{
	bool wanted = false;
	if (!shim_fast_mutex_fits(t, mutex) || SHIM_UNLIKELY(!shim_fast_mutex_give(t, mutex, &wanted)))
		return SHIM_REAL(pthread_mutex_unlock)(mutex);
	return SHIM_UNLIKELY(wanted) ? wake(mutex) : 0;
}

/* Not the lock taken last, or not the thread's; or accesses are watched. */
static __attribute__((noinline)) int unlock_other(struct shim_thread *t, pthread_mutex_t *mutex, uintptr_t slot)
{
	shim_race_unlock(mutex, DT_LOCK_MUTEX);
	if (SHIM_LIKELY(shim_release(t, mutex)))
		return give(t, mutex);
	shim_misuse_unlock(t, mutex, DT_LOCK_MUTEX, slot);
	int result = SHIM_REAL(pthread_mutex_unlock)(mutex);
	if (result != 0)
		shim_not_released_elsewhere(mutex);
	return result;
}

/* Saves no register, as the lock. */
SHIM_HOOK(int, pthread_mutex_unlock, (pthread_mutex_t *mutex))
{
	struct shim_thread *t = &shim_self;
	if (SHIM_UNLIKELY(shim_race_on) || SHIM_UNLIKELY(!shim_release_last(t, mutex)))
		return unlock_other(t, mutex, SHIM_SLOT());
	return give(t, mutex);
}

void shim_mutex_give(pthread_mutex_t *mutex)
{
	SHIM_REAL(pthread_mutex_unlock)(mutex);
}

int shim_mutex_take(struct shim_thread *t, pthread_mutex_t *mutex, uint32_t index)
{
	int result = may_try(mutex) ? SHIM_REAL(pthread_mutex_trylock)(mutex) : EBUSY;
	struct shim_wait wait = *SHIM_WAIT_FOR(t, mutex, DT_LOCK_MUTEX, index);
	wait.final = true;
	if (result == EBUSY)
		SHIM_BLOCKING(result, t, &wait, EDEADLK, SHIM_REAL(pthread_mutex_lock)(mutex));
	return result;
}

SHIM_HOOK(int, pthread_mutex_init, (pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes))
{
	shim_misuse_init(&shim_self, mutex, DT_LOCK_MUTEX, SHIM_SLOT());
	int result = SHIM_REAL(pthread_mutex_init)(mutex, attributes);
	if (result == 0)
		shim_identity_born(&shim_self, mutex, DT_LOCK_MUTEX, SHIM_SLOT());
	return result;
}

SHIM_HOOK(int, pthread_mutex_destroy, (pthread_mutex_t *mutex))
{
	shim_misuse_destroy(&shim_self, mutex, DT_LOCK_MUTEX, SHIM_SLOT());
	int result = SHIM_REAL(pthread_mutex_destroy)(mutex);
	if (result == 0) {
		shim_misuse_destroyed(&shim_self, mutex, DT_LOCK_MUTEX, SHIM_SLOT());
		shim_identity_ended(mutex);
		shim_race_forget(mutex, sizeof *mutex);
	}
	return result;
}
