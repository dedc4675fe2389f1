/* hook_sem.c: sem_t, unnamed and named.
 *
 * A semaphore may be a lock (who waits posts, and there is a unit to begin with), a counted resource (the
 * same with several units), or a signal (others post). Which one, its first use tells: until somebody posts
 * what he does not hold, one that began with a unit is taken for a lock or resource; from then on it is a
 * signal. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <time.h>

#include "avoid.h"
#include "block.h"
#include "hook.h"
#include "identity.h"
#include "misuse.h"
#include "note.h"
#include "objects.h"
#include "states.h"
#include "race/race.h"
#include "unwind_memory.h"
#include "want.h"

static struct shim_held *held_unit(struct shim_thread *t, const void *sem)
{
	return t->depth ? shim_held_find(t, sem) : NULL;
}

/* 0: it is a signal, or the thread is not observed. */
static uint32_t units_of(const struct shim_thread *t, const sem_t *sem)
{
	return t->capacity ? shim_identity_units_of(sem) : 0;
}

/* Nobody holds a signal, nor what is there no more. */
static void forget(struct shim_thread *t, sem_t *sem)
{
	while (held_unit(t, sem))
		shim_release(t, sem);
}

/* A wait on a signal, for the record; on what may be a lock, the entry that is wanted. */
static uint32_t want(struct shim_thread *t, sem_t *sem, uint32_t how, uintptr_t slot, bool resource,
                     bool again)
{
	if (!resource) {
		forget(t, sem); /* got before anybody knew that it is a signal */
		if (!(how & SHIM_HOW_TRY))
			shim_note_op(t, DT_OP_SEM_WAIT, sem, DT_LOCK_SEM | how, slot);
		return SHIM_NO_ENTRY;
	}
	if (!again)
		return shim_want(t, sem, slot, DT_LOCK_SEM | how);
	shim_note_unit(t, sem, how, slot);
	if (SHIM_UNLIKELY(shim_avoid_on))
		shim_avoid_want_unit(t, sem, how);
	return SHIM_NO_ENTRY;
}

/* `units`: that the semaphore began with, as far as it is a resource; somebody may have shown meanwhile that it is
 * none. */
static void got(struct shim_thread *t, sem_t *sem, uint32_t index, uint32_t how, uint32_t units, bool again,
                bool success)
{
	bool signal = units && !units_of(t, sem), holds = success && !signal;
	if (again && holds)
		shim_relock(t, sem);
	if (again && SHIM_UNLIKELY(shim_avoid_on))
		shim_avoid_got_unit(t, sem, holds);
	if (index != SHIM_NO_ENTRY)
		shim_got(t, index, DT_LOCK_SEM | how, holds);
	if (SHIM_UNLIKELY(signal))
		forget(t, sem);
	if (units > 1 && holds && (again || index != SHIM_NO_ENTRY))
		shim_states_got(t);
}

struct sem_wait {
	struct shim_thread *t;
	uint32_t index;
	const void *sem;
};

/* Cancelled in the wait: nothing was got. */
static void not_got(void *argument)
{
	const struct sem_wait *wait = argument;
	shim_not_got(wait->t, wait->index);
	if (SHIM_UNLIKELY(shim_avoid_on) && wait->index == SHIM_NO_ENTRY)
		shim_avoid_got_unit(wait->t, wait->sem, false);
}

/* Tried first; the real call begins with a test for cancellation, so this does too. */
#define SEM_WAIT(what, call)                                                                                 \
	struct shim_thread *t = &shim_self;                                                                  \
	int result, saved = errno;                                                                           \
	pthread_testcancel();                                                                                \
	uint32_t units = units_of(t, sem);                                                                   \
	bool resource = units != 0, again = resource && held_unit(t, sem);                                   \
	uint32_t index = want(t, sem, what, SHIM_SLOT(), resource, again);                                   \
	result = SHIM_REAL(sem_trywait)(sem);                                                                \
	if (result != 0 && errno == EAGAIN) {                                                                \
		struct sem_wait wait = {t, index, sem};                                                      \
		errno = saved;                                                                               \
		pthread_cleanup_push(not_got, &wait);                                                        \
		SHIM_BLOCKING_CANCELLABLE(                                                                   \
		    result, t,                                                                               \
		    (&(const struct shim_wait){.op = DT_OP_SEM_WAIT,                                         \
		                               .how = DT_LOCK_SEM | (what),                                  \
		                               .object = sem,                                                \
		                               .context = shim_context_now(t, SHIM_SLOT())}),                \
		    -1, call);                                                                               \
		pthread_cleanup_pop(0);                                                                      \
	}                                                                                                    \
	got(t, sem, index, what, units, again, result == 0);                                                 \
	if (result == 0)                                                                                     \
		shim_race_acquire(sem, true);                                                                \
	return result

SHIM_HOOK(int, sem_trywait, (sem_t * sem))
{
	struct shim_thread *t = &shim_self;
	uint32_t units = units_of(t, sem);
	bool resource = units != 0, again = resource && held_unit(t, sem);
	uint32_t index = want(t, sem, SHIM_HOW_TRY, SHIM_SLOT(), resource, again);
	int result = SHIM_REAL(sem_trywait)(sem);
	got(t, sem, index, SHIM_HOW_TRY, units, again, result == 0);
	if (result == 0)
		shim_race_acquire(sem, true);
	return result;
}

SHIM_HOOK_AHEAD(int, sem_wait, (sem_t * sem));
SHIM_HOOK_AHEAD(int, sem_timedwait, (sem_t * sem, const struct timespec *deadline));

/* To wait for a signal without a limit may be how a thread idles. */
static int wait_endless(struct shim_block *block, sem_t *sem, bool resource)
{
	int result, saved = errno;
	if (!resource)
		return SHIM_REAL(sem_wait)(sem);
	shim_block_look_for_units(block);
	SHIM_ENDLESS(result, block, deadline, result != 0 && errno == ETIMEDOUT,
	             SHIM_REAL(sem_timedwait)(sem, &deadline), SHIM_REAL(sem_wait)(sem));
	if (block->refusal || result == 0)
		errno = block->refusal ? block->refusal : saved;
	return result;
}

SHIM_HOOK(int, sem_wait, (sem_t * sem))
{
	SEM_WAIT(0, wait_endless(&shim_b, sem, resource));
}

SHIM_HOOK(int, sem_timedwait, (sem_t * sem, const struct timespec *deadline))
{
	SEM_WAIT(SHIM_HOW_TIMED, SHIM_REAL(sem_timedwait)(sem, deadline));
}

SHIM_HOOK(int, sem_clockwait, (sem_t * sem, clockid_t clock, const struct timespec *deadline))
{
	SEM_WAIT(SHIM_HOW_TIMED, SHIM_REAL(sem_clockwait)(sem, clock, deadline));
}

SHIM_HOOK(int, sem_post, (sem_t * sem))
{
	struct shim_thread *t = &shim_self;
	uint32_t units = units_of(t, sem);
	if (units && held_unit(t, sem)) {
		shim_identity_given_back(sem);
		shim_release(t, sem);
		if (units > 1)
			shim_states_gave(t);
	} else {
		if (units)
			shim_identity_is_signal(t, sem);
		shim_note_op(t, DT_OP_SEM_POST, sem, DT_LOCK_SEM, SHIM_SLOT());
	}
	shim_race_release(sem, SHIM_RACE_JOIN, true);
	return SHIM_REAL(sem_post)(sem);
}

SHIM_HOOK(int, sem_init, (sem_t * sem, int shared, unsigned value))
{
	shim_misuse_init(&shim_self, sem, DT_LOCK_SEM, SHIM_SLOT());
	int result = SHIM_REAL(sem_init)(sem, shared, value);
	if (result == 0) {
		shim_identity_born(&shim_self, sem, DT_LOCK_SEM, SHIM_SLOT());
		shim_identity_units(sem, value);
	}
	return result;
}

SHIM_HOOK(int, sem_destroy, (sem_t * sem))
{
	shim_misuse_destroy(&shim_self, sem, DT_LOCK_SEM, SHIM_SLOT());
	int result = SHIM_REAL(sem_destroy)(sem);
	if (result == 0) {
		shim_misuse_destroyed(&shim_self, sem, DT_LOCK_SEM, SHIM_SLOT());
		forget(&shim_self, sem);
		shim_identity_ended(sem);
	}
	return result;
}

/* The value that it was created with is known to its creator only; a semaphore that is there already began
 * with what it has now, as far as this process is concerned. Opening one again gives the same address. */
SHIM_HOOK(sem_t *, sem_open, (const char *name, int flags, ...))
{
	va_list arguments;
	va_start(arguments, flags);
	mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
	unsigned value = flags & O_CREAT ? va_arg(arguments, unsigned) : 0;
	va_end(arguments);
	sem_t *sem = SHIM_REAL(sem_open)(name, flags, mode, value);
	if (sem != SEM_FAILED && !shim_identity_alive(sem, DT_LOCK_SEM)) {
		shim_identity_born(&shim_self, sem, DT_LOCK_SEM, SHIM_SLOT());
		shim_identity_units(sem, shim_sem_value(sem));
	}
	return sem;
}

SHIM_HOOK(int, sem_close, (sem_t * sem))
{
	int result = SHIM_REAL(sem_close)(sem);
	/* Opened several times, it is still there until the last close unmaps it. */
	if (result == 0 && !shim_memory_readable((uintptr_t)sem & ~(uintptr_t)7))
		shim_identity_ended(sem);
	return result;
}
