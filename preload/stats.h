/* stats.h: how long locks are held and waited for.
 *
 * Waits are all counted: who waits pays a system call anyway. Of acquisitions one in some is timed: the first
 * of a thread, then ever fewer, down to one in 1,024 on average at random distances; each stands for as many
 * as its distance, so the sums are unbiased. The figures lie in records of the log and change in place
 * (DT_REC_STAT).
 *
 * Memory: a table of pointers to the records. Threads: any, lock-free. Failure: a full table counts by class
 * of lock, then not at all (counted). errno is kept. */
#ifndef SHIM_STATS_H
#define SHIM_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "shim.h"

bool shim_stats_open(void);
/* Another process now: its own figures. */
void shim_stats_forked(void);

/* The thread's countdown has come to 0, and it has just got the lock of entry `index`. */
void shim_stats_sample(struct shim_thread *t, uint32_t index);
/* A sampled entry is released, or leaves the held stack. */
void shim_stats_released(struct shim_thread *t, struct shim_held *e);
/* A call waited for `lock` at `context`. t->busy is set. */
void shim_stats_waited(struct shim_thread *t, const void *lock, enum dt_lock_kind kind, uint32_t context,
                       uint64_t begin_ns, uint64_t end_ns);

#endif
