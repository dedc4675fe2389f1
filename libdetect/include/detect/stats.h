/* stats.h: contention of one process, by lock.
 *
 * Sums over the sites of a lock. Acquisitions and holds are estimates from samples (log_format.h, struct
 * dt_rec_stat); waits are exact.
 * Memory: the caller's, by the allocator. Threads: one at a time. Failure: DT_ERR_NOMEM. */
#ifndef DETECT_STATS_H
#define DETECT_STATS_H

#include <detect/facts.h>

struct dt_lock_stats {
	uint32_t lock;
	struct dt_stat total;              /* sums, and the largest of each maximum */
	uint32_t wait_stack, hold_stack;   /* the sites that waited and held longest in all, 0: none did */
	uint64_t wait_site_ns, hold_site_ns;
	uint32_t sites;
};

/* One entry a lock with figures, those that cost most (wait, then hold) first. *list is freed by
 * alloc->resize(alloc, *list, *count * sizeof **list, 0). */
enum dt_err dt_stats_by_lock(const struct dt_facts *facts, struct dt_alloc *alloc, struct dt_lock_stats **list,
                             uint32_t *count);

/* Add what `from` counted to `to`. */
void dt_stat_add(struct dt_stat *to, const struct dt_stat *from);

#endif
