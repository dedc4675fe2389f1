/* banker.h: is there an order in which all threads can end? Dijkstra's banker's algorithm ("Cooperating
 * sequential processes", EWD 123, 1965) in Habermann's form ("Prevention of System Deadlocks", CACM 12(7),
 * 1969).
 *
 * A resource is anything of which there are units: a lock has one, a counting semaphore as many as it began
 * with, an rwlock one for each of as many readers as there can be, all of which a writer takes. What a thread
 * may still ask for, its need, is its claim less its allocation; a claim below the allocation counts as no
 * need.
 *
 * (detect/avoid.h is the same test in place, on needs that are sparse and change behind its back;
 * check_states.c goes on from here with the order in which threads give back.)
 *
 * Memory: the caller's. Threads: any. Failure: none. */
#ifndef DETECT_BANKER_H
#define DETECT_BANKER_H

#include <stdint.h>

/* Rows of `allocation` and `claim` are by thread, `resources` numbers each. */
struct dt_banker {
	uint32_t threads, resources;
	const uint32_t *available, *allocation, *claim;
};

/* How many uint32_t `work` must have. */
#define DT_BANKER_WORK(threads, resources) (3 * (threads) + 2 * (resources))

/* Returns how many threads can't be sure to end; 0: the state is safe. `order`, of `threads` numbers, then
 * begins with a safe sequence of the others and ends with those that are stuck, in ascending order. Time:
 * each need is looked at once, and once more for each time that units come back of a resource that the thread
 * was waiting for: O(threads * (threads + resources)), O(threads * resources) where a wait is for one thread.
 */
uint32_t dt_banker_stuck(const struct dt_banker *state, uint32_t *order, uint32_t *work);

#endif
