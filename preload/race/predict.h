/* predict.h: races that another schedule would have shown: accesses that are ordered only because one thread
 * happened to take a lock before another (rule names as in WCP: Kini, Mathur, Viswanathan, PLDI 2017). */
#ifndef SHIM_RACE_PREDICT_H
#define SHIM_RACE_PREDICT_H

#include "access.h"

/* A conflict that happens-before orders: is there something to say, or to learn from it? Also when
 * must-happen-before knows the access itself (by a pipe, say), but not all that its thread did before it gave
 * the lock back. */
static inline bool race_predict_wanted(const struct race_thread *t, uint32_t slot, uint32_t epoch)
{
	return t->must.epoch[slot] < epoch || (t->unlearned && t->must.epoch[slot] < t->clock.epoch[slot]);
}

void race_predict(struct race_hot *hot, uintptr_t word, race_cell cell, race_cell old,
                  const struct race_access *access);
/* A cell is overwritten for want of room by an access under a lock. What the same section does next to those
 * bytes would have been the conflict that it learns from. */
void race_predict_forgotten(struct race_hot *hot, race_cell old);
/* Before an atomic access under a lock: what other sections of the lock did to it atomically is no conflict,
 * and yet the later section may depend on it (a pointer that is stored and looked at again under the lock).
 */
void race_predict_atomic(struct race_hot *hot, uintptr_t address, unsigned bytes_log, uint32_t kind);
/* The calling thread's held locks have changed. True: it is another set, which counts from the next epoch on.
 */
bool race_predict_lockset(struct race_thread *t);
/* An epoch begins, or nothing was done in it yet: this is the set that was held in it. */
void race_predict_epoch(const struct race_thread *t);

#endif
