/* board.h: this process's slots on the board (detect/board_format.h).
 *
 * Memory: a shared file mapping in the log folder, or anonymous memory without one.
 * Threads: any, at once, lock-free; a slot is written by its own thread and its signal handlers only.
 * Failure: without a board, or a slot, a thread's waits are not seen by others: no deadlock it is in is
 * found. */
#ifndef SHIM_BOARD_H
#define SHIM_BOARD_H

#include <stdbool.h>

#include <detect/board_format.h>

#include "shim.h"

/* NULL: none. Set once, before the first thread is registered. */
extern struct dt_board *shim_board;

/* Called by whoever starts the process's log. forked: the parent's mapping is there. */
void shim_board_open(bool forked);
/* The process is about to end: its groups are free. */
void shim_board_leave(void);

/* A slot for the thread that takes this block over; kept with the block. */
struct dt_board_slot *shim_board_slot(uint32_t *kept);
/* The calling thread has an id now. */
void shim_board_enter(struct shim_thread *t);
void shim_board_thread_ended(struct shim_thread *t);

/* The slot of a thread of this process by its id in the log; NULL: none, or another's by now. */
struct dt_board_slot *shim_board_of_thread(uint32_t thread);

/* In a new child, before shim_board_open: the parent's threads as they were at the fork, one a call from *slot = 0
 * on, and the parent. The board itself is shared and has gone on since. NULL: no more. */
const struct shim_thread *shim_board_forked_thread(uint32_t *slot, int32_t *pid);

/* Threads of this process that are registered and have not ended, and those of them that are blocked
 * without a limit. */
extern _Atomic uint32_t shim_board_threads, shim_board_stuck;

/* A copy of a slot that was whole, and its sequence; false: it is being written. */
bool shim_board_read(const struct dt_board_slot *slot, struct dt_board_slot *copy);

/* The next slot from `from` on whose bit is set in blocked[] or holders[]; DT_BOARD_SLOTS: none. */
uint32_t shim_board_next(const uint64_t *bits, uint32_t from);
/* The next slot from `from` on that a thread of process `pid` has; DT_BOARD_SLOTS: none. */
uint32_t shim_board_next_of(int32_t pid, uint32_t from);

static inline uint32_t shim_board_index(const struct dt_board_slot *slot)
{
	return (uint32_t)(slot - shim_board->slots);
}

#endif
