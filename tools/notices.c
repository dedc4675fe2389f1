/* One row a counter of the log's header. A missing fact can hide a finding, and a missing release
 * can look like one, so nothing that was lost goes unsaid. */
#include "notices.h"

#include <detect/check.h>

static const char *const counter_texts[DT_COUNTERS] = {
    [DT_COUNT_DROPPED] =
        "records found no room in the log and were dropped: findings can be missing (see --log-size)",
    [DT_COUNT_FOLDED] = "acquisitions were kept by lock class only, over the budget: single objects can't be "
                        "told apart there",
    [DT_COUNT_HELD_OVERFLOW] = "acquisitions were left out: more locks held at once than are kept",
    [DT_COUNT_LOCKS_LOST] = "locks were not followed: the table of locks was full",
    [DT_COUNT_STACKS_LOST] = "stacks were not kept: the table of stacks was full",
    [DT_COUNT_ACQS_LOST] = "acquisitions were not recorded: the table was full",
    [DT_COUNT_SEGMENTS_LOST] =
        "orderings between threads were not kept: findings can be false for that reason",
    [DT_COUNT_SIGHTINGS_LOST] = "sightings were over the bound kept for one acquisition",
    [DT_COUNT_ONLINE_STOPPED] = NULL, /* the report is complete all the same */
    [DT_COUNT_SIGNALS_LOST] =
        "sets of signals were not kept, the table was full: findings of signal handlers can be missing",
    [DT_COUNT_INCIDENTS_LOST] =
        "more incidents of misuse were not kept: the same at the same places, or too many",
    [DT_COUNT_SLOTS_LOST] =
        "threads had no slot on the board, too many at once: deadlocks that they were in were not seen",
    [DT_COUNT_STATES_LOST] =
        "times, what threads held of counted semaphores found no room: unsafe states can be missing",
    [DT_COUNT_LOCK_STATES_LOST] =
        "times, what threads held of locks alone found no room: unsafe states of locks can be missing (their "
        "cycles are not)",
    [DT_COUNT_SHARED_LOST] =
        "locks in shared memory were too many to tell where they are: lock orders between "
        "processes can be missing",
    [DT_COUNT_SHARED_SLOTS] =
        "times more threads than 255 were watched for data races at once: those between some two "
        "of them can be missing",
    [DT_COUNT_UNWATCHED] =
        "times there were so many threads that one was not watched for data races: some can be missing",
    [DT_COUNT_RACES_STOPPED] =
        "time memory had run out for the order of threads: later data races are missing",
    [DT_COUNT_STATS_LOST] = NULL,     /* `detect stats` says so */
    [DT_COUNT_INTERVALS_LOST] = NULL, /* `detect export` says so */
    [DT_COUNT_THREADS_LOST] = "threads were not followed: the table of threads was full",
};

void notices_of_facts(const struct dt_facts *facts, const char *who, struct arena *arena,
                      void (*add)(void *context, const char *notice), void *context)
{
	for (int counter = 0; counter < DT_COUNTERS; counter++) {
		unsigned long long count = dt_facts_counter(facts, (enum dt_counter)counter);
		if (count && counter_texts[counter])
			add(context, arena_printf(arena, "%s: %llu %s", who, count, counter_texts[counter]));
	}
	unsigned long long unfinished = dt_facts_unfinished(facts), dangling = dt_facts_dangling(facts),
	                   unknown = dt_facts_unknown(facts);
	if (unfinished)
		add(context,
		    arena_printf(
		        arena, "%s: %llu records were never finished (their thread was killed while writing)",
		        who, unfinished));
	if (unknown)
		add(context,
		    arena_printf(arena, "%s: %llu records are of kinds that this detect does not know", who,
		                 unknown));
	if (dangling)
		add(context,
		    arena_printf(
		        arena, "%s: %llu records refer to others that are not in the log, and were left out",
		        who, dangling));
}

void notices_of_bounds(uint32_t bounds, const char *who, struct arena *arena,
                       void (*add)(void *context, const char *notice), void *context)
{
	static const struct {
		enum dt_bound bound;
		const char *text;
	} rows[] = {
	    {DT_BOUND_CYCLES,
	     "locks are taken in too many orders to look at every cycle: pairs of locks were looked at first, then the "
	     "shortest cycles, and some of three locks or more can be missing (mend what is found and report again; "
	     "'detect graph --cycles-only' draws all the orders)"},
	    {DT_BOUND_SIGHTS,
	     "more than a million sightings of lock orders that lie on cycles: of the rest only orders opposite to those "
	     "were looked at (merge or report fewer logs at a time to see more)"},
	    {DT_BOUND_DEPTH, "acquisitions under more than 8,192 locks were left out of the lock orders"},
	    {DT_BOUND_WAITS, "waits with a lock held were too many to judge all of them: such findings can be missing"},
	    {DT_BOUND_STATES, "states of more than 64 semaphores or threads were not tested whole: unsafe states can be missing"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (bounds & rows[i].bound)
			add(context, arena_printf(arena, "%s: %s", who, rows[i].text));
}
