/* One wording for all formats, so that a person who reads the log of a CI job and the page of a
 * finding reads the same sentence. */
#include "words.h"

#include <inttypes.h>
#include <string.h>

#include "advice.h"
#include "names.h"
#include "places.h"

const char *words_thread(struct arena *arena, const struct report_thread *thread, uint32_t id)
{
	const struct report_thread unknown = {.id = id};

	return thread || id ? advice_thread(arena, thread ? thread : &unknown) : "another thread";
}

const char *words_spot(struct arena *arena, const struct spot *spot)
{
	const struct report_frame *frame = spot->frame;
	const char *function = frame ? frame->function : NULL, *place = spot->path;

	if (spot->line)
		place = arena_printf(arena, "%s:%u", place, spot->line);
	else if (frame && !spot->is_source)
		place = arena_printf(arena, "%s+0x%" PRIx64, place, frame->offset);
	return function ? arena_printf(arena, "%s in %s", place, function) : place;
}

const char *words_created(struct arena *arena, const struct report_finding *finding,
                          const struct report_thread *thread)
{
	const struct report_thread *parent = model_thread(finding, thread->parent);
	const char *where = NULL;

	if (thread->created.count)
		where = names_frame(arena, places_find(&thread->created));
	if (!parent && !where)
		return "";
	return arena_printf(arena, ", created%s%s%s%s", parent ? " by " : "",
	                    parent ? advice_thread(arena, parent) : "", where ? " at " : "",
	                    where ? where : "");
}

const char *words_lock(struct arena *arena, const struct report_finding *finding, uint32_t id)
{
	const struct report_lock *lock = model_lock(finding, id);

	return arena_printf(arena, "`%s`", lock ? lock->name : "?");
}

static double seconds_since(const struct report_finding *finding, const struct report_event *event)
{
	return event->since_ns && event->since_ns < finding->time_ns
	           ? (double)(finding->time_ns - event->since_ns) / 1e9
	           : 0;
}

/* " for 1.250 s" when the finding happened and the event's beginning is known. What a thread that waits holds
 * it has held for as long at least. */
static const char *since_words(struct arena *arena, const struct report_finding *finding,
                               const struct report_event *event)
{
	double seconds = seconds_since(finding, event);

	if (seconds > 0)
		return arena_printf(arena, " for %.3f s", seconds);
	for (size_t i = 0; event->kind == DT_EVENT_HOLD && i < finding->event_count; i++) {
		const struct report_event *other = &finding->events[i];
		if (other->thread == event->thread && other->kind != DT_EVENT_HOLD)
			seconds = seconds_since(finding, other);
	}
	return seconds >= 0.001 ? arena_printf(arena, " for %.3f s at least", seconds) : "";
}

static const char *access_words(struct arena *arena, const struct report_finding *finding,
                                const struct report_event *event)
{
	static const char *const verbs[DT_EVENT_KINDS] = {
	    [DT_EVENT_READ] = "reads",
	    [DT_EVENT_WRITE] = "writes",
	    [DT_EVENT_ATOMIC_READ] = "reads atomically",
	    [DT_EVENT_ATOMIC_WRITE] = "writes atomically",
	    [DT_EVENT_FREE] = "frees the block of",
	};
	const char *name = finding->memory ? finding->memory->name : "memory";

	return arena_printf(arena,
	                    "%s `%s` (%" PRIu64 " byte%s at 0x%" PRIx64 ")%s here:", verbs[event->kind], name,
	                    event->bytes, event->bytes == 1 ? "" : "s", event->address,
	                    event->forgotten       ? ", holding what is no longer known,"
	                    : event->holding_count ? ""
	                                           : ", holding no lock,");
}

static const char *in_handler(struct arena *arena, const struct report_event *event)
{
	return event->handler ? arena_printf(arena, "in the handler of %s ", event->handler) : "";
}

static const char *interruptible(struct arena *arena, const struct report_event *event)
{
	return event->interruptible ? arena_printf(arena, " with %s not blocked", event->interruptible) : "";
}

static const char *event_words(struct arena *arena, const struct report_finding *finding,
                               const struct report_event *event)
{
	static const char *const waits[] = {[DT_WAIT_FOREVER] = "",
	                                    [DT_WAIT_TIMED] = " with a time limit",
	                                    [DT_WAIT_TRY] = " without waiting (try)"};
	const char *lock = words_lock(arena, finding, event->lock);
	const char *shared = event->mode == DT_MODE_SHARED ? " for reading" : "";
	const char *wait = (unsigned)event->wait <= DT_WAIT_TRY ? waits[event->wait] : "";
	const struct report_thread *other = model_thread(finding, event->other_thread);
	const char *since = since_words(arena, finding, event);

	switch (event->kind) {
	case DT_EVENT_HOLD:
		return arena_printf(arena, "holding %s%s%s, acquired here:", lock, shared, since);
	case DT_EVENT_ACQUIRE:
		return arena_printf(arena, "%s%s %s%s%s%s%s here:", in_handler(arena, event),
		                    finding->happened ? "waits for" : "wants", lock, shared, wait, since,
		                    interruptible(arena, event));
	case DT_EVENT_WAIT:
		if (event->other_thread && other)
			return arena_printf(
			    arena, "waits for the end of %s%s here:", advice_thread(arena, other), since);
		if (event->other_lock)
			return arena_printf(arena, "waits on %s with the mutex %s%s here:", lock,
			                    words_lock(arena, finding, event->other_lock), since);
		return arena_printf(arena, "waits on %s%s%s here:", lock, wait, since);
	case DT_EVENT_SIGNAL:
		return arena_printf(arena, "signals %s here:", lock);
	case DT_EVENT_UNLOCK:
		return arena_printf(arena, "releases %s here:", lock);
	case DT_EVENT_DESTROY:
		return arena_printf(arena, "destroys %s here:", lock);
	case DT_EVENT_INIT:
		return arena_printf(arena, "initialises %s here:", lock);
	case DT_EVENT_USE:
		return arena_printf(arena, "uses %s here:", lock);
	case DT_EVENT_EXIT:
		return "ended here:";
	case DT_EVENT_READ:
	case DT_EVENT_WRITE:
	case DT_EVENT_ATOMIC_READ:
	case DT_EVENT_ATOMIC_WRITE:
	case DT_EVENT_FREE:
		return access_words(arena, finding, event);
	case DT_EVENT_KINDS:
		break;
	}
	return arena_printf(arena, "%s %s here:", dt_event_name(event->kind), lock);
}

const char *words_event(struct arena *arena, const struct report_finding *finding,
                        const struct report_event *event)
{
	const char *words = event_words(arena, finding, event);
	size_t length = strlen(words);
	bool colon = length && words[length - 1] == ':';

	if (!event->run)
		return words;
	return arena_printf(arena, "%.*s, in run %s%s", (int)(length - colon), words, event->run,
	                    colon ? ":" : "");
}

const char *words_step(struct arena *arena, const struct report_finding *finding,
                       const struct report_event *event)
{
	char *words = arena_printf(arena, "%s %s",
	                           words_thread(arena, model_thread(finding, event->thread), event->thread),
	                           words_event(arena, finding, event));
	size_t length = strlen(words);

	if (length && words[length - 1] == ':')
		words[length - 1] = '\0';
	return words;
}

const char *words_also_held(struct arena *arena, const struct report_finding *finding,
                            const struct report_event *event, uint32_t said)
{
	const char *list = "";

	for (size_t i = 0; i < event->holding_count; i++)
		if (event->holding[i] != said)
			list = arena_printf(arena, "%s%s%s", list, *list ? ", " : "",
			                    words_lock(arena, finding, event->holding[i]));
	return *list ? arena_printf(arena, "also holding %s", list) : NULL;
}

static const char *counted(struct arena *arena, uint64_t count, const char *what)
{
	return arena_printf(arena, "%" PRIu64 " %s%s", count, what, count == 1 ? "" : "s");
}

const char *words_summary(struct arena *arena, const struct report *report)
{
	const struct report_summary *summary = &report->summary;
	uint64_t threads = 0, locks = 0, acquisitions = 0;
	const char *apart = "";

	for (size_t i = 0; i < report->process_count; i++) {
		threads += report->processes[i].threads;
		locks += report->processes[i].locks;
		acquisitions += report->processes[i].acquisitions;
	}
	if (summary->suppressed)
		apart = arena_printf(arena, ", %zu suppressed", summary->suppressed);
	if (summary->known)
		apart = arena_printf(arena, "%s, %zu known", apart, summary->known);
	if (summary->gone)
		apart = arena_printf(arena, "%s, %zu gone", apart, summary->gone);
	return arena_printf(arena, "SUMMARY: libdetect: %s, %s, %s%s (seen: %zu process%s, %s, %s, %s)",
	                    counted(arena, summary->levels[DT_LEVEL_ERROR], "error"),
	                    counted(arena, summary->levels[DT_LEVEL_WARNING], "warning"),
	                    counted(arena, summary->levels[DT_LEVEL_NOTE], "note"), apart,
	                    report->process_count, report->process_count == 1 ? "" : "es",
	                    counted(arena, threads, "thread"), counted(arena, locks, "lock"),
	                    counted(arena, acquisitions, "distinct acquisition"));
}
