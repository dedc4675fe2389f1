/* atomic.h: what an atomic operation's order publishes or learns, around the operation itself.
 *
 *   struct race_operation op = race_atomic_begin(a, make);
 *   race_atomic_learned(&op, order);        an acquire, if it reads
 *   race_atomic_published(&op, order, …);   a release, if it writes
 *   … the operation …
 *   race_atomic_end(&op);
 *
 * C++20's rules (6.9.2.2): a release is seen by an acquire that reads it or one of its release sequence,
 * which a read-modify-write of any order goes on with and a plain store of another thread ends (as in C11 and
 * C++11, where one of the same thread does not). A relaxed store publishes what
 * was known at the last release fence; what a relaxed load reads is known from the next acquire fence on.
 * Value and clock change together, under the object's lock, which is held from begin to end. */
#ifndef SHIM_RACE_ATOMIC_H
#define SHIM_RACE_ATOMIC_H

#include "access.h"
#include "sync.h"

static inline bool race_acquires(int order)
{
	return order == __ATOMIC_ACQUIRE || order == __ATOMIC_CONSUME || order == __ATOMIC_ACQ_REL ||
	       order == __ATOMIC_SEQ_CST;
}

static inline bool race_releases(int order)
{
	return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

/* Compilers may put more than the order into the upper bits. */
static inline int race_plain_order(int order)
{
	order &= 0x7fff;
	return order <= __ATOMIC_SEQ_CST ? order : __ATOMIC_SEQ_CST;
}

/* An operation that is being followed. */
struct race_operation {
	struct race_hot *hot; /* NULL: it is not */
	struct race_sync *sync;
};

static inline struct race_operation race_atomic_begin(volatile const void *address, bool make)
{
	struct race_hot *hot = race_self();
	if (!hot || hot->busy || hot->ignore & RACE_IGNORE_SYNC)
		return (struct race_operation){NULL, NULL};
	race_enter(hot);
	return (struct race_operation){hot, race_sync_lock((uintptr_t)address, make)};
}

static inline void race_atomic_end(const struct race_operation *op)
{
	if (op->sync)
		race_sync_unlock(op->sync);
	if (op->hot)
		race_leave(op->hot);
}

static void race_atomic_learned(const struct race_operation *op, int order)
{
	if (!op->sync || !op->sync->clock)
		return;
	struct race_thread *t = op->hot->thread;
	if (race_acquires(order)) {
		race_sync_acquire(t, op->sync, true);
		return;
	}
	race_clock_refresh(&t->to_acquire);
	race_clock_refresh(op->sync->clock);
	race_clock_join(&t->to_acquire, op->sync->clock);
	t->has_to_acquire = true;
}

/* What the last release fence covers, instead of or beside what is there. */
static void race_atomic_publish_fence(const struct race_operation *op, bool store)
{
	struct race_thread *t = op->hot->thread;
	struct race_sync *sync = op->sync;
	race_clock_refresh(&t->to_release);
	if (!sync->clock && !(sync->clock = race_clock_new()))
		return;
	if (!sync->must && !(sync->must = race_clock_new()))
		return;
	race_clock_refresh(sync->clock);
	race_clock_refresh(sync->must);
	if (store) {
		race_clock_copy(sync->clock, &t->to_release);
		race_clock_copy(sync->must, &t->to_release);
	} else {
		race_clock_join(sync->clock, &t->to_release);
		race_clock_join(sync->must, &t->to_release);
	}
	sync->last_epoch = 0;
}

static void race_atomic_published(const struct race_operation *op, int order, bool is_store)
{
	if (!op->sync)
		return;
	bool ends = is_store && op->sync->last_thread != op->hot->thread; /* the release sequence */
	if (race_releases(order))
		race_sync_release(op->hot, op->sync, is_store ? SHIM_RACE_STORE : SHIM_RACE_JOIN, true);
	else if (op->hot->thread->has_to_release)
		race_atomic_publish_fence(op, ends);
	else if (ends)
		race_sync_silence(op->sync);
}

/* A store must have an object when it publishes; one that publishes nothing only silences. */
static inline bool race_atomic_wants_object(int order)
{
	return race_releases(order) || (race_hot.stamp && race_hot.thread->has_to_release);
}

#endif
