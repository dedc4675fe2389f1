/* worn.h: what is kept of a part of a trace when it is full, for when it is used again: for each place in the code that accessed
 * something, the range of addresses and of epochs. That is enough to name the place, where one alone fits,
 * and no more: neither its callers nor what was held.
 *
 * Memory: a table for each thread, mapped when the first part is full. Threads: written by its own,
 * read by whoever reports a race. Failure: nothing is found. */
#ifndef SHIM_RACE_WORN_H
#define SHIM_RACE_WORN_H

#include "trace.h"

/* Once for what is in a part, by `t`, which has written it or is about to use it again. False: no memory. */
bool race_worn_keep(struct race_thread *t, const struct race_part *part);
/* The one place that may have left the cell, or what of it speaks of the bytes (as in RACE_MASK). False: there is none,
 * or not one alone. */
bool race_worn_find(race_cell cell, uint32_t bytes, uintptr_t word, struct race_past *past);

#endif
