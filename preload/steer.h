/* steer.h: hold threads back where they are about to make an edge of a lock-order cycle, so that the cycle
 * closes if it can (option `steer`, written by `detect confirm`).
 *
 * Active scheduling as in DeadlockFuzzer (Joshi, Park, Sen, Naik: "A Randomized Dynamic Program Analysis
 * Technique for Detecting Real Deadlocks", PLDI 2009): a thread that holds the edge's first lock and is about
 * to take the second pauses before it, until going on would close a cycle, until nobody else runs that could
 * close it, or for a bounded time. It never refuses or reorders anything: each schedule that comes about is
 * one the program allows, so a deadlock that is then seen is real.
 *
 * Memory: the plan is a read-only mapping. Threads: any, at once, lock-free. errno is kept.
 * Failure: without a readable plan nothing is held back, and that is said. */
#ifndef SHIM_STEER_H
#define SHIM_STEER_H

#include "shim.h"

/* Read the plan that the options name, if any; once, before the first thread is observed. */
void shim_steer_open(void);

/* Another process now, in which nobody is held back. */
void shim_steer_forked(void);

/* There is a plan: every acquisition takes the slow path, so that none is missed, and who made the plan
 * reports what happens. */
extern SHIM_HIDDEN bool shim_steering;

/* The calling thread is about to acquire the entry `index` of its held stack: at `context`, as `how`. */
void shim_steer(struct shim_thread *t, uint32_t index);

#endif
