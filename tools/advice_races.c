/* What races say: the memory, then the two accesses; and what would have ordered them. */
#include "advice.h"

#include "names.h"
#include "places.h"

static bool is_access(enum dt_event_kind kind)
{
	return kind >= DT_EVENT_READ && kind <= DT_EVENT_FREE;
}

static const struct report_event *nth_access(const struct report_finding *finding, size_t nth)
{
	for (size_t i = 0; i < finding->event_count; i++)
		if (is_access(finding->events[i].kind) && nth-- == 0)
			return &finding->events[i];
	return NULL;
}

static const char *verb(enum dt_event_kind kind)
{
	static const char *const verbs[DT_EVENT_KINDS] = {
	    [DT_EVENT_READ] = "a read",
	    [DT_EVENT_WRITE] = "a write",
	    [DT_EVENT_ATOMIC_READ] = "an atomic read",
	    [DT_EVENT_ATOMIC_WRITE] = "an atomic write",
	    [DT_EVENT_FREE] = "a free",
	};

	return verbs[kind];
}

static const char *access_words(struct arena *arena, const struct report_finding *finding,
                                const struct report_event *event)
{
	const struct report_thread *thread = model_thread(finding, event->thread);
	const char *where = names_frame(arena, places_find(&event->stack));

	return arena_printf(arena, "%s by %s%s%s", verb(event->kind),
	                    thread ? advice_thread(arena, thread) : "another thread", where ? " at " : "",
	                    where ? where : "");
}

static bool is_atomic(const struct report_event *event)
{
	return event->kind == DT_EVENT_ATOMIC_READ || event->kind == DT_EVENT_ATOMIC_WRITE;
}

static const char *message(struct arena *arena, const struct report_finding *finding)
{
	const struct report_event *a = nth_access(finding, 0), *b = nth_access(finding, 1);
	const struct report_memory *memory = finding->memory;

	if (!a || !b || !memory)
		return finding->rule->summary;
	const char *what = finding->rule->id == DT_RULE_DATA_RACE ? "data race on"
	                   : finding->rule->id == DT_RULE_PREDICTED_RACE
	                       ? "only luck prevented a data race on"
	                       : "use races with free of";
	return arena_printf(arena, "%s `%s` (%llu byte%s%s%s): %s and %s%s", what, memory->name,
	                    (unsigned long long)memory->bytes, memory->bytes == 1 ? "" : "s",
	                    memory->origin ? ", " : "", memory->origin ? memory->origin : "",
	                    access_words(arena, finding, a), access_words(arena, finding, b),
	                    is_atomic(a) != is_atomic(b) ? "; one is atomic, the other is not" : "");
}

/* A lock that one side holds is the natural candidate for the other. */
static const char *advice(struct arena *arena, const struct report_finding *finding)
{
	const struct report_event *a = nth_access(finding, 0), *b = nth_access(finding, 1);
	const char *name = finding->memory ? finding->memory->name : "it";

	if (!a || !b)
		return "Order the two accesses.";
	if (a->kind == DT_EVENT_FREE || b->kind == DT_EVENT_FREE)
		return "Free only when no other thread can still use the block: join it, or count "
		       "references.";
	if (is_atomic(a) != is_atomic(b)) {
		const char *where = names_frame(arena, places_find(&(is_atomic(a) ? b : a)->stack));
		return arena_printf(arena, "Make the plain access%s%s atomic too.", where ? " at " : "",
		                    where ? where : "");
	}
	const struct report_event *with = a->holding_count ? a : b, *without = a->holding_count ? b : a;
	const struct report_lock *lock = with->holding_count ? model_lock(finding, with->holding[0]) : NULL;
	const char *where = names_frame(arena, places_find(&without->stack));
	if (lock && !without->holding_count)
		return arena_printf(arena, "Hold `%s` at the other access too%s%s.", lock->name,
		                    where ? ", " : "", where ? where : "");
	if (lock)
		return arena_printf(
		    arena, "The two sides hold different locks: one and the same lock must protect `%s`.",
		    name);
	return arena_printf(arena, "Protect `%s` with a lock at both places, or make both accesses atomic.",
	                    name);
}

bool advice_of_race(struct arena *arena, struct report_finding *finding)
{
	switch (finding->rule->id) {
	case DT_RULE_DATA_RACE:
	case DT_RULE_PREDICTED_RACE:
	case DT_RULE_USE_AFTER_FREE_RACE:
		finding->message = message(arena, finding);
		finding->advice = advice(arena, finding);
		return true;
	default:
		return false;
	}
}
