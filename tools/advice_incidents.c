/* What happened in the run says itself; the sentence names who and what, the advice is the rule's. */
#include "advice.h"

#include "names.h"
#include "places.h"

static const char *lock_of(struct arena *arena, const struct report_finding *finding,
                           const struct report_event *event)
{
	const struct report_lock *lock = event ? model_lock(finding, event->lock) : NULL;

	return lock ? arena_printf(arena, "%s `%s`", lock->kind_words, lock->name) : "a lock";
}

static const char *thread_of(struct arena *arena, const struct report_finding *finding,
                             const struct report_event *event)
{
	const struct report_thread *thread = event ? model_thread(finding, event->thread) : NULL;

	return thread ? advice_thread(arena, thread) : "a thread";
}

static const struct report_event *nth(const struct report_finding *finding, bool waits, size_t n)
{
	for (size_t i = 0; i < finding->event_count; i++) {
		enum dt_event_kind kind = finding->events[i].kind;
		if ((kind == DT_EVENT_ACQUIRE || kind == DT_EVENT_WAIT) == waits && n-- == 0)
			return &finding->events[i];
	}
	return NULL;
}

static size_t count_waits(const struct report_finding *finding)
{
	size_t count = 0;

	while (nth(finding, true, count))
		count++;
	return count;
}

static const char *target(struct arena *arena, const struct report_finding *finding,
                          const struct report_event *wait)
{
	const struct report_thread *other = model_thread(finding, wait->other_thread);

	if (wait->other_thread)
		return arena_printf(arena, "the end of %s", other ? advice_thread(arena, other) : "a thread");
	return lock_of(arena, finding, wait);
}

static const char *until_limit(struct arena *arena, const struct report_finding *finding, const char *message)
{
	return finding->limited ? arena_printf(arena, "%s, until --lock-timeout makes a call fail with EDEADLK", message)
	                        : message;
}

static const char *deadlock_message(struct arena *arena, const struct report_finding *finding)
{
	size_t count = count_waits(finding);
	const char *message = arena_printf(
	    arena, "%s%zu threads wait for each other: ", finding->cut ? "more than " : "", count);

	for (size_t i = 0; i < count; i++) {
		const struct report_event *wait = nth(finding, true, i);
		message = arena_printf(arena, "%s%s%s for %s", message, i ? ", " : "",
		                       arena_printf(arena, "%s waits", thread_of(arena, finding, wait)),
		                       target(arena, finding, wait));
	}
	return finding->broken ? arena_printf(arena, "%s; the last call was refused with EDEADLK", message)
	                       : until_limit(arena, finding, message);
}

static const char *self_message(struct arena *arena, const struct report_finding *finding)
{
	const struct report_event *wait = nth(finding, true, 0);

	if (wait && wait->other_thread)
		return arena_printf(arena, "%s joins itself; the call was refused with EDEADLK",
		                    thread_of(arena, finding, wait));
	return until_limit(arena, finding,
	                   arena_printf(arena, "%s waits for %s, which it holds itself",
	                                thread_of(arena, finding, wait), wait ? target(arena, finding, wait) : "a lock"));
}

static const char *stall_message(struct arena *arena, const struct report_finding *finding)
{
	size_t count = count_waits(finding);
	const struct report_event *first = nth(finding, true, 0);

	if (count == 1 && first)
		return arena_printf(
		    arena, "the only thread of the process waits for %s, and nobody is left to end the wait",
		    target(arena, finding, first));
	if (finding->cut)
		return arena_printf(
		    arena,
		    "all threads of the process wait for each other, and nobody is left to end a wait "
		    "(the first %zu are told)",
		    count);
	return arena_printf(
	    arena, "all %zu threads of the process wait for each other, and nobody is left to end a wait",
	    count);
}

/* "thread 3 releases mutex `m`". */
static const char *act(struct arena *arena, const struct report_finding *finding, const char *verb)
{
	const struct report_event *event = finding->event_count ? &finding->events[0] : NULL;

	return arena_printf(arena, "%s %s %s", thread_of(arena, finding, event), verb,
	                    lock_of(arena, finding, event));
}

/* The same with ", which thread 2 holds" where a second event tells of another thread. */
static const char *act_on(struct arena *arena, const struct report_finding *finding, const char *verb,
                          const char *other_verb)
{
	const char *said = act(arena, finding, verb);

	if (finding->event_count < 2)
		return said;
	return arena_printf(arena, "%s, which %s %s", said, thread_of(arena, finding, &finding->events[1]),
	                    other_verb);
}

static const char *exit_message(struct arena *arena, const struct report_finding *finding)
{
	const struct report_event *held = finding->event_count > 1 ? &finding->events[1] : NULL;

	return arena_printf(arena, "%s ended while it held %s", thread_of(arena, finding, held),
	                    lock_of(arena, finding, held));
}

static const char *mismatch_message(struct arena *arena, const struct report_finding *finding)
{
	return arena_printf(arena, "%s is waited on with different mutexes at the same time",
	                    lock_of(arena, finding, nth(finding, true, 0)));
}

static const char *unlocked_message(struct arena *arena, const struct report_finding *finding)
{
	const struct report_event *wait = nth(finding, true, 0);
	const struct report_lock *mutex = wait ? model_lock(finding, wait->other_lock) : NULL;

	return arena_printf(arena, "%s waits on %s without holding the mutex `%s`",
	                    thread_of(arena, finding, wait), lock_of(arena, finding, wait),
	                    mutex ? mutex->name : "?");
}

static const char *long_wait_message(struct arena *arena, const struct report_finding *finding)
{
	const struct report_event *wait = nth(finding, true, 0);

	return arena_printf(arena, "%s waited for %s for longer than the limit",
	                    thread_of(arena, finding, wait), wait ? target(arena, finding, wait) : "a lock");
}

static const char *timeout_message(struct arena *arena, const struct report_finding *finding)
{
	const struct report_event *wait = nth(finding, true, 0);

	return arena_printf(arena, "%s was refused %s after the time that --lock-timeout allows",
	                    thread_of(arena, finding, wait), wait ? target(arena, finding, wait) : "a lock");
}

static const char *gave_up_message(struct arena *arena, const struct report_finding *finding)
{
	const struct report_event *wait = nth(finding, true, 0);

	return arena_printf(arena, "%s was held back from %s for longer than --avoid-patience allows, and went on",
	                    thread_of(arena, finding, wait), wait ? target(arena, finding, wait) : "a lock");
}

/* One row a rule: a sentence of its own, or that the first event's thread `acts` on a lock, what another
 * thread does to it where a second event tells (`other`), and the sentence's end. */
static const struct row {
	enum dt_rule_id rule;
	const char *(*message)(struct arena *arena, const struct report_finding *finding);
	const char *acts, *other, *end;
	const char *advice;
} rows[] = {
    {.rule = DT_RULE_DEADLOCK,
     .message = deadlock_message,
     .advice =
         "Take these locks in one order everywhere, or hold one at a time; never join a thread while holding "
         "what it needs."},
    {.rule = DT_RULE_SELF_DEADLOCK,
     .message = self_message,
     .advice = "Let the inner function expect the lock held instead of locking again; release before calling "
               "back; release a read lock before locking for writing."},
    {.rule = DT_RULE_STALL,
     .message = stall_message,
     .advice = "Where the threads hold what the others wait for (units of a semaphore): take all at once, or in one "
               "order. Else look for the wake-up that was never sent: change the predicate under the mutex, signal "
               "after it, and test the predicate before each wait."},
    {.rule = DT_RULE_UNLOCK_NOT_LOCKED,
     .acts = "releases",
     .end = ", which nobody holds",
     .advice = "Release once, on one path, and only where the lock call succeeded."},
    {.rule = DT_RULE_UNLOCK_NOT_OWNER,
     .acts = "releases",
     .other = "holds",
     .advice = "Release in the thread that locked. To wake another thread use a semaphore or a condition "
               "variable."},
    {.rule = DT_RULE_DESTROY_LOCKED,
     .acts = "destroys",
     .other = "holds",
     .advice = "Make the object unreachable, release the lock, then destroy it."},
    {.rule = DT_RULE_DESTROY_WAITED,
     .acts = "destroys",
     .other = "waits on",
     .advice = "Tell the waiters to stop, wake them all, join them, then destroy."},
    {.rule = DT_RULE_USE_DESTROYED,
     .acts = "uses",
     .other = "destroyed",
     .advice = "Let the last user destroy it: join the users or count references."},
    {.rule = DT_RULE_INIT_LOCKED,
     .acts = "initialises",
     .other = "holds",
     .advice = "Initialise once, before any thread can use it (statically or by pthread_once)."},
    {.rule = DT_RULE_EXIT_HOLDING_LOCK,
     .message = exit_message,
     .advice = "Release on every way out of the critical section; a cleanup handler covers cancellation and "
               "pthread_exit."},
    {.rule = DT_RULE_COND_MUTEX_MISMATCH,
     .message = mismatch_message,
     .advice = "Use one mutex with one condition variable."},
    {.rule = DT_RULE_COND_WAIT_UNLOCKED,
     .message = unlocked_message,
     .advice = "Lock the mutex, test the predicate in a loop, wait with the mutex held."},
    {.rule = DT_RULE_LOCK_HELD_AT_FORK,
     .acts = "uses",
     .end = ", which another thread held when this process was forked",
     .advice = "Fork before creating threads, or exec at once after it; else take the lock in "
               "pthread_atfork's prepare handler and release it in parent and child."},
    {.rule = DT_RULE_LONG_WAIT,
     .message = long_wait_message,
     .advice = "Do less with the lock held; `detect stats` shows which sites hold longest."},
    {.rule = DT_RULE_LOCK_TIMEOUT,
     .message = timeout_message,
     .advice = "See that this call's result is looked at; what is held must be let go before the next attempt."},
    {.rule = DT_RULE_CLAIM_EXCEEDED,
     .acts = "takes",
     .end = ", which no claim of this section says",
     .advice = "Give this run's log as --claims too."},
    {.rule = DT_RULE_AVOIDANCE_GAVE_UP,
     .message = gave_up_message,
     .advice = "Look at what the others do while they hold what it needs; give a longer --avoid-patience if that is right."},
};

static const char *message_of(struct arena *arena, const struct report_finding *finding,
                              const struct row *row)
{
	if (row->message)
		return row->message(arena, finding);
	const char *said =
	    row->other ? act_on(arena, finding, row->acts, row->other) : act(arena, finding, row->acts);
	return row->end ? arena_printf(arena, "%s%s", said, row->end) : said;
}

bool advice_of_incident(struct arena *arena, struct report_finding *finding)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (rows[i].rule != finding->rule->id)
			continue;
		finding->message = message_of(arena, finding, &rows[i]);
		finding->advice = rows[i].advice;
		return true;
	}
	return false;
}
