/* states.h: what threads hold of counted semaphores at one moment, for the banker's test (check_states.c).
 *
 * Each thread that holds units shows its acquisitions in a cell; who takes a unit reads all cells twice, and
 * a set that nobody changed meanwhile was there at once. Sets not seen before are logged.
 * Memory: two tables, which the child of a fork finds empty. Threads: any; a cell is written by its own thread
 * only. Failure: no free cell, too many held by one or in one set, no room for one more: states are missing, and
 * counted as lost. */
#ifndef SHIM_STATES_H
#define SHIM_STATES_H

#include <stdbool.h>

#include "shim.h"

bool shim_states_open(void);
void shim_states_forked(void);

/* A unit of a semaphore of several was got, that the entry is of; or one was given back. */
void shim_states_got(struct shim_thread *t, const struct shim_held *e);
void shim_states_gave(struct shim_thread *t);
void shim_states_thread_ended(struct shim_thread *t);

#endif
