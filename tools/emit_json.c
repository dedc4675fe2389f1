/* The JSON of the contract, with some more keys; README.md has the list. The document is built whole
 * and printed at the end: it is small beside the facts, and jansson then guarantees its shape. */
#include "emit.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "arena.h"
#include "safe.h"
#include "say.h"

struct document {
	struct arena *arena;
	json_t *findings, *filtered;
};

static json_t *text(struct document *document, const char *value)
{
	return value ? json_string(safe_utf8(document->arena, value)) : json_null();
}

static json_t *hexadecimal(struct document *document, uint64_t value)
{
	return json_string(arena_printf(document->arena, "0x%" PRIx64, value));
}

/* Append, whatever it is; jansson answers -1 when there is no memory. */
static void append(json_t *array, json_t *value)
{
	if (json_array_append_new(array, value))
		say_out_of_memory();
}

static void set(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value))
		say_out_of_memory();
}

static json_t *frame_object(struct document *document, const struct report_frame *frame)
{
	json_t *object = json_object();

	set(object, "function", text(document, frame->function));
	set(object, "file", text(document, frame->file));
	set(object, "line", frame->line ? json_integer(frame->line) : json_null());
	set(object, "column", frame->column ? json_integer(frame->column) : json_null());
	set(object, "module", text(document, frame->module ? model_base_name(frame->module) : NULL));
	set(object, "path", text(document, frame->module));
	set(object, "offset", hexadecimal(document, frame->offset));
	set(object, "inlined", json_boolean(frame->inlined));
	set(object, "inferred", json_boolean(frame->inferred));
	return object;
}

static json_t *stack_array(struct document *document, const struct report_stack *stack)
{
	json_t *array = json_array();

	for (size_t i = 0; i < stack->count; i++)
		append(array, frame_object(document, &stack->frames[i]));
	return array;
}

static json_t *lock_object(struct document *document, const struct report_lock *lock)
{
	json_t *object = json_object();

	set(object, "id", json_integer(lock->id));
	set(object, "name", text(document, lock->name));
	set(object, "kind", text(document, lock->kind));
	set(object, "origin", text(document, lock->origin));
	return object;
}

static json_t *thread_object(struct document *document, const struct report_thread *thread)
{
	json_t *object = json_object();

	set(object, "id", json_integer(thread->id));
	set(object, "name", text(document, thread->name));
	set(object, "start", text(document, thread->start));
	set(object, "tid", thread->tid ? json_integer(thread->tid) : json_null());
	set(object, "created_by", thread->parent ? json_integer(thread->parent) : json_null());
	set(object, "created_at", stack_array(document, &thread->created));
	return object;
}

static json_t *event_object(struct document *document, const struct report_event *event)
{
	static const char *const waits[] = {
	    [DT_WAIT_FOREVER] = "forever", [DT_WAIT_TIMED] = "timed", [DT_WAIT_TRY] = "try"};
	json_t *object = json_object(), *holding = json_array();

	for (size_t i = 0; i < event->holding_count; i++)
		append(holding, json_integer(event->holding[i]));
	set(object, "what", json_string(dt_event_name(event->kind)));
	set(object, "thread", json_integer(event->thread));
	set(object, "lock", event->lock ? json_integer(event->lock) : json_null());
	if (event->other_thread)
		set(object, "other_thread", json_integer(event->other_thread));
	if (event->other_lock)
		set(object, "other_lock", json_integer(event->other_lock));
	if (event->pid)
		set(object, "pid", json_integer(event->pid));
	if (event->since_ns)
		set(object, "since_ns", json_integer((json_int_t)event->since_ns));
	set(object, "mode", json_string(event->mode == DT_MODE_SHARED ? "shared" : "exclusive"));
	set(object, "wait",
	    (unsigned)event->wait <= DT_WAIT_TRY ? json_string(waits[event->wait]) : json_null());
	set(object, "holding", holding);
	set(object, "stack", stack_array(document, &event->stack));
	set(object, "truncated", json_boolean(event->stack.truncated));
	return object;
}

/* The wait-for cycle of an actual deadlock: who holds what and waits for what of whom. */
static json_t *wait_cycle(const struct report_finding *finding)
{
	json_t *state = json_object(), *cycle = json_array();

	for (size_t i = 0; i < finding->event_count; i++) {
		const struct report_event *event = &finding->events[i];
		json_t *step, *holds;

		if (event->kind != DT_EVENT_ACQUIRE && event->kind != DT_EVENT_WAIT)
			continue;
		step = json_object();
		holds = json_array();
		for (size_t h = 0; h < event->holding_count; h++)
			append(holds, json_integer(event->holding[h]));
		set(step, "thread", json_integer(event->thread));
		set(step, "holds", holds);
		set(step, "waits_for_lock", event->lock ? json_integer(event->lock) : json_null());
		set(step, "waits_for_thread",
		    event->other_thread ? json_integer(event->other_thread) : json_null());
		append(cycle, step);
	}
	set(state, "cycle", cycle);
	return state;
}

static json_t *state_object(const struct report_finding *finding)
{
	switch (finding->rule->id) {
	case DT_RULE_DEADLOCK:
	case DT_RULE_SELF_DEADLOCK:
	case DT_RULE_STALL:
		return wait_cycle(finding);
	default:
		return json_null();
	}
}

static json_t *finding_object(struct document *document, const struct report *report,
                              const struct report_finding *finding)
{
	static const char *const tiers[] = {
	    [DT_TIER_CERTAIN] = "certain", [DT_TIER_POSSIBLE] = "possible", [DT_TIER_NOTE] = "note"};
	json_t *object = json_object(), *locks = json_array(), *threads = json_array(),
	       *events = json_array();

	for (size_t i = 0; i < finding->lock_count; i++)
		append(locks, lock_object(document, &finding->locks[i]));
	for (size_t i = 0; i < finding->thread_count; i++)
		append(threads, thread_object(document, &finding->threads[i]));
	for (size_t i = 0; i < finding->event_count; i++)
		append(events, event_object(document, &finding->events[i]));
	set(object, "rule", json_string(finding->rule->name));
	set(object, "level", json_string(model_level_name(finding->level)));
	set(object, "tier", json_string(tiers[finding->tier]));
	set(object, "pid", json_integer(report->processes[finding->process].pid));
	set(object, "fingerprint", json_string(finding->fingerprint));
	set(object, "message", text(document, finding->message));
	set(object, "advice", text(document, finding->advice));
	set(object, "reason", finding->reason ? json_string(dt_reason_name(finding->reason)) : json_null());
	set(object, "known", json_boolean(finding->known));
	set(object, "count", json_integer((json_int_t)finding->count));
	set(object, "locks", locks);
	set(object, "threads", threads);
	set(object, "events", events);
	if (finding->happened) {
		set(object, "time_ns", json_integer((json_int_t)finding->time_ns));
		set(object, "broken", json_boolean(finding->broken));
	}
	set(object, "state", state_object(finding));
	return object;
}

static json_t *process_object(struct document *document, const struct report_process *process)
{
	json_t *object = json_object(), *argv = json_array();

	for (size_t i = 0; i < process->argc; i++)
		append(argv, text(document, process->argv[i]));
	set(object, "pid", json_integer(process->pid));
	set(object, "ppid", json_integer(process->ppid));
	set(object, "argv", argv);
	set(object, "exit", process->exited ? json_integer(process->exit_status) : json_null());
	set(object, "signal", process->signalled ? json_integer(process->signal) : json_null());
	set(object, "threads", json_integer(process->threads));
	set(object, "locks", json_integer(process->locks));
	set(object, "acquisitions", json_integer(process->acquisitions));
	return object;
}

static json_t *summary_object(const struct report_summary *summary)
{
	json_t *object = json_object();

	for (int level = DT_LEVEL_ERROR; level >= DT_LEVEL_NOTE; level--)
		set(object, model_level_name((enum dt_level)level),
		    json_integer((json_int_t)summary->levels[level]));
	set(object, "suppressed", json_integer((json_int_t)summary->suppressed));
	set(object, "known", json_integer((json_int_t)summary->known));
	return object;
}

static void begin(struct emit *emit)
{
	struct document *document = must_realloc(NULL, 1, sizeof(*document));

	*document =
	    (struct document){.arena = arena_new(), .findings = json_array(), .filtered = json_array()};
	emit->state = document;
}

static void finding(struct emit *emit, const struct report_finding *found)
{
	struct document *document = emit->state;

	append(found->filtered ? document->filtered : document->findings,
	       finding_object(document, emit->report, found));
}

static json_t *line_array(struct document *document, const char *const *lines, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		append(array, text(document, lines[i]));
	return array;
}

static void end(struct emit *emit)
{
	struct document *document = emit->state;
	const struct report *report = emit->report;
	json_t *root = json_object(), *tool = json_object(), *processes = json_array();

	for (size_t i = 0; i < report->process_count; i++)
		append(processes, process_object(document, &report->processes[i]));
	set(tool, "name", json_string("libdetect"));
	set(tool, "version", json_string(DETECT_VERSION));
	set(root, "format", json_string("libdetect-findings"));
	set(root, "version", json_integer(1));
	set(root, "tool", tool);
	set(root, "processes", processes);
	set(root, "summary", summary_object(&report->summary));
	set(root, "findings", document->findings);
	if (emit->verbose)
		set(root, "filtered", document->filtered);
	else
		json_decref(document->filtered);
	set(root, "notices", line_array(document, report->notices, report->notice_count));
	if (emit->verbose)
		set(root, "remarks", line_array(document, report->remarks, report->remark_count));
	if (json_dumpf(root, emit->out, JSON_INDENT(2)) == 0)
		fputc('\n', emit->out);
	json_decref(root);
	arena_free(document->arena);
	free(document);
	emit->state = NULL;
}

const struct emitter emit_json = {
    .name = "json",
    .summary = "for programs: every field of every finding",
    .begin = begin,
    .finding = finding,
    .end = end,
};
