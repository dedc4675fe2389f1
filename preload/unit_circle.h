/* unit_circle.h: circles of waits through semaphores that are used as locks.
 *
 * A thread that waits for a unit waits for any one of the threads that hold units, so a path back to it is
 * not enough: all units must be held by threads that wait themselves, each for something that only the others
 * could give. The largest such set of this process's blocked threads is found by taking out, again and again,
 * who waits for anything else (Holt 1972: a knot; with several units a cycle is necessary, but not
 * sufficient).
 *
 * Who holds a unit is the only one who gives it back, as far as was seen: the semaphore was posted by a
 * holder, and never by anybody else. What another thread may do for the first time nobody knows, so this is
 * said as a warning, when the circle has stood for as long as the waiter waited before it looked.
 *
 * Memory: mapped for each look. Threads: the one that waits, of its own wait. Failure: without memory, or
 * with more than UNIT_CIRCLE_THREADS blocked threads, nothing is found. */
#ifndef SHIM_UNIT_CIRCLE_H
#define SHIM_UNIT_CIRCLE_H

#include "board.h"

/* How long a wait for a unit lasts before the first look, and between looks at most. */
#define SHIM_UNIT_LOOK_NS 1000000000u
#define SHIM_UNIT_LOOK_APART_NS 30000000000u

/* `slot` is the caller's, blocked in a wait for a semaphore. Reports what it finds, once. */
void shim_unit_circle_look(struct shim_thread *t, const struct dt_board_slot *slot);

#endif
