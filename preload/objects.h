/* objects.h: what glibc's objects say of themselves: their layouts on x86-64, glibc 2.35 and later.
 *
 * Threads: any; a value may be old by the time it is returned. The caller knows that the memory is there. */
#ifndef SHIM_OBJECTS_H
#define SHIM_OBJECTS_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

#include <detect/log_format.h>

/* nptl/pthreadP.h: bits of a mutex's kind. */
enum {
	SHIM_MUTEX_TYPE = 3, SHIM_MUTEX_ROBUST = 0x10, SHIM_MUTEX_PI = 0x20, SHIM_MUTEX_PP = 0x40,
	SHIM_MUTEX_PSHARED = 0x80, SHIM_MUTEX_ELISION = 0x100
};

static inline int shim_mutex_kind(const void *mutex)
{
	return __atomic_load_n(&((const pthread_mutex_t *)mutex)->__data.__kind, __ATOMIC_RELAXED);
}

static inline bool shim_mutex_is_free(const void *mutex)
{
	return __atomic_load_n(&((const pthread_mutex_t *)mutex)->__data.__lock, __ATOMIC_RELAXED) == 0;
}

/* The kernel id of the owner, 0: none. */
static inline int32_t shim_mutex_owner(const void *mutex)
{
	return __atomic_load_n(&((const pthread_mutex_t *)mutex)->__data.__owner, __ATOMIC_RELAXED);
}

/* pthread_mutex_destroy leaves -1 behind. */
static inline bool shim_mutex_is_destroyed(const void *mutex)
{
	return shim_mutex_kind(mutex) == -1;
}

/* Locking it again from its own thread returns an error, or counts. */
static inline bool shim_mutex_knows_owner(const void *mutex)
{
	int type = shim_mutex_kind(mutex) & SHIM_MUTEX_TYPE;
	return type == PTHREAD_MUTEX_RECURSIVE_NP || type == PTHREAD_MUTEX_ERRORCHECK_NP;
}

/* nptl/pthread_rwlock_common.c: readers are counted from bit 3 on, bit 1 is a writer. */
static inline bool shim_rwlock_is_free(const void *lock)
{
	uint32_t readers = __atomic_load_n(&((const pthread_rwlock_t *)lock)->__data.__readers, __ATOMIC_RELAXED);
	return readers >> 3 == 0 && !(readers & 2);
}

static inline bool shim_rwlock_is_read(const void *lock)
{
	return __atomic_load_n(&((const pthread_rwlock_t *)lock)->__data.__readers, __ATOMIC_RELAXED) >> 3 != 0;
}

static inline int32_t shim_rwlock_writer(const void *lock)
{
	return __atomic_load_n(&((const pthread_rwlock_t *)lock)->__data.__cur_writer, __ATOMIC_RELAXED);
}

/* sysdeps/x86/nptl/pthread_spin_unlock.S stores 1. */
static inline bool shim_spin_is_free(const void *lock)
{
	return *(const volatile int *)lock == 1;
}

/* sysdeps/nptl/internaltypes.h, struct new_sem: the value in the low half of the first word, the waiters in
 * the high one. */
static inline uint32_t shim_sem_value(const void *sem)
{
	return (uint32_t)__atomic_load_n((const uint64_t *)sem, __ATOMIC_RELAXED);
}

static inline uint32_t shim_sem_waiters(const void *sem)
{
	return (uint32_t)(__atomic_load_n((const uint64_t *)sem, __ATOMIC_RELAXED) >> 32);
}

/* sysdeps/nptl/pthread_once: 1 in progress, 2 done. */
static inline bool shim_once_is_running(const void *once)
{
	return __atomic_load_n((const int *)once, __ATOMIC_RELAXED) & 1;
}

static inline bool shim_once_is_done(const void *once)
{
	return __atomic_load_n((const int *)once, __ATOMIC_ACQUIRE) & 2;
}

/* Made to be shared between processes. */
bool shim_object_is_shared(const void *object, enum dt_lock_kind kind);

/* No thread of this process waits in the barrier's round; true too when it is not followed (hook_barrier.c). */
bool shim_barrier_is_complete(const void *barrier);

bool shim_has_handler(int signal);
/* The program has a handler for a signal that can come from outside: it may post a semaphore. */
bool shim_handlers_installed(void);

#endif
