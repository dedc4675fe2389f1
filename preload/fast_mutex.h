/* fast_mutex.h: locking and unlocking a plain or recursive mutex as glibc does it, without the call.
 *
 * What nptl/pthread_mutex_lock.c and _unlock.c do for PTHREAD_MUTEX_TIMED_NP and PTHREAD_MUTEX_RECURSIVE_NP, private
 * to the process: swap the word from 0 to 1, write the owner, count the user; back in reverse, with a wake-up when
 * the word says that somebody waits. All else is the real function's. It costs no call, so that an observed lock
 * is little slower than a bare one.
 * *shim_fast_mutex is true only where glibc was seen to do exactly this (shim_fast_mutex_probe), by this process:
 * it lies where the kernel wipes it in the child of a fork, since the owner that glibc writes is another there.
 * Threads: any. errno is kept. */
#ifndef SHIM_FAST_MUTEX_H
#define SHIM_FAST_MUTEX_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/single_threaded.h>

#include "shim.h"

extern SHIM_HIDDEN bool *shim_fast_mutex;

/* See whether glibc keeps a mutex as we think, and what it takes the calling thread's id to be: written to
 * *owner. After each fork again: the child's is another. */
void shim_fast_mutex_probe(int32_t *owner);

void shim_fast_mutex_wake(int *word);

static inline bool shim_fast_mutex_fits(const struct shim_thread *t, const pthread_mutex_t *mutex)
{
	return SHIM_LIKELY(*shim_fast_mutex) && SHIM_LIKELY((unsigned)mutex->__data.__kind <= PTHREAD_MUTEX_RECURSIVE_NP) &&
	       SHIM_LIKELY(t->owner != 0);
}

/* True: it was free, and is the calling thread's now. */
static inline bool shim_fast_mutex_take(const struct shim_thread *t, pthread_mutex_t *mutex)
{
	int *word = &mutex->__data.__lock, unlocked = 0;
	if (__libc_single_threaded) {
		if (*word)
			return false;
		*word = 1;
	} else if (!__atomic_compare_exchange_n(word, &unlocked, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		return false;
	}
	mutex->__data.__owner = t->owner;
	mutex->__data.__nusers++;
	if (mutex->__data.__kind == PTHREAD_MUTEX_RECURSIVE_NP)
		mutex->__data.__count = 1;
	return true;
}

/* True: released, and *wanted when it was the last time and shim_fast_mutex_wake is due. False: the real function must
 * say what is wrong. */
static inline bool shim_fast_mutex_give(const struct shim_thread *t, pthread_mutex_t *mutex, bool *wanted)
{
	int *word = &mutex->__data.__lock;
	if (mutex->__data.__kind == PTHREAD_MUTEX_RECURSIVE_NP) {
		if (mutex->__data.__owner != t->owner)
			return false;
		if (--mutex->__data.__count != 0)
			return true;
	}
	mutex->__data.__owner = 0;
	mutex->__data.__nusers--;
	if (__libc_single_threaded)
		*word = 0;
	else
		*wanted = __atomic_exchange_n(word, 0, __ATOMIC_RELEASE) > 1;
	return true;
}

#endif
