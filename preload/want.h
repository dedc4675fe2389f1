/* want.h: the hot path of what a thread wants, before the real call.
 *
 * Three ways, the first that fits: this thread did exactly this the last time it was at this place (shim_want_again);
 * it did so at some time, in this segment (shim_want_other); else shim_want_slow looks and, when it is new, records.
 * In all of them the entry is first reserved, then written: a handler in between finds it not held.
 *
 * Threads: the calling thread's own state; what is shared is only read. errno is kept. */
#ifndef SHIM_WANT_H
#define SHIM_WANT_H

#include "seen.h"
#include "shim.h"
#include "signals.h"

enum {
	SHIM_FOLDED_MANY = 1024,  /* folded acquisitions at one place before only some are looked at */
	SHIM_FOLDED_SAMPLE = 64   /* then one in so many */
};

/* Releases by a thread that did not hold the lock, ever: while 0 no entry can be stale. */
extern SHIM_HIDDEN _Atomic uint32_t shim_foreign_count;

/* The context of the calling thread's stack at `slot`, if it is remembered and the held stack can take one more entry
 * without a question; else NULL. */
static inline __attribute__((always_inline)) struct shim_context *shim_context_known(struct shim_thread *t,
                                                                                    uintptr_t slot, uint32_t how)
{
	uint32_t index = t->depth;
	if (SHIM_UNLIKELY(index >= t->capacity))
		return NULL;
	struct shim_context *c = shim_context_place(t, slot);
	const struct shim_held *e = &t->held[index];
	if (SHIM_UNLIKELY(c->slot != slot || c->how != how || !(e[-1].how & SHIM_HOW_HELD) || !shim_context_lies(c)))
		return NULL;
	return c;
}

/* The same lock, under the same ones, as the last time at this context. False: it is not, and nothing is done. */
static inline __attribute__((always_inline)) bool shim_want_again(struct shim_thread *t, void *lock,
                                                                 const struct shim_context *c)
{
	uint32_t index = t->depth;
	struct shim_held *e = &t->held[index];
	uint64_t era = t->salt ^ shim_generation_of(lock);
	if (SHIM_UNLIKELY(c->last_lock != lock || c->last_era != era || c->last_parent != e[-1].signature))
		return false;
	t->depth = index + 1;
	atomic_signal_fence(memory_order_seq_cst);
	e->lock = lock;
	e->signature = c->last_signature;
	e->context = c->id;
	e->signals = c->last_signals;
	e->acq = 0;
	return true;
}

static inline struct shim_pair shim_pair_of(const struct shim_thread *t, uint64_t parent, const void *lock,
                                            uint32_t context, uint32_t how)
{
	struct shim_pair pair = {parent, 0, lock, shim_generation_of(lock), context};
	pair.signature = shim_mix(parent, lock, pair.generation, context, how) ^ shim_signals_salt(t->signals);
	return pair;
}

/* What shim_want_again compares with the next time. */
static inline void shim_want_remember(struct shim_thread *t, struct shim_context *c, const struct shim_pair *pair)
{
	c->last_lock = NULL;
	atomic_signal_fence(memory_order_seq_cst);
	c->last_parent = pair->parent;
	c->last_era = t->salt ^ pair->generation;
	c->last_signals = t->signals;
	c->last_signature = pair->signature;
	atomic_signal_fence(memory_order_seq_cst);
	c->last_lock = pair->lock;
}

/* Over the budget, at a place that makes ever new acquisitions: look at some of them only. */
static inline bool shim_want_passed_over(struct shim_context *c)
{
	return SHIM_UNLIKELY(c->folded >= SHIM_FOLDED_MANY) && ++c->folded % SHIM_FOLDED_SAMPLE != 0;
}

/* Another lock, or under others, than the last time at this context, but nothing new. False: that is not sure, and
 * nothing is done. Not where avoidance has a say. */
static inline __attribute__((always_inline)) bool shim_want_other(struct shim_thread *t, void *lock,
                                                                 struct shim_context *c)
{
	uint32_t index = t->depth;
	struct shim_held *e = &t->held[index];
	const struct shim_pair pair = shim_pair_of(t, e[-1].signature, lock, c->id, c->how);
	if (SHIM_UNLIKELY(c->epoch != atomic_load_explicit(&shim_code_epoch, memory_order_relaxed) ||
	                  atomic_load_explicit(&shim_foreign_count, memory_order_relaxed) || t->busy ||
	                  t->signals >> SHIM_SIGNALS_OPEN_SHIFT == SHIM_SIGNALS_OPEN_UNKNOWN ||
	                  !(shim_want_passed_over(c) || shim_seen(t, &pair))))
		return false;
	t->depth = index + 1;
	atomic_signal_fence(memory_order_seq_cst);
	e->lock = lock;
	e->signature = pair.signature;
	e->context = c->id;
	e->signals = t->signals;
	e->acq = 0;
	shim_want_remember(t, c, &pair);
	return true;
}

/* Slow paths (note.c). shim_want_here: at a context that is known to lie on the stack. */
uint32_t shim_want_slow(struct shim_thread *t, void *lock, uintptr_t slot, uint32_t how);
uint32_t shim_want_here(struct shim_thread *t, void *lock, struct shim_context *c);

/* Note that the calling thread wants `lock`, with the held stack at `t->depth` or deeper: the index
 * of its entry for shim_got, or SHIM_NO_ENTRY when nothing is recorded. */
static inline __attribute__((always_inline)) uint32_t shim_want(struct shim_thread *t, void *lock, uintptr_t slot,
                                                                uint32_t how)
{
	uint32_t index = t->depth;
	struct shim_context *c = shim_context_known(t, slot, how);
	if (SHIM_UNLIKELY(!c))
		return shim_want_slow(t, lock, slot, how);
	if (SHIM_UNLIKELY(!shim_want_again(t, lock, c)))
		return shim_want_here(t, lock, c);
	return index;
}

#endif
