/* misuse.h: rules of pthreads that a call is about to break. Asked before the real call, off the fast path.
 *
 * What glibc's objects say decides, together with what the calling thread holds; where both leave a doubt
 * (a lock of a thread that is not observed, an object that may have been initialised anew by assignment)
 * nothing is said. Threads: any. errno is kept. */
#ifndef SHIM_MISUSE_H
#define SHIM_MISUSE_H

#include "shim.h"

/* The calling thread releases what it does not hold. */
void shim_misuse_unlock(struct shim_thread *t, void *lock, enum dt_lock_kind kind, uintptr_t slot);
/* It destroys the object: locked, waited on, or destroyed before. */
void shim_misuse_destroy(struct shim_thread *t, void *object, enum dt_lock_kind kind, uintptr_t slot);
/* It was destroyed: remember, to know a use. After the real call. */
void shim_misuse_destroyed(struct shim_thread *t, void *object, enum dt_lock_kind kind, uintptr_t slot);
/* It initialises the object, which may be locked. */
void shim_misuse_init(struct shim_thread *t, void *object, enum dt_lock_kind kind, uintptr_t slot);
/* A lock call failed with EINVAL: the mutex may be a destroyed one. */
void shim_misuse_invalid(struct shim_thread *t, void *mutex, uintptr_t slot);
/* The object is used at a place or in a life that is new. t->busy is set. */
void shim_misuse_use(struct shim_thread *t, void *object, enum dt_lock_kind kind, uint32_t context);
/* The memory went away, or the object was initialised again. */
void shim_misuse_forget(const void *object);
/* The thread ends. t->busy is set. */
void shim_misuse_exit(struct shim_thread *t);
/* The process ends by a call of the thread: what it holds and other processes can wait for. */
void shim_misuse_process_exit(struct shim_thread *t);
/* It waits on a condition: with a mutex that it does not hold; with another one than others do. */
void shim_misuse_wait_unlocked(struct shim_thread *t, void *cond, void *mutex, uint32_t context);
void shim_misuse_wait_mismatch(struct shim_thread *t, void *cond, void *mutex, const void *other, uint32_t context);

bool shim_misuse_open(void);

#endif
