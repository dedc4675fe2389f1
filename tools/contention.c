/* The engine's list has those that cost most first; names and places cost time, so the many that cost
 * nothing are left out. */
#include "contention.h"

#include <detect/stats.h>

#include <stdlib.h>

#include "names.h"
#include "places.h"
#include "progress.h"
#include "say.h"

static const char *site(struct resolve *resolve, uint32_t stack)
{
	const struct report_stack resolved = resolve_stack(resolve, stack);

	return names_frame(resolve_arena(resolve), places_find(&resolved));
}

static struct report_contention resolve_stats(struct resolve *resolve, const struct dt_lock_stats *stats,
                                              size_t process)
{
	return (struct report_contention){
	    .lock = names_lock(resolve, stats->lock),
	    .process = process,
	    .acquisitions = stats->total.acquisitions,
	    .samples = stats->total.samples,
	    .contended = stats->total.contended,
	    .wait_total_ns = stats->total.wait_total_ns,
	    .wait_max_ns = stats->total.wait_max_ns,
	    .hold_total_ns = stats->total.hold_total_ns,
	    .hold_max_ns = stats->total.hold_max_ns,
	    .wait_site = site(resolve, stats->wait_stack),
	    .hold_site = site(resolve, stats->hold_stack),
	};
}

void contention_add(struct report *report, struct resolve *resolve, size_t process)
{
	const struct dt_facts *facts = resolve_facts(resolve);
	struct dt_lock_stats *list;
	uint32_t count, kept;

	if (dt_stats_by_lock(facts, &dt_alloc_libc, &list, &count) != DT_OK)
		say_out_of_memory();
	kept = count < CONTENTION_MAX ? count : CONTENTION_MAX;
	report->contention =
	    must_realloc(report->contention, report->contention_count + kept, sizeof(*report->contention));
	for (uint32_t i = 0; i < kept; i++) {
		progress_show("contention of lock", i + 1, kept, NULL);
		if (dt_facts_lock(facts, list[i].lock))
			report->contention[report->contention_count++] =
			    resolve_stats(resolve, &list[i], process);
	}
	dt_alloc_libc.resize(&dt_alloc_libc, list, count * sizeof(*list), 0);
}

void contention_free(struct report *report)
{
	free(report->contention);
	report->contention = NULL;
	report->contention_count = 0;
}
