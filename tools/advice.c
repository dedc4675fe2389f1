/* A rule without a row says its summary and the locks' names; `detect explain` has the rest. */
#include "advice.h"

#include <string.h>

#include "names.h"
#include "places.h"

const char *advice_thread(struct arena *arena, const struct report_thread *thread)
{
	uint32_t number = thread->number ? thread->number : thread->id;
	const char *id = number == 1 ? "the main thread" : arena_printf(arena, "thread %u", number);

	if (thread->name)
		id = arena_printf(arena, "%s \"%s\"", id, thread->name);
	if (thread->start)
		id = arena_printf(arena, "%s (%s)", id, places_bare_name(arena, thread->start));
	if (thread->pid)
		id = arena_printf(arena, "%s of process %d", id, thread->pid);
	return id;
}

static const char *lock_name(const struct report_finding *finding, uint32_t id)
{
	const struct report_lock *lock = model_lock(finding, id);

	return lock ? lock->name : "?";
}

/* "`a`, `b` and `c`" of the cycle's locks. */
const char *advice_locks(struct arena *arena, const struct report_finding *finding)
{
	const char *list = "";

	for (size_t i = 0; i < finding->cycle_lock_count; i++) {
		const char *between = i == 0 ? "" : i + 1 == finding->cycle_lock_count ? " and " : ", ";
		list = arena_printf(arena, "%s%s`%s`", list, between, finding->locks[i].name);
	}
	return list;
}

static const struct report_event *nth_event(const struct report_finding *finding, enum dt_event_kind kind,
                                            size_t nth)
{
	for (size_t i = 0; i < finding->event_count; i++)
		if (finding->events[i].kind == kind && nth-- == 0)
			return &finding->events[i];
	return NULL;
}

static size_t count_acting_threads(const struct report_finding *finding)
{
	size_t count = 0;

	for (size_t i = 0; i < finding->event_count; i++) {
		size_t j = 0;
		while (j < i && finding->events[j].thread != finding->events[i].thread)
			j++;
		count += j == i;
	}
	return count;
}

static bool same_place(const struct report_frame *a, const struct report_frame *b)
{
	return a && b && a->function && b->function && strcmp(a->function, b->function) == 0 && a->line == b->line;
}

/* Every edge of the cycle is made at one place: two branches of a function are two. */
static bool is_one_place(const struct report_finding *finding)
{
	const struct report_event *first = nth_event(finding, DT_EVENT_ACQUIRE, 0), *next;
	const struct report_frame *place = first ? places_find(&first->stack) : NULL;

	if (!place)
		return false;
	for (size_t i = 1; (next = nth_event(finding, DT_EVENT_ACQUIRE, i)); i++)
		if (!same_place(places_find(&next->stack), place))
			return false;
	return true;
}

static size_t count_acting_processes(const struct report_finding *finding)
{
	size_t count = 0;

	for (size_t i = 0; i < finding->event_count; i++) {
		size_t j = 0;
		while (j < i && finding->events[j].pid != finding->events[i].pid)
			j++;
		count += j == i;
	}
	return count;
}

static const char *by_whom(struct arena *arena, const struct report_finding *finding)
{
	size_t threads = count_acting_threads(finding);

	if (threads == 1)
		return "by one thread, so not in this run; two threads running this code could deadlock";
	size_t processes = count_acting_processes(finding);
	if (processes > 1)
		return arena_printf(arena, "by %zu threads of %zu processes, which can deadlock", threads, processes);
	return arena_printf(arena, "by %zu threads, which can deadlock", threads);
}

static const char *cycle_message(struct arena *arena, const struct report_finding *finding)
{
	if (finding->cycle_lock_count == 1)
		return arena_printf(arena,
		                    "`%s` is wanted again by threads that hold it shared, and each waits for "
		                    "the others to let go",
		                    finding->locks[0].name);
	return arena_printf(arena, "%s are locked in %s %s", advice_locks(arena, finding),
	                    finding->cycle_lock_count == 2 ? "opposite orders" : "orders that form a circle",
	                    by_whom(arena, finding));
}

static const char *cycle_advice(struct arena *arena, const struct report_finding *finding)
{
	const struct report_event *first = nth_event(finding, DT_EVENT_ACQUIRE, 0), *next;
	const struct report_event *last = first;

	if (!first)
		return "Take these locks in one order everywhere.";
	const char *where = names_frame(arena, places_find(&first->stack));
	if (finding->cycle_lock_count == 1)
		return arena_printf(arena,
		                    "A shared lock can't be turned into an exclusive one while others share "
		                    "it. Release it before locking for writing, and look again at what was "
		                    "read; or lock for writing from the start%s%s.",
		                    where ? ", at " : "", where ? where : "");
	if (is_one_place(finding))
		return arena_printf(arena,
		                    "One piece of code takes them in any order (%s): which lock is first "
		                    "depends on its arguments. Order the objects by something that never "
		                    "changes (a number, else the address) and lock the lower one first.",
		                    where);
	for (size_t i = 1; (next = nth_event(finding, DT_EVENT_ACQUIRE, i)); i++)
		last = next;
	const struct report_event *held = last > finding->events ? last - 1 : last;
	where = names_frame(arena, places_find(&last->stack));
	return arena_printf(
	    arena,
	    "Keep one order: `%s` before `%s`. Change %s, which takes them the other way round: take "
	    "the first one earlier, or release the second one before.",
	    lock_name(finding, last->lock), lock_name(finding, held->lock),
	    where ? where : "the last stack above");
}

static const char *wait_target(struct arena *arena, const struct report_finding *finding,
                               const struct report_event *wait)
{
	const struct report_thread *other = model_thread(finding, wait->other_thread);

	if (wait->other_thread && other)
		return arena_printf(arena, "the end of %s", advice_thread(arena, other));
	if (wait->lock)
		return arena_printf(arena, "`%s`", lock_name(finding, wait->lock));
	return "another thread";
}

static const char *wait_message(struct arena *arena, const struct report_finding *finding)
{
	const struct report_event *wait = nth_event(finding, DT_EVENT_WAIT, 0);
	const struct report_event *hold = nth_event(finding, DT_EVENT_HOLD, 0);

	if (!wait || !hold)
		return arena_printf(arena, "%s: %s", finding->rule->summary, advice_locks(arena, finding));
	return arena_printf(arena, "`%s` is held during a wait for %s, and what is waited for needs `%s`",
	                    lock_name(finding, hold->lock), wait_target(arena, finding, wait),
	                    lock_name(finding, hold->lock));
}

static const char *wait_advice(struct arena *arena, const struct report_finding *finding)
{
	const struct report_event *wait = nth_event(finding, DT_EVENT_WAIT, 0);
	const struct report_event *hold = nth_event(finding, DT_EVENT_HOLD, 0);

	if (!wait || !hold)
		return "Hold no lock during the wait that the awaited thread needs.";
	const char *where = names_frame(arena, places_find(&wait->stack));
	return arena_printf(
	    arena, "Release `%s` before the wait%s%s, or let the other side do its part without `%s`.",
	    lock_name(finding, hold->lock), where ? " at " : "", where ? where : "",
	    lock_name(finding, hold->lock));
}

static const struct report_event *handler_event(const struct report_finding *finding)
{
	for (size_t i = 0; i < finding->event_count; i++)
		if (finding->events[i].handler)
			return &finding->events[i];
	return NULL;
}

static const char *handler_message(struct arena *arena, const struct report_finding *finding)
{
	const struct report_event *event = handler_event(finding);

	if (!event)
		return arena_printf(arena, "%s: %s", finding->rule->summary, advice_locks(arena, finding));
	return arena_printf(arena,
	                    "`%s` is locked in the handler of %s, and by threads that the handler can interrupt "
	                    "while they hold it",
	                    lock_name(finding, event->lock), event->handler);
}

static const char *handler_advice(struct arena *arena, const struct report_finding *finding)
{
	const struct report_event *event = handler_event(finding);

	if (!event)
		return "Do not lock in signal handlers.";
	return arena_printf(arena,
	                    "Only set a flag, write to a pipe or sem_post in the handler; or block %s in all threads "
	                    "and take it in one by sigwait; or else block it around `%s` everywhere.",
	                    event->handler, lock_name(finding, event->lock));
}

/* Some of it are semaphores, which there can be several units of. */
static bool has_units(const struct report_finding *finding)
{
	for (size_t i = 0; i < finding->cycle_lock_count; i++)
		if (strcmp(finding->locks[i].kind, "sem") == 0)
			return true;
	return false;
}

static const char *state_message(struct arena *arena, const struct report_finding *finding)
{
	const struct report_matrices *m = &finding->matrices;
	const char *list = "";

	for (size_t i = 0; i < m->stuck_count; i++) {
		const struct report_thread unknown = {.id = m->stuck[i]}, *thread = model_thread(finding, m->stuck[i]);
		const char *between = i == 0 ? "" : i + 1 == m->stuck_count ? " and " : ", ";
		list = arena_printf(arena, "%s%s%s", list, between, advice_thread(arena, thread ? thread : &unknown));
	}
	return arena_printf(arena,
	                    "unsafe state: %s hold %s%s and may each ask for more than is free before giving any "
	                    "back: then none of them goes on",
	                    *list ? list : "threads", has_units(finding) ? "units of " : "",
	                    advice_locks(arena, finding));
}

static const char *state_advice(struct arena *arena, const struct report_finding *finding)
{
	if (!has_units(finding))
		return "Take these locks in one order everywhere; detect run --avoid keeps the program out of such states.";
	return arena_printf(arena, "Take all units at once, give back what is held before asking for more, or have units "
	                           "for one thread more; detect run --avoid keeps the program out of such states.");
}

static const struct {
	enum dt_rule_id rule;
	const char *(*message)(struct arena *arena, const struct report_finding *finding);
	const char *(*advice)(struct arena *arena, const struct report_finding *finding);
} rows[] = {
    {DT_RULE_LOCK_ORDER_CYCLE, cycle_message, cycle_advice},
    {DT_RULE_WAIT_WHILE_HOLDING, wait_message, wait_advice},
    {DT_RULE_LOCK_IN_SIGNAL_HANDLER, handler_message, handler_advice},
    {DT_RULE_UNSAFE_STATE, state_message, state_advice},
};

void advice_write(struct arena *arena, struct report_finding *finding)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (rows[i].rule != finding->rule->id)
			continue;
		finding->message = rows[i].message(arena, finding);
		finding->advice = rows[i].advice(arena, finding);
		return;
	}
	if (advice_of_incident(arena, finding) || advice_of_race(arena, finding))
		return;
	finding->message = arena_printf(arena, "%s: %s", finding->rule->summary, advice_locks(arena, finding));
	finding->advice = arena_printf(arena, "See `detect explain %s`.", finding->rule->name);
}
