/* stats.c: one pass over the sites, one table of locks. */
#include <detect/stats.h>

#include <string.h>

#include "idmap.h"
#include "sort.h"
#include "vec.h"

void dt_stat_add(struct dt_stat *to, const struct dt_stat *from)
{
	to->acquisitions += from->acquisitions;
	to->samples += from->samples;
	to->hold_total_ns += from->hold_total_ns;
	to->contended += from->contended;
	to->wait_total_ns += from->wait_total_ns;
	if (from->hold_max_ns > to->hold_max_ns)
		to->hold_max_ns = from->hold_max_ns;
	if (from->wait_max_ns > to->wait_max_ns)
		to->wait_max_ns = from->wait_max_ns;
}

static int compare(const void *left, const void *right, void *context)
{
	const struct dt_lock_stats *a = left, *b = right;

	(void)context;
	if (a->total.wait_total_ns != b->total.wait_total_ns)
		return a->total.wait_total_ns < b->total.wait_total_ns ? 1 : -1;
	if (a->total.hold_total_ns != b->total.hold_total_ns)
		return a->total.hold_total_ns < b->total.hold_total_ns ? 1 : -1;
	return (a->lock > b->lock) - (a->lock < b->lock);
}

static void add_site(struct dt_lock_stats *lock, const struct dt_stat *site)
{
	dt_stat_add(&lock->total, site);
	lock->sites++;
	if (site->wait_total_ns > lock->wait_site_ns) {
		lock->wait_site_ns = site->wait_total_ns;
		lock->wait_stack = site->stack;
	}
	if (site->hold_total_ns > lock->hold_site_ns) {
		lock->hold_site_ns = site->hold_total_ns;
		lock->hold_stack = site->stack;
	}
}

enum dt_err dt_stats_by_lock(const struct dt_facts *facts, struct dt_alloc *alloc,
                             struct dt_lock_stats **list, uint32_t *count)
{
	DT_VEC(struct dt_lock_stats) locks = {0};
	struct dt_idmap ids = {0};
	enum dt_err err = DT_OK;

	*list = NULL;
	*count = 0;
	for (uint32_t i = 0; !err && i < dt_facts_stat_count(facts); i++) {
		const struct dt_stat *site = dt_facts_stat_nth(facts, i);
		uint32_t at = dt_idmap_find(&ids, site->lock);
		if (!site->lock || site->lock > DT_ID_MAX)
			continue;
		if (!at) {
			struct dt_lock_stats *lock = dt_vec_push(&locks, alloc);
			if (!lock || !dt_idmap_add(&ids, alloc, site->lock, locks.count)) {
				err = DT_ERR_NOMEM;
				break;
			}
			memset(lock, 0, sizeof *lock);
			lock->lock = site->lock;
			at = locks.count;
		}
		add_site(&locks.at[at - 1], site);
	}
	dt_idmap_fini(&ids, alloc);
	if (!err && locks.count) {
		struct dt_lock_stats *exact = alloc->resize(alloc, NULL, 0, locks.count * sizeof *exact);
		if (exact) {
			memcpy(exact, locks.at, locks.count * sizeof *exact);
			dt_sort(exact, locks.count, sizeof *exact, compare, NULL);
			*list = exact;
			*count = locks.count;
		} else {
			err = DT_ERR_NOMEM;
		}
	}
	dt_vec_fini(&locks, alloc);
	return err;
}
