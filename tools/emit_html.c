/* One file to open in a browser: the report as JSON in a data block, and a page (tools/html/) that shows it.
 *
 * Nothing that a program wrote can act. In the data block every '<', '>' and '&' is an escape of JSON, so
 * the block can't be left; the page makes text nodes of it, never markup; and its content security policy
 * names the one script and style by their hashes and forbids everything else, the network too. */
#include "emit.h"

#include <stdlib.h>

#include "arena.h"
#include "html_graph.h"
#include "html_page.h"
#include "json.h"
#include "words.h"

struct html_state {
	struct arena *arena; /* of one finding */
	struct excerpts *excerpts;
	struct html_stacks *stacks;
	size_t count; /* in the array that is open */
};

static int write_escaped(const char *text, size_t bytes, void *context)
{
	FILE *out = context;

	for (size_t i = 0; i < bytes; i++)
		if (text[i] == '<' || text[i] == '>' || text[i] == '&')
			fprintf(out, "\\u%04x", (unsigned)text[i]);
		else
			putc(text[i], out);
	return 0; /* what fails is the stream, and its error indicator says so */
}

static void print(FILE *out, json_t *value)
{
	(void)json_dump_callback(value, write_escaped, out,
	                         JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
	json_decref(value);
}

static void print_item(struct html_state *state, FILE *out, json_t *value)
{
	if (state->count++)
		fputs(",\n", out);
	print(out, value);
}

static void open_array(struct html_state *state, FILE *out, const char *key)
{
	fprintf(out, ",\n\"%s\": [", key);
	state->count = 0;
}

static void put_member(FILE *out, const char *key, json_t *value)
{
	fprintf(out, ",\n\"%s\": ", key);
	print(out, value);
}

static void begin(struct emit *emit)
{
	struct html_state *state = must_realloc(NULL, 1, sizeof(*state));

	*state = (struct html_state){.arena = arena_new(), .excerpts = excerpts_open(emit->source)};
	state->stacks = html_stacks_open(emit->source, state->excerpts);
	emit->state = state;
	fwrite(html_page_before, 1, html_page_before_bytes, emit->out);
	fputs("{\"version\": ", emit->out);
	print(emit->out, json_string(DETECT_VERSION));
	open_array(state, emit->out, "processes");
	for (size_t i = 0; i < emit->report->process_count; i++) {
		json_t *process = emit_json_process(state->arena, &emit->report->processes[i]);

		json_put(process, "program", json_text(state->arena, emit->report->processes[i].program));
		print_item(state, emit->out, process);
		arena_clear(state->arena);
	}
	fputc(']', emit->out);
	put_member(emit->out, "summary", emit_json_summary(&emit->report->summary));
	open_array(state, emit->out, "findings");
}

/* What JSON leaves to its reader: the words that the other formats say, and stacks by number. */
static void add_to_event(struct html_state *state, const struct report_finding *found, size_t index,
                         json_t *object)
{
	const struct report_event *event = &found->events[index];
	bool behind_hold = index > 0 && found->events[index - 1].kind == DT_EVENT_HOLD;
	uint32_t said = behind_hold ? found->events[index - 1].lock : 0;
	const char *also =
	    event->kind == DT_EVENT_HOLD ? NULL : words_also_held(state->arena, found, event, said);

	json_put(object, "words", json_text(state->arena, words_event(state->arena, found, event)));
	json_put(object, "also", json_text(state->arena, also));
	json_put(object, "stack", html_stacks_add(state->stacks, &event->stack));
}

static void add_to_thread(struct html_state *state, const struct report_finding *found, size_t index,
                          json_t *object)
{
	const struct report_thread *thread = &found->threads[index];

	json_put(object, "words", json_text(state->arena, words_thread(state->arena, thread, thread->id)));
	json_put(object, "created", json_text(state->arena, words_created(state->arena, found, thread)));
	json_put(object, "created_at", html_stacks_add(state->stacks, &thread->created));
}

static void finding(struct emit *emit, const struct report_finding *found)
{
	struct html_state *state = emit->state;
	json_t *object = emit_json_finding(state->arena, emit->report, found);
	const struct spot spot = source_finding_spot(emit->source, emit->report, found);

	for (size_t i = 0; i < found->event_count; i++)
		add_to_event(state, found, i, json_array_get(json_object_get(object, "events"), i));
	for (size_t i = 0; i < found->thread_count; i++)
		add_to_thread(state, found, i, json_array_get(json_object_get(object, "threads"), i));
	json_put(object, "index", json_integer(found - emit->report->findings));
	json_put(object, "process", json_integer((json_int_t)found->process));
	json_put(object, "filtered", json_boolean(found->filtered));
	json_put(object, "happened", json_boolean(found->happened));
	json_put(object, "spot", json_text(state->arena, words_spot(state->arena, &spot)));
	if (found->reason)
		json_put(object, "reason_text", json_string(dt_reason_text(found->reason)));
	print_item(state, emit->out, object);
	arena_clear(state->arena);
}

static json_t *rules_object(void)
{
	json_t *object = json_object();

	for (size_t i = 0; i < DT_RULES; i++) {
		json_t *rule = json_object();

		json_put(rule, "summary", json_string(dt_rules[i].summary));
		json_put(rule, "text", json_string(dt_rules[i].text));
		json_put(object, dt_rules[i].name, rule);
	}
	return object;
}

/* When the last program began: sources that are newer are not those that it was made of. */
static uint64_t run_ns(const struct report *report)
{
	uint64_t last = 0;

	for (size_t i = 0; i < report->process_count; i++)
		last = report->processes[i].start_ns > last ? report->processes[i].start_ns : last;
	return last;
}

static json_t *contention_object(struct arena *arena, const struct report_contention *contention)
{
	json_t *object = json_object();

	json_put(object, "name", json_text(arena, contention->lock.name));
	json_put(object, "kind", json_text(arena, contention->lock.kind_words));
	json_put(object, "process", json_integer((json_int_t)contention->process));
	json_put(object, "acquisitions", json_integer((json_int_t)contention->acquisitions));
	json_put(object, "samples", json_integer((json_int_t)contention->samples));
	json_put(object, "contended", json_integer((json_int_t)contention->contended));
	json_put(object, "wait_total_ns", json_integer((json_int_t)contention->wait_total_ns));
	json_put(object, "wait_max_ns", json_integer((json_int_t)contention->wait_max_ns));
	json_put(object, "wait_site", json_text(arena, contention->wait_site));
	json_put(object, "hold_total_ns", json_integer((json_int_t)contention->hold_total_ns));
	json_put(object, "hold_max_ns", json_integer((json_int_t)contention->hold_max_ns));
	json_put(object, "hold_site", json_text(arena, contention->hold_site));
	return object;
}

static void print_contention(struct html_state *state, struct emit *emit)
{
	open_array(state, emit->out, "contention");
	for (size_t i = 0; i < emit->report->contention_count; i++) {
		print_item(state, emit->out, contention_object(state->arena, &emit->report->contention[i]));
		arena_clear(state->arena);
	}
	fputc(']', emit->out);
}

static void end(struct emit *emit)
{
	struct html_state *state = emit->state;
	const struct report *report = emit->report;
	json_t *item;

	fputc(']', emit->out);
	open_array(state, emit->out, "notices");
	for (size_t i = 0; i < report->notice_count; i++)
		print_item(state, emit->out, json_text(state->arena, report->notices[i]));
	fputc(']', emit->out);
	put_member(emit->out, "words", json_text(state->arena, words_summary(state->arena, report)));
	put_member(emit->out, "rules", rules_object());
	print_contention(state, emit);
	put_member(emit->out, "graph", html_graph_make(&report->graph, state->arena, state->stacks));
	open_array(state, emit->out, "stacks");
	while ((item = html_stacks_next(state->stacks)))
		print_item(state, emit->out, item);
	fputc(']', emit->out);
	open_array(state, emit->out, "frames");
	while ((item = html_stacks_next_frame(state->stacks)))
		print_item(state, emit->out, item);
	fputc(']', emit->out);
	open_array(state, emit->out, "files");
	while ((item = excerpts_next(state->excerpts, run_ns(report))))
		print_item(state, emit->out, item);
	fputs("]}", emit->out);
	fwrite(html_page_after, 1, html_page_after_bytes, emit->out);
	html_stacks_close(state->stacks);
	excerpts_close(state->excerpts);
	arena_free(state->arena);
	free(state);
	emit->state = NULL;
}

const struct emitter emit_html = {
    .name = "html",
    .summary = "for a browser: one file with stacks, sources and the lock-order graph",
    .wants_graph = true,
    .begin = begin,
    .finding = finding,
    .end = end,
};
