/* An actual deadlock is told as each member's holds and its wait; a predicted cycle as an edge a thread. The
 * deadlock is put into the form of the other, and their fingerprints are compared: then "the same" means here
 * what it means everywhere else. In a stall, which is of all threads and in which semaphores count too, the
 * circle is looked for first. */
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

/* The edges of a deadlock, held and wanted in turn. 0: a member waits for something else than a lock. */
static size_t edges_of_deadlock(const struct report_finding *deadlock, struct report_event *edges)
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

/* What comes behind the holds of the member that has the event at `at`. */
static size_t wait_of(const struct report_finding *stall, size_t at)
{
	while (at < stall->event_count && stall->events[at].kind == DT_EVENT_HOLD)
		at++;
	return at;
}

/* The hold of what is waited for at `wait`, of whichever thread; event_count: nobody's. */
static size_t hold_of_wanted(const struct report_finding *stall, size_t wait)
{
	size_t at = 0;

	while (at < stall->event_count && (stall->events[at].kind != DT_EVENT_HOLD ||
	                                   stall->events[at].lock != stall->events[wait].lock))
		at++;
	return at;
}

/* The circle through the wait at `start`: who holds what it waits for, what that one waits for, and so on. 0:
 * there is none of that length or shorter that comes back to it. */
static size_t circle_of_stall(const struct report_finding *stall, size_t start, struct report_event *edges)
{
	size_t count = 0, wait = start;

	do {
		size_t hold = hold_of_wanted(stall, wait);
		wait = wait_of(stall, hold);
		if (!stall->events[start].lock || wait >= stall->event_count ||
		    count >= 2 * stall->event_count)
			return 0;
		edges[count++] = stall->events[hold];
		edges[count] = stall->events[wait];
		edges[count++].kind =
		    DT_EVENT_ACQUIRE; /* of a semaphore: a wait, until it is known for a lock */
	} while (wait != start);
	return count;
}

static bool is_cycle(struct arena *arena, struct report_finding *as_cycle, size_t count,
                     const struct report_finding *cycle)
{
	as_cycle->event_count = count;
	return count && strcmp(fingerprint_make(arena, as_cycle), cycle->fingerprint) == 0;
}

static bool spans_processes(const struct report_finding *finding)
{
	for (size_t i = 0; i < finding->event_count; i++)
		if (finding->events[i].pid)
			return true;
	return false;
}

/* A lock that processes share has a name in each, made of what that process saw of it. So of those only the
 * kind and the places can be compared. */
static void name_by_kind(struct arena *arena, struct report_finding *finding)
{
	struct report_lock *locks = arena_alloc(arena, finding->lock_count * sizeof(*locks));

	for (size_t i = 0; i < finding->lock_count; i++) {
		locks[i] = finding->locks[i];
		locks[i].class_name = locks[i].kind;
	}
	finding->locks = locks;
}

bool confirm_match(const struct report_finding *happened, const struct report_finding *cycle)
{
	struct arena *arena = arena_new();
	struct report_finding as_cycle = *happened, wanted = *cycle;
	bool same = false;

	as_cycle.rule = cycle->rule;
	as_cycle.events = arena_alloc(arena, 2 * (happened->event_count + 1) * sizeof(*as_cycle.events));
	if (spans_processes(cycle)) {
		name_by_kind(arena, &as_cycle);
		name_by_kind(arena, &wanted);
		wanted.fingerprint = fingerprint_make(arena, &wanted);
	}
	if (happened->rule->id == DT_RULE_DEADLOCK)
		same = is_cycle(arena, &as_cycle, edges_of_deadlock(happened, as_cycle.events), &wanted);
	for (size_t i = 0; happened->rule->id == DT_RULE_STALL && i < happened->event_count && !same; i++)
		if (happened->events[i].kind != DT_EVENT_HOLD)
			same = is_cycle(arena, &as_cycle, circle_of_stall(happened, i, as_cycle.events),
			                &wanted);
	arena_free(arena);
	return same;
}
