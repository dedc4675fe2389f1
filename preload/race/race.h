/* race.h: what the hooks tell the race engine: who comes after whom.
 *
 * The engine sleeps until code made with -fsanitize=thread calls __tsan_init; until then each of these
 * costs a load and a branch that is never taken.
 * Threads: any; an object is any address, and is a synchronisation object from the first call on. */
#ifndef SHIM_RACE_H
#define SHIM_RACE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../shim.h"

extern SHIM_HIDDEN bool shim_race_on;

enum shim_race_sync {
	SHIM_RACE_STORE, /* what was published before is replaced: by a lock's holder, who has acquired it */
	SHIM_RACE_JOIN   /* what was published before stays: semaphores, readers, barriers */
};

void shim_race_acquire_now(const void *object, bool must);
void shim_race_release_now(const void *object, enum shim_race_sync how, bool must);
void shim_race_lock_now(const void *lock, uint32_t how, uint32_t context);
void shim_race_unlock_now(const void *lock, uint32_t how);
void shim_race_forget_now(const void *object, size_t bytes);
void shim_race_create_now(uint32_t id);
void shim_race_begin_now(uint32_t id);
void shim_race_end_now(uint32_t id);
void shim_race_joined_now(uint32_t id);
void shim_race_allocated_now(void *block, size_t bytes, size_t usable, uintptr_t slot);
void shim_race_freeing_now(void *block, size_t bytes, uintptr_t slot);
uint64_t shim_race_reserved(void);
void shim_race_unmapped_now(uintptr_t start, size_t bytes);
void shim_race_unloaded_now(void);
void shim_race_forking_now(void);
void shim_race_has_forked_now(void);
void shim_race_forked_now(void);
void shim_race_sent_now(int fd);
void shim_race_received_now(int fd);
void shim_race_events_now(void);
void shim_race_connecting_now(void);
void shim_race_accepted_now(void);
void shim_race_closing_now(int fd);
void shim_race_opened_now(int fd);
void shim_race_signalling_now(int number);
void shim_race_signalled_now(int number);
uint32_t shim_race_handler_now(int number);
void shim_race_handled_now(uint32_t was);
bool shim_race_put_off_now(int number, const siginfo_t *info, uint64_t *mask);

#define SHIM_RACE_CALL(call)                                                                                 \
	do {                                                                                                 \
		if (SHIM_UNLIKELY(shim_race_on))                                                             \
			call;                                                                                \
	} while (0)

/* What happened before a release of the object happens before what follows. must: in every schedule;
 * else only because this release came first in this one. */
#define shim_race_acquire(object, must) SHIM_RACE_CALL(shim_race_acquire_now(object, must))
#define shim_race_release(object, how, must) SHIM_RACE_CALL(shim_race_release_now(object, how, must))

/* Behind a lock call that succeeded; before the unlock call. how: enum shim_how. The context is that of
 * the lock's entry, which is then the last one of the held stack. */
#define shim_race_lock(lock, how, success)                                                                   \
	SHIM_RACE_CALL((success) ? shim_race_lock_now(lock, how, shim_race_context(lock)) : (void)0)
#define shim_race_unlock(lock, how) SHIM_RACE_CALL(shim_race_unlock_now(lock, how))

static inline uint32_t shim_race_context(const void *lock)
{
	const struct shim_thread *t = &shim_self;
	for (uint32_t i = t->depth; t->capacity && i-- > 0;)
		if (t->held[i].lock == lock)
			return t->held[i].context;
	return 0;
}

/* The object's life is over, or begins. */
#define shim_race_forget(object, bytes) SHIM_RACE_CALL(shim_race_forget_now(object, bytes))

/* Threads, by their id in the log: the creator before the create call, the created, at its end, its joiner.
 */
#define shim_race_create(id) SHIM_RACE_CALL(shim_race_create_now(id))
#define shim_race_begin(id) SHIM_RACE_CALL(shim_race_begin_now(id))
#define shim_race_end(id) SHIM_RACE_CALL(shim_race_end_now(id))
#define shim_race_joined(id) SHIM_RACE_CALL(shim_race_joined_now(id))

/* Memory: a block begins, is about to be freed; a range is mapped anew or unmapped. shim_race_reserved: bytes
 * of the address space that are taken for this. */
#define shim_race_allocated(block, bytes, usable, slot)                                                        \
	SHIM_RACE_CALL(shim_race_allocated_now(block, bytes, usable, slot))
#define shim_race_freeing(block, bytes, slot) SHIM_RACE_CALL(shim_race_freeing_now(block, bytes, slot))
#define shim_race_unmapped(start, bytes) SHIM_RACE_CALL(shim_race_unmapped_now(start, bytes))

/* A library was: other code may be where its code was. */
#define shim_race_unloaded() SHIM_RACE_CALL(shim_race_unloaded_now())

/* Through the kernel: before a call that gives it something (bytes, an event, a connection, a signal or its
 * handler, a descriptor's number back), and after one that has got it from there. */
#define shim_race_sent(fd) SHIM_RACE_CALL(shim_race_sent_now(fd))
#define shim_race_received(fd) SHIM_RACE_CALL(shim_race_received_now(fd))
/* Behind a wait that returned events. */
#define shim_race_events() SHIM_RACE_CALL(shim_race_events_now())
#define shim_race_connecting() SHIM_RACE_CALL(shim_race_connecting_now())
#define shim_race_accepted() SHIM_RACE_CALL(shim_race_accepted_now())
#define shim_race_closing(fd) SHIM_RACE_CALL(shim_race_closing_now(fd))
#define shim_race_opened(fd) SHIM_RACE_CALL(shim_race_opened_now(fd))
#define shim_race_signalling(number) SHIM_RACE_CALL(shim_race_signalling_now(number))
#define shim_race_signalled(number) SHIM_RACE_CALL(shim_race_signalled_now(number))

/* Of the calling thread, by pthread_setcanceltype: before it may be cancelled anywhere, after it may no
 * longer. */
void shim_race_cancel_type(int type);
/* The real call. */
void shim_set_cancel_type(int type);

/* A signal comes. True: it comes again when the engine is left; the mask that its handler returns to is
 * changed. */
#define shim_race_put_off(number, info, mask)                                                                \
	(SHIM_UNLIKELY(shim_race_on) && shim_race_put_off_now(number, info, mask))

/* Around a handler; what the first gives goes into the second. A handler that interrupts the engine itself
 * learns nothing, so that what it does is not followed either. */
#define shim_race_handler(number) (SHIM_UNLIKELY(shim_race_on) ? shim_race_handler_now(number) : 0)
#define shim_race_handled(was) SHIM_RACE_CALL((was) ? shim_race_handled_now(was) : (void)0)

/* Before a fork, until one of the others: nobody else is in the middle of the engine's lists. After it, in
 * the parent; in the child, where one thread is left. */
#define shim_race_forking() SHIM_RACE_CALL(shim_race_forking_now())
#define shim_race_has_forked() SHIM_RACE_CALL(shim_race_has_forked_now())
#define shim_race_forked() SHIM_RACE_CALL(shim_race_forked_now())

#endif
