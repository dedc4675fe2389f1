/* An actual deadlock is told as each member's holds and its wait; a predicted cycle as an edge a thread. The
 * deadlock is put into the form of the other, and their fingerprints are compared: then "the same" means here
 * what it means everywhere else. */
#include "confirm.h"

#include <string.h>

#include "fingerprint.h"

/* Of the events in [from, at), the hold of the lock that the member before waits for; what is told first of a
 * member is just that, when ids differ (another process's). NULL: it holds nothing. */
static const struct report_event *find_hold(const struct report_finding *deadlock, size_t from, size_t at,
                                            uint32_t lock)
{
	const struct report_event *first = NULL;

	for (size_t i = from; i < at; i++) {
		const struct report_event *event = &deadlock->events[i];
		if (event->kind != DT_EVENT_HOLD)
			continue;
		if (event->lock == lock)
			return event;
		if (!first)
			first = event;
	}
	return first;
}

static const struct report_event *last_wait(const struct report_finding *deadlock)
{
	for (size_t i = deadlock->event_count; i-- > 0;)
		if (deadlock->events[i].kind != DT_EVENT_HOLD)
			return &deadlock->events[i];
	return NULL;
}

/* The edges, held and wanted in turn. 0: a member waits for something else than a lock. */
static size_t edges_of(const struct report_finding *deadlock, struct report_event *edges)
{
	const struct report_event *before = last_wait(deadlock);
	size_t count = 0, from = 0;

	for (size_t i = 0; i < deadlock->event_count; i++) {
		const struct report_event *event = &deadlock->events[i];
		if (event->kind == DT_EVENT_HOLD)
			continue;
		const struct report_event *hold = find_hold(deadlock, from, i, before->lock);
		if (event->kind != DT_EVENT_ACQUIRE || !hold)
			return 0;
		edges[count++] = *hold;
		edges[count++] = *event;
		before = event;
		from = i + 1;
	}
	return count;
}

bool confirm_match(const struct report_finding *deadlock, const struct report_finding *cycle)
{
	struct arena *arena = arena_new();
	struct report_finding as_cycle = *deadlock;

	as_cycle.rule = cycle->rule;
	as_cycle.events = arena_alloc(arena, 2 * (deadlock->event_count + 1) * sizeof(*as_cycle.events));
	as_cycle.event_count = edges_of(deadlock, as_cycle.events);
	bool same = deadlock->rule->id == DT_RULE_DEADLOCK && as_cycle.event_count &&
	            strcmp(fingerprint_make(arena, &as_cycle), cycle->fingerprint) == 0;
	arena_free(arena);
	return same;
}
