/* identity.h: a lock is an object, not an address.
 *
 * A life begins at init or at the first acquisition of an address that has no lock, and ends at
 * destroy, another init, free, munmap, dlclose, when the frame it was a variable of is another one,
 * or with the thread whose stack it was on.
 * Where a life ends, the generation of its bucket changes, so that what threads remember of the
 * address no longer matches.
 *
 * Threads: any, at once, also from handlers; lock-free. Failure: a full table gives id 0 (counted). */
#ifndef SHIM_IDENTITY_H
#define SHIM_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim.h"

bool shim_identity_open(void);
void shim_identity_forked(void);

/* The id of the lock alive at `lock`; a new life when there is none. context: where the caller is.
 * frame_key: for a lock on the caller's own stack, what identifies the frames above it (0: not known):
 * with another key it is another variable at the same address. */
uint32_t shim_identity_of(struct shim_thread *t, void *lock, enum dt_lock_kind kind, uint32_t context,
                          uint64_t frame_key);
/* The id of its class: all locks made at the same place. */
uint32_t shim_identity_class_of(struct shim_thread *t, void *lock, enum dt_lock_kind kind, uint32_t context);

/* An init call returned: a new life, made at `slot`'s context. */
void shim_identity_born(struct shim_thread *t, void *lock, enum dt_lock_kind kind, uintptr_t slot);
/* A destroy call: the life ends. */
void shim_identity_ended(void *lock);
/* A lock of that kind is alive at that address. */
bool shim_identity_alive(const void *lock, enum dt_lock_kind kind);
/* The id of the lock that is alive there; 0: none is recorded. *initialised: by a call. */
uint32_t shim_identity_now(const void *lock, bool *initialised);
/* What identifies a lock in shared memory in every process that maps it; 0: a private one. Found once a life. */
uint64_t shim_identity_key(const void *lock, enum dt_lock_kind kind);
/* A semaphore began with so many units. */
void shim_identity_units(const void *sem, uint32_t units);
/* How many, as long as nobody has posted what he did not hold: a lock or a resource. 0: not known, or a signal.
 * Cheap. */
uint32_t shim_identity_units_of(const void *sem);
/* A thread that holds a unit is about to give it back. */
void shim_identity_given_back(const void *sem);
/* As shim_identity_units_of, of a private semaphore that was given back so at least once; else 0. */
uint32_t shim_identity_own_units_of(const void *sem);
/* What kind of lock it is known as; what was never used is taken for a mutex, or for a semaphore if it was initialised
 * as one. */
enum dt_lock_kind shim_identity_kind(const void *lock);
/* Somebody did. */
void shim_identity_is_signal(struct shim_thread *t, void *sem);
/* Where a lock that is alive came from: contexts, 0 where not known. False: none is known. */
struct shim_origin {
	uint32_t alloc_context, init_context;
	uint64_t offset; /* in its block, with alloc_context */
};
bool shim_identity_origin(const void *lock, struct shim_origin *origin);
/* The address lies on the calling thread's own stack. */
bool shim_identity_on_stack(const struct shim_thread *t, const void *lock);
/* Memory went away: every lock in it ends. */
void shim_identity_range_ended(uintptr_t start, size_t bytes);

enum { SHIM_PAGE_MARKS = 1 << 16 };
extern _Atomic uint8_t shim_page_marks[SHIM_PAGE_MARKS];

static inline uint32_t shim_page_mark_of(uintptr_t address)
{
	uintptr_t page = address >> 12;
	return (uint32_t)(page ^ (page >> 16)) & (SHIM_PAGE_MARKS - 1);
}

/* True when a heap block that starts in this page may hold a lock: cheap, for free's fast path. */
static inline bool shim_identity_page_marked(const void *address)
{
	return atomic_load_explicit(&shim_page_marks[shim_page_mark_of((uintptr_t)address)], memory_order_relaxed);
}

#endif
