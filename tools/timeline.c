/* Each interval is a complete event ("X") on its thread's track. Those of one track must nest, which
 * locks need not: A held from 0 to 10, B from 5 to 15 (hand over hand). What would overlap goes to a
 * further track of the same thread, as many as it takes.
 *
 * "Trace Event Format", Google, 2016: ts and dur in microseconds; pid and tid are numbers, named by metadata
 * events. The tracks have the report's thread numbers, since the kernel's are used again. */
#include "timeline.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "names.h"
#include "places.h"

enum {
	TRACKS_MAX = 64,          /* of one thread; what would need more is drawn on the last */
	NEST_MAX = 256,           /* intervals open at once on one track */
	TRACK_STRIDE = 1000000,   /* between the numbers of a thread's tracks */
	SAME_PID_BASE = 10000000, /* processes whose number another one had before */
};

struct timeline {
	FILE *out;
	int32_t *pids;
	size_t pid_count;
	uint64_t events;
};

/* The ends of what is open on a track, innermost last. */
struct track {
	uint64_t ends[NEST_MAX];
	size_t depth;
	bool named;
};

struct writing {
	struct timeline *timeline;
	struct resolve *resolve;
	struct arena *arena; /* of one event */
	int32_t pid;
	uint32_t thread;
	struct track *tracks;
};

struct timeline *timeline_open(FILE *out)
{
	struct timeline *timeline = must_realloc(NULL, 1, sizeof(*timeline));

	*timeline = (struct timeline){.out = out};
	fputs("{\"displayTimeUnit\": \"ns\", \"otherData\": {\"tool\": \"libdetect " DETECT_VERSION
	      "\"}, \"traceEvents\": [",
	      out);
	return timeline;
}

void timeline_close(struct timeline *timeline)
{
	fputs("\n]}\n", timeline->out);
	free(timeline->pids);
	free(timeline);
}

static void print_event(struct timeline *timeline, json_t *event)
{
	fputs(timeline->events++ ? ",\n" : "\n", timeline->out);
	json_print(timeline->out, event, JSON_COMPACT);
}

static json_t *make_event(const char *phase, int32_t pid, uint32_t thread, size_t track)
{
	json_t *event = json_object();

	json_put(event, "ph", json_string(phase));
	json_put(event, "pid", json_integer(pid));
	json_put(event, "tid", json_integer((json_int_t)track * TRACK_STRIDE + thread));
	return event;
}

static void print_metadata(struct timeline *timeline, int32_t pid, uint32_t thread, size_t track,
                           const char *what, const char *key, json_t *value)
{
	json_t *event = make_event("M", pid, thread, track), *args = json_object();

	json_put(event, "name", json_string(what));
	json_put(args, key, value);
	json_put(event, "args", args);
	print_event(timeline, event);
}

/* Two processes of one number (exec, other machines, used again) must not share their tracks. */
static int32_t own_pid(struct timeline *timeline, int32_t pid)
{
	for (size_t i = 0; i < timeline->pid_count; i++)
		if (timeline->pids[i] == pid) {
			pid = SAME_PID_BASE + (int32_t)timeline->pid_count;
			break;
		}
	timeline->pids = must_realloc(timeline->pids, timeline->pid_count + 1, sizeof(*timeline->pids));
	timeline->pids[timeline->pid_count++] = pid;
	return pid;
}

/* By thread, then begin; of those that begin together the longer first, so that it is the outer. */
static int by_thread_and_time(const void *a, const void *b)
{
	const struct dt_interval *left = *(const struct dt_interval *const *)a,
	                         *right = *(const struct dt_interval *const *)b;

	if (left->thread != right->thread)
		return left->thread < right->thread ? -1 : 1;
	if (left->begin_ns != right->begin_ns)
		return left->begin_ns < right->begin_ns ? -1 : 1;
	return (left->end_ns < right->end_ns) - (left->end_ns > right->end_ns);
}

/* The first track where it lies within what is open, or nothing is. */
static size_t choose_track(struct track *tracks, const struct dt_interval *interval)
{
	for (size_t i = 0; i < TRACKS_MAX; i++) {
		struct track *track = &tracks[i];

		while (track->depth && track->ends[track->depth - 1] <= interval->begin_ns)
			track->depth--;
		if (track->depth < NEST_MAX &&
		    (!track->depth || track->ends[track->depth - 1] >= interval->end_ns)) {
			track->ends[track->depth++] = interval->end_ns;
			return i;
		}
	}
	return TRACKS_MAX;
}

static void name_track(struct writing *writing, size_t index)
{
	const char *words = resolve_thread_words(writing->resolve, writing->thread);

	if (writing->tracks[index].named)
		return;
	writing->tracks[index].named = true;
	if (index)
		words = arena_printf(writing->arena, "%s, overlapping", words);
	print_metadata(writing->timeline, writing->pid, writing->thread, index, "thread_name", "name",
	               json_words(writing->arena, words));
	print_metadata(writing->timeline, writing->pid, writing->thread, index, "thread_sort_index",
	               "sort_index",
	               json_integer((json_int_t)writing->thread * TRACKS_MAX + (json_int_t)index));
}

/* False: there is no track for it. */
static bool print_interval(struct writing *writing, const struct dt_interval *interval)
{
	const struct report_lock lock = names_lock(writing->resolve, interval->lock);
	const struct report_stack stack = resolve_stack(writing->resolve, interval->stack);
	const char *place = names_frame(writing->arena, places_find(&stack));
	bool waits = interval->kind == DT_INTERVAL_WAIT;
	size_t track = choose_track(writing->tracks, interval);

	if (track == TRACKS_MAX)
		return false;
	name_track(writing, track);
	json_t *event = make_event("X", writing->pid, writing->thread, track), *args = json_object();
	json_put(event, "name",
	         json_words(writing->arena,
	                    arena_printf(writing->arena, "%s %s", waits ? "waits for" : "holds", lock.name)));
	json_put(event, "cat", json_string(waits ? "wait" : "hold"));
	json_put(event, "ts", json_real((double)interval->begin_ns / 1e3));
	json_put(event, "dur", json_real((double)(interval->end_ns - interval->begin_ns) / 1e3));
	json_put(args, "lock", json_words(writing->arena, lock.name));
	json_put(args, "kind", json_string(lock.kind));
	json_put(args, "at", json_words(writing->arena, place));
	json_put(event, "args", args);
	print_event(writing->timeline, event);
	return true;
}

static uint32_t print_sorted(struct writing *writing, const struct dt_interval **sorted, uint32_t count)
{
	uint32_t printed = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (i == 0 || sorted[i]->thread != writing->thread)
			memset(writing->tracks, 0, TRACKS_MAX * sizeof(*writing->tracks));
		writing->thread = sorted[i]->thread;
		printed += print_interval(writing, sorted[i]);
		arena_clear(writing->arena);
	}
	return printed;
}

static void name_process(struct timeline *timeline, struct arena *arena, const struct dt_process *process,
                         int32_t pid)
{
	const char *program = process->exe ? model_base_name(process->exe) : "unknown program";

	print_metadata(timeline, pid, 0, 0, "process_name", "name",
	               json_words(arena, arena_printf(arena, "%s (pid %" PRId32 ")", program, process->pid)));
}

uint32_t timeline_add(struct timeline *timeline, struct resolve *resolve)
{
	const struct dt_facts *facts = resolve_facts(resolve);
	uint32_t count = dt_facts_interval_count(facts);
	const struct dt_interval **sorted =
	    must_realloc(NULL, (size_t)count + 1, sizeof(struct dt_interval *));
	struct writing writing = {
	    .timeline = timeline,
	    .resolve = resolve,
	    .arena = arena_new(),
	    .tracks = must_realloc(NULL, TRACKS_MAX, sizeof(struct track)),
	    .pid = own_pid(timeline, dt_facts_process(facts)->pid),
	};

	for (uint32_t i = 0; i < count; i++)
		sorted[i] = dt_facts_interval_nth(facts, i);
	qsort(sorted, count, sizeof(struct dt_interval *), by_thread_and_time);
	if (count)
		name_process(timeline, writing.arena, dt_facts_process(facts), writing.pid);
	count = print_sorted(&writing, sorted, count);
	arena_free(writing.arena);
	free(writing.tracks);
	free(sorted);
	return count;
}
