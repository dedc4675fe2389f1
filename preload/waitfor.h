/* waitfor.h: the wait-for graph, walked by a thread that is about to block.
 *
 * An edge leads from a blocked thread to each thread that holds what it waits for (or, for a reader of an
 * rwlock that prefers writers, to each writer that waits for it; for a join, to the thread that is joined).
 * Only waits without a limit are edges. A path back to the walker is a closed cycle.
 *
 * Exact: each member of the cycle was published as blocked, holding what the one before it waits for, at one
 * and the same moment, so none of them can have got what it waits for; and since each publishes before
 * it walks, the last one to block sees the whole cycle.
 *
 * Memory: a scratch region that is kept for the next walk. Threads: any, at once; nothing waits.
 * Failure: without memory, or with more than SHIM_CYCLE_MAX threads in a row, nothing is found. */
#ifndef SHIM_WAITFOR_H
#define SHIM_WAITFOR_H

#include "block.h"
#include "incident.h"

enum { SHIM_CYCLE_MAX = 1024 };

/* The cycle that the wait published in `slot` closes, reported when this is the first to see it.
 * True: the call is to be refused (on_deadlock=break). May end the process (exit, abort). */
bool shim_waitfor_check(struct shim_thread *t, struct dt_board_slot *slot, bool refusable);

/* If the thread that is held back in `slot` went on now, its wait would close a cycle of threads that are blocked, or
 * held back as it is. */
bool shim_waitfor_would_close(const struct dt_board_slot *slot);

/* The wait published in `slot` is one of a circle of waits that is closed now. */
bool shim_waitfor_is_closed(const struct dt_board_slot *slot);

/* Of copies of blocked threads' slots: `other` holds the lock that `waiter` waits for so that it has to wait, or is a
 * writer that is let in first. */
bool shim_waitfor_in_the_way(const struct dt_board_slot *other, const struct dt_board_slot *waiter);
/* True for the first that comes with this key, which stands for one circle at one moment. */
bool shim_waitfor_claim(uint64_t key);

/* A cycle was reported in this process and not broken. */
bool shim_waitfor_deadlocked(void);
void shim_waitfor_forked(void);

/* Report that the wait published in `slot` lasts long, and who holds what it waits for. */
void shim_waitfor_tell_wait(struct shim_thread *t, const struct dt_board_slot *slot, enum dt_incident incident);

/* What on_deadlock says after a report: end the process, or come back. */
void shim_waitfor_act(void);

/* Append what a blocked thread waits for and what it holds, what `link` (an address, or 0) names first. */
uint32_t shim_waitfor_parts(const struct dt_board_slot *slot, uint64_t link, struct shim_part *parts,
                            uint32_t count, uint32_t max);

#endif
