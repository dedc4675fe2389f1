/* The JSON of the contract, with some more keys. It is printed finding by finding, so that memory does
 * not grow with their number; jansson guarantees the shape of each. */
#include "emit.h"

#include <stdlib.h>

#include "arena.h"
#include "json.h"

struct json_state {
	struct arena *arena; /* of one finding */
	size_t count;        /* in the array that is open */
	bool filtered;       /* it is "filtered" */
};

static json_t *frame_object(struct arena *arena, const struct report_frame *frame)
{
	json_t *object = json_object();

	json_put(object, "function", json_text(arena, frame->function));
	json_put(object, "file", json_text(arena, frame->file));
	json_put(object, "line", frame->line ? json_integer(frame->line) : json_null());
	json_put(object, "column", frame->column ? json_integer(frame->column) : json_null());
	json_put(object, "module", json_text(arena, frame->module ? model_base_name(frame->module) : NULL));
	json_put(object, "path", json_text(arena, frame->module));
	json_put(object, "offset", json_hexadecimal(frame->offset));
	json_put(object, "inlined", json_boolean(frame->inlined));
	json_put(object, "inferred", json_boolean(frame->inferred));
	return object;
}

static json_t *stack_array(struct arena *arena, const struct report_stack *stack)
{
	json_t *array = json_array();

	for (size_t i = 0; i < stack->count; i++)
		json_push(array, frame_object(arena, &stack->frames[i]));
	return array;
}

static json_t *lock_object(struct arena *arena, const struct report_lock *lock)
{
	json_t *object = json_object();

	json_put(object, "id", json_integer(lock->id));
	json_put(object, "name", json_text(arena, lock->name));
	json_put(object, "kind", json_text(arena, lock->kind));
	json_put(object, "origin", json_text(arena, lock->origin));
	return object;
}

static json_t *thread_object(struct arena *arena, const struct report_thread *thread)
{
	json_t *object = json_object();

	json_put(object, "id", json_integer(thread->id));
	json_put(object, "name", json_text(arena, thread->name));
	json_put(object, "start", json_text(arena, thread->start));
	if (thread->pid)
		json_put(object, "pid", json_integer(thread->pid));
	json_put(object, "tid", thread->tid ? json_integer(thread->tid) : json_null());
	json_put(object, "created_by", thread->parent ? json_integer(thread->parent) : json_null());
	json_put(object, "created_at", stack_array(arena, &thread->created));
	return object;
}

static json_t *memory_object(struct arena *arena, const struct report_memory *memory)
{
	json_t *object = json_object();

	json_put(object, "address", json_hexadecimal(memory->address));
	json_put(object, "size", json_integer((json_int_t)memory->bytes));
	json_put(object, "name", json_text(arena, memory->name));
	json_put(object, "place", json_text(arena, memory->place));
	json_put(object, "origin", json_text(arena, memory->origin));
	if (memory->block_bytes) {
		json_put(object, "block", json_hexadecimal(memory->block));
		json_put(object, "block_size", json_integer((json_int_t)memory->block_bytes));
		json_put(object, "allocated_by", memory->thread ? json_integer(memory->thread) : json_null());
		json_put(object, "allocated_at", stack_array(arena, &memory->allocated));
	}
	return object;
}

static json_t *event_object(struct arena *arena, const struct report_event *event)
{
	static const char *const waits[] = {
	    [DT_WAIT_FOREVER] = "forever", [DT_WAIT_TIMED] = "timed", [DT_WAIT_TRY] = "try"};
	json_t *object = json_object(), *holding = json_array();

	for (size_t i = 0; i < event->holding_count; i++)
		json_push(holding, json_integer(event->holding[i]));
	json_put(object, "what", json_string(dt_event_name(event->kind)));
	json_put(object, "thread", json_integer(event->thread));
	json_put(object, "lock", event->lock ? json_integer(event->lock) : json_null());
	if (event->other_thread)
		json_put(object, "other_thread", json_integer(event->other_thread));
	if (event->other_lock)
		json_put(object, "other_lock", json_integer(event->other_lock));
	if (event->pid)
		json_put(object, "pid", json_integer(event->pid));
	if (event->run)
		json_put(object, "run", json_text(arena, event->run));
	if (event->bytes) {
		json_put(object, "address", json_hexadecimal(event->address));
		json_put(object, "size", json_integer((json_int_t)event->bytes));
	}
	if (event->since_ns)
		json_put(object, "since_ns", json_integer((json_int_t)event->since_ns));
	if (event->handler)
		json_put(object, "handler", json_string(event->handler));
	if (event->forgotten)
		json_put(object, "forgotten", json_true());
	if (event->interruptible)
		json_put(object, "interruptible", json_string(event->interruptible));
	json_put(object, "mode", json_string(event->mode == DT_MODE_SHARED ? "shared" : "exclusive"));
	json_put(object, "wait",
	         (unsigned)event->wait <= DT_WAIT_TRY ? json_string(waits[event->wait]) : json_null());
	json_put(object, "holding", holding);
	json_put(object, "stack", stack_array(arena, &event->stack));
	json_put(object, "truncated", json_boolean(event->stack.truncated));
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
			json_push(holds, json_integer(event->holding[h]));
		json_put(step, "thread", json_integer(event->thread));
		json_put(step, "holds", holds);
		json_put(step, "waits_for_lock", event->lock ? json_integer(event->lock) : json_null());
		json_put(step, "waits_for_thread",
		         event->other_thread ? json_integer(event->other_thread) : json_null());
		json_push(cycle, step);
	}
	json_put(state, "cycle", cycle);
	return state;
}

static json_t *numbers(const uint32_t *at, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_push(array, json_integer(at[i]));
	return array;
}

/* The banker's matrices: allocation, claim and what is left of it, by thread. */
static json_t *matrices_object(const struct report_matrices *m)
{
	json_t *state = json_object(), *threads = json_array();

	for (size_t t = 0; t < m->thread_count; t++) {
		const uint32_t *allocation = m->allocation + t * m->resource_count, *claim = m->claim + t * m->resource_count;
		json_t *thread = json_object(), *need = json_array();
		for (size_t r = 0; r < m->resource_count; r++)
			json_push(need, json_integer((json_int_t)claim[r] - allocation[r]));
		json_put(thread, "thread", json_integer(m->threads[t]));
		json_put(thread, "allocation", numbers(allocation, m->resource_count));
		json_put(thread, "claim", numbers(claim, m->resource_count));
		json_put(thread, "need", need);
		json_put(thread, "sections", json_integer(m->sections[t]));
		json_push(threads, thread);
	}
	json_put(state, "resources", numbers(m->resources, m->resource_count));
	json_put(state, "available", numbers(m->available, m->resource_count));
	json_put(state, "threads", threads);
	json_put(state, "stuck", numbers(m->stuck, m->stuck_count));
	return state;
}

static json_t *state_object(const struct report_finding *finding)
{
	switch (finding->rule->id) {
	case DT_RULE_UNSAFE_STATE:
		return finding->matrices.thread_count ? matrices_object(&finding->matrices) : json_null();
	case DT_RULE_DEADLOCK:
	case DT_RULE_SELF_DEADLOCK:
	case DT_RULE_STALL:
		return wait_cycle(finding);
	default:
		return json_null();
	}
}

json_t *emit_json_finding(struct arena *arena, const struct report *report,
                          const struct report_finding *finding)
{
	static const char *const tiers[] = {
	    [DT_TIER_CERTAIN] = "certain", [DT_TIER_POSSIBLE] = "possible", [DT_TIER_NOTE] = "note"};
	json_t *object = json_object(), *locks = json_array(), *threads = json_array(),
	       *events = json_array();

	for (size_t i = 0; i < finding->lock_count; i++)
		json_push(locks, lock_object(arena, &finding->locks[i]));
	for (size_t i = 0; i < finding->thread_count; i++)
		json_push(threads, thread_object(arena, &finding->threads[i]));
	for (size_t i = 0; i < finding->event_count; i++)
		json_push(events, event_object(arena, &finding->events[i]));
	json_put(object, "rule", json_string(finding->rule->name));
	json_put(object, "level", json_string(model_level_name(finding->level)));
	json_put(object, "tier", json_string(tiers[finding->tier]));
	json_put(object, "pid", json_integer(report->processes[finding->process].pid));
	json_put(object, "fingerprint", json_string(finding->fingerprint));
	if (finding->related)
		json_put(object, "related", json_string(finding->related));
	json_put(object, "message", json_text(arena, finding->message));
	json_put(object, "advice", json_text(arena, finding->advice));
	json_put(object, "reason",
	         finding->reason ? json_string(dt_reason_name(finding->reason)) : json_null());
	json_put(object, "known", json_boolean(finding->known));
	json_put(object, "count", json_integer((json_int_t)finding->count));
	if (finding->run_count)
		json_put(object, "runs", json_integer((json_int_t)finding->run_count));
	json_put(object, "locks", locks);
	json_put(object, "threads", threads);
	json_put(object, "events", events);
	if (finding->memory)
		json_put(object, "memory", memory_object(arena, finding->memory));
	if (finding->happened) {
		json_put(object, "time_ns", json_integer((json_int_t)finding->time_ns));
		json_put(object, "broken", json_boolean(finding->broken));
		json_put(object, "limited", json_boolean(finding->limited));
		json_put(object, "cut", json_boolean(finding->cut));
	}
	json_put(object, "state", state_object(finding));
	return object;
}

json_t *emit_json_process(struct arena *arena, const struct report_process *process)
{
	json_t *object = json_object(), *argv = json_array();

	for (size_t i = 0; i < process->argc; i++)
		json_push(argv, json_text(arena, process->argv[i]));
	json_put(object, "pid", json_integer(process->pid));
	json_put(object, "ppid", json_integer(process->ppid));
	json_put(object, "argv", argv);
	json_put(object, "exit", process->exited ? json_integer(process->exit_status) : json_null());
	json_put(object, "signal", process->signalled ? json_integer(process->signal) : json_null());
	json_put(object, "threads", json_integer(process->threads));
	json_put(object, "locks", json_integer(process->locks));
	json_put(object, "acquisitions", json_integer(process->acquisitions));
	return object;
}

json_t *emit_json_summary(const struct report_summary *summary)
{
	json_t *object = json_object();

	for (int level = DT_LEVEL_ERROR; level >= DT_LEVEL_NOTE; level--)
		json_put(object, model_level_name((enum dt_level)level),
		         json_integer((json_int_t)summary->levels[level]));
	json_put(object, "suppressed", json_integer((json_int_t)summary->suppressed));
	json_put(object, "known", json_integer((json_int_t)summary->known));
	json_put(object, "gone", json_integer((json_int_t)summary->gone));
	return object;
}

static void put_member(const struct emit *emit, const char *key, json_t *value)
{
	fprintf(emit->out, ",\n\"%s\": ", key);
	json_print(emit->out, value, JSON_INDENT(2) | JSON_ENCODE_ANY);
}

static void begin(struct emit *emit)
{
	struct json_state *state = must_realloc(NULL, 1, sizeof(*state));
	const struct report *report = emit->report;
	json_t *tool = json_object(), *processes = json_array();

	*state = (struct json_state){.arena = arena_new()};
	emit->state = state;
	for (size_t i = 0; i < report->process_count; i++)
		json_push(processes, emit_json_process(state->arena, &report->processes[i]));
	json_put(tool, "name", json_string("libdetect"));
	json_put(tool, "version", json_string(DETECT_VERSION));
	fputs("{\n\"format\": \"libdetect-findings\",\n\"version\": 1", emit->out);
	put_member(emit, "tool", tool);
	put_member(emit, "processes", processes);
	put_member(emit, "summary", emit_json_summary(&report->summary));
	fputs(",\n\"findings\": [", emit->out);
}

/* From the findings to the filtered candidates, which come last. */
static void begin_filtered(struct emit *emit)
{
	struct json_state *state = emit->state;

	fputs("],\n\"filtered\": [", emit->out);
	state->filtered = true;
	state->count = 0;
}

static void finding(struct emit *emit, const struct report_finding *found)
{
	struct json_state *state = emit->state;

	if (found->filtered && !emit->verbose)
		return;
	if (found->filtered && !state->filtered)
		begin_filtered(emit);
	fputs(state->count++ ? ",\n" : "\n", emit->out);
	json_print(emit->out, emit_json_finding(state->arena, emit->report, found), JSON_INDENT(2));
	arena_clear(state->arena);
}

static json_t *line_array(struct arena *arena, const char *const *lines, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_push(array, json_text(arena, lines[i]));
	return array;
}

static json_t *gone_array(struct arena *arena, const struct report *report)
{
	json_t *array = json_array();

	for (size_t i = 0; i < report->summary.gone; i++) {
		const struct report_gone *gone = &report->gone[i];
		json_t *object = json_object();

		json_put(object, "rule", json_text(arena, gone->rule));
		json_put(object, "level", json_text(arena, gone->level));
		json_put(object, "fingerprint", json_text(arena, gone->fingerprint));
		json_put(object, "message", json_text(arena, gone->message));
		json_push(array, object);
	}
	return array;
}

static void end(struct emit *emit)
{
	struct json_state *state = emit->state;
	const struct report *report = emit->report;

	if (emit->verbose && !state->filtered)
		begin_filtered(emit);
	fputc(']', emit->out);
	if (report->has_baseline)
		put_member(emit, "gone", gone_array(state->arena, report));
	put_member(emit, "notices", line_array(state->arena, report->notices, report->notice_count));
	if (emit->verbose)
		put_member(emit, "remarks", line_array(state->arena, report->remarks, report->remark_count));
	fputs("\n}\n", emit->out);
	arena_free(state->arena);
	free(state);
	emit->state = NULL;
}

const struct emitter emit_json = {
    .name = "json",
    .summary = "for programs: every field of every finding",
    .begin = begin,
    .finding = finding,
    .end = end,
};
