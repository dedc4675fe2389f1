/* states.h: what threads hold at the same time, for the banker's test afterwards: states are logged, once each.
 *
 * Of counted semaphores each is seen that threads make in sections which were seen to take more than one unit: who
 * takes a unit there looks at what all the others hold. Sections of one unit, and locks alone, are looked at by
 * sample, which costs the locks' hot path nothing: when a thread begins to wait, when it does what it has not done
 * before, and at the acquisitions that are timed: all of its first ones, then one in so many.
 *
 * Memory: tables, which the child of a fork finds empty. Threads: any. Failure: too many threads, too many held by one
 * or in one set, no room for one more: states are missing, and those of counted semaphores are counted as lost. */
#ifndef SHIM_STATES_H
#define SHIM_STATES_H

#include <stdbool.h>

#include "declare.h"
#include "shim.h"

bool shim_states_open(void);
void shim_states_forked(void);

/* The calling thread has an id and a held stack from here on; the stack has moved; it is given back. */
void shim_states_thread_begins(struct shim_thread *t);
void shim_states_moved(struct shim_thread *t);
void shim_states_thread_ended(struct shim_thread *t);

/* It has declared claims. */
void shim_states_declared(struct shim_thread *t, const struct shim_claims *claims);
/* A unit of a semaphore of several was got, or one was given back: the held stack says so already. */
void shim_states_got(struct shim_thread *t);
void shim_states_gave(struct shim_thread *t);
/* What it holds begins a section that has taken, or wants, a second unit. */
void shim_states_nests(const struct shim_thread *t);
/* It holds locks, and this may be a good moment. */
void shim_states_look(struct shim_thread *t);

#endif
