/* Valgrind's XML protocol 4, as Helgrind writes it, for what reads that: IDEs, CI plug-ins, scripts.
 *
 * Readers are strict where the protocol is: the tool must be one they know (helgrind), the kind of an
 * error one of Helgrind's seven, and the first stack belongs to the error's own text while each
 * further one follows an auxwhat. So a stack that is not known is one frame of address 0. Helgrind
 * announces a thread before the first error that names it.
 *
 * One document stands for one process there; ours stands for the first of a run, and its preamble
 * lists the others. Thread numbers are the log's own, so they can repeat between processes. */
#include "emit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "arena.h"
#include "safe.h"
#include "words.h"
#include "xml.h"

struct announced {
	uint64_t key; /* process and thread */
	UT_hash_handle hh;
};

struct counted {
	uint64_t unique, count;
};

struct valgrind_state {
	struct arena *arena; /* of one finding */
	struct arena *kept;
	struct announced *announced;
	struct counted *counted;
	size_t count;
};

/* Where Helgrind has a word of its own. */
static const char *kind_name(const struct dt_rule *rule)
{
	static const struct {
		const char *rule, *kind;
	} rows[] = {
	    {"lock-order-cycle", "LockOrder"},
	    {"data-race", "Race"},
	    {"predicted-race", "Race"},
	    {"unlock-not-locked", "UnlockUnlocked"},
	    {"unlock-not-owner", "UnlockForeign"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strcmp(rows[i].rule, rule->name) == 0)
			return rows[i].kind;
	return "Misc";
}

static void print_command(const struct emit *emit, const struct report_process *process)
{
	struct valgrind_state *state = emit->state;
	FILE *out = emit->out;

	fputs("  <argv>\n", out);
	xml_element(out, state->arena, 4, "exe", process->argc ? process->argv[0] : process->program);
	for (size_t i = 1; i < process->argc; i++)
		xml_element(out, state->arena, 4, "arg", process->argv[i]);
	fputs("  </argv>\n", out);
}

static const char *command_line(struct arena *arena, const struct report_process *process)
{
	const char *line = arena_printf(arena, "Process %" PRId32 ", command:", process->pid);

	for (size_t i = 0; i < process->argc; i++)
		line = arena_printf(arena, "%s %s", line, process->argv[i]);
	return line;
}

static void print_preamble(const struct emit *emit)
{
	struct valgrind_state *state = emit->state;
	const struct report *report = emit->report;

	fputs("<preamble>\n", emit->out);
	xml_element(emit->out, state->arena, 2, "line",
	            "libdetect " DETECT_VERSION ", a deadlock and data-race detector");
	for (size_t i = 0; i < report->process_count; i++) {
		xml_element(emit->out, state->arena, 2, "line",
		            command_line(state->arena, &report->processes[i]));
		arena_clear(state->arena);
	}
	for (size_t i = 0; i < report->notice_count; i++)
		xml_element(emit->out, state->arena, 2, "line", report->notices[i]);
	fputs("</preamble>\n\n", emit->out);
}

static void print_status(const struct emit *emit, const char *word)
{
	fprintf(emit->out, "<status>\n  <state>%s</state>\n  <time>00:00:00:00.000 </time>\n</status>\n\n",
	        word);
}

static void begin(struct emit *emit)
{
	static const struct report_process none = {.program = "program"};
	struct valgrind_state *state = must_realloc(NULL, 1, sizeof(*state));
	const struct report *report = emit->report;
	const struct report_process *first = report->process_count ? &report->processes[0] : &none;

	*state = (struct valgrind_state){.arena = arena_new(), .kept = arena_new()};
	emit->state = state;
	fputs("<?xml version=\"1.0\"?>\n\n<valgrindoutput>\n\n<protocolversion>4</protocolversion>\n"
	      "<protocoltool>helgrind</protocoltool>\n\n",
	      emit->out);
	print_preamble(emit);
	fprintf(emit->out, "<pid>%" PRId32 "</pid>\n<ppid>%" PRId32 "</ppid>\n<tool>helgrind</tool>\n\n",
	        first->pid, first->ppid);
	fputs("<args>\n  <vargv>\n    <exe>detect</exe>\n  </vargv>\n", emit->out);
	print_command(emit, first);
	fputs("</args>\n\n", emit->out);
	print_status(emit, "RUNNING");
}

static void print_frame(const struct emit *emit, const struct report_frame *frame)
{
	struct valgrind_state *state = emit->state;
	FILE *out = emit->out;
	const char *slash = frame->file ? strrchr(frame->file, '/') : NULL;

	fprintf(out, "    <frame>\n      <ip>0x%" PRIX64 "</ip>\n", frame->offset);
	xml_element(out, state->arena, 6, "obj", frame->module);
	xml_element(out, state->arena, 6, "fn", frame->function);
	if (slash)
		xml_element(out, state->arena, 6, "dir",
		            slash == frame->file ? "/"
		                                 : arena_printf(state->arena, "%.*s",
		                                                (int)(slash - frame->file), frame->file));
	xml_element(out, state->arena, 6, "file", slash ? slash + 1 : frame->file);
	if (frame->file && frame->line)
		fprintf(out, "      <line>%u</line>\n", frame->line);
	fputs("    </frame>\n", out);
}

static void print_stack(const struct emit *emit, const struct report_stack *stack)
{
	static const struct report_frame unknown = {0};

	fputs("  <stack>\n", emit->out);
	for (size_t i = 0; i < stack->count; i++)
		print_frame(emit, &stack->frames[i]);
	if (!stack->count)
		print_frame(emit, &unknown);
	fputs("  </stack>\n", emit->out);
}

static void announce(const struct emit *emit, size_t process, const struct report_thread *thread)
{
	struct valgrind_state *state = emit->state;
	const uint64_t key = (uint64_t)process << 32 | thread->id;
	struct announced *announced;

	HASH_FIND(hh, state->announced, &key, sizeof(key), announced);
	if (announced)
		return;
	announced = arena_alloc(state->kept, sizeof(*announced));
	announced->key = key;
	HASH_ADD(hh, state->announced, key, sizeof(announced->key), announced);
	fprintf(emit->out, "<announcethread>\n  <hthreadid>%" PRIu32 "</hthreadid>\n", thread->id);
	if (thread->created.count)
		print_stack(emit, &thread->created);
	else
		fputs("  <isrootthread></isrootthread>\n", emit->out);
	fputs("</announcethread>\n\n", emit->out);
}

static void print_text(const struct emit *emit, const struct report_finding *found,
                       const struct report_event *event, const char *before, uint32_t said)
{
	struct valgrind_state *state = emit->state;
	const char *also =
	    event->kind == DT_EVENT_HOLD ? NULL : words_also_held(state->arena, found, event, said);

	xml_element(emit->out, state->arena, 4, "text",
	            arena_printf(state->arena, "%s%s%s%s", before, words_step(state->arena, found, event),
	                         also ? ", " : "", also ? also : ""));
	fprintf(emit->out, "    <hthreadid>%" PRIu32 "</hthreadid>\n", event->thread);
}

static void print_event(const struct emit *emit, const struct report_finding *found, size_t index)
{
	struct valgrind_state *state = emit->state;
	const struct report_event *event = &found->events[index];
	const struct report_event *before = index ? event - 1 : NULL;
	bool first = index == 0;

	fprintf(emit->out, "  <%s>\n", first ? "xwhat" : "xauxwhat");
	print_text(emit, found, event, first ? arena_printf(state->arena, "%s. ", found->message) : "",
	           before && before->kind == DT_EVENT_HOLD ? before->lock : 0);
	fprintf(emit->out, "  </%s>\n", first ? "xwhat" : "xauxwhat");
	print_stack(emit, &event->stack);
}

static void keep_count(struct valgrind_state *state, uint64_t unique, uint64_t count)
{
	if ((state->count & (state->count - 1)) == 0)
		state->counted = must_realloc(state->counted, state->count ? 2 * state->count : 1,
		                              sizeof(*state->counted));
	state->counted[state->count++] = (struct counted){unique, count};
}

static void finding(struct emit *emit, const struct report_finding *found)
{
	static const struct report_stack none = {0};
	struct valgrind_state *state = emit->state;
	uint32_t thread = found->event_count ? found->events[0].thread : 0;
	uint64_t unique = state->count;

	if (found->filtered || (found->known && !emit->verbose))
		return;
	for (size_t i = 0; i < found->thread_count; i++)
		announce(emit, found->process, &found->threads[i]);
	fprintf(emit->out, "<error>\n  <unique>0x%" PRIx64 "</unique>\n  <tid>%" PRIu32 "</tid>\n", unique,
	        thread);
	xml_element(emit->out, state->arena, 2, "kind", kind_name(found->rule));
	for (size_t i = 0; i < found->event_count; i++)
		print_event(emit, found, i);
	if (!found->event_count) {
		xml_element(emit->out, state->arena, 2, "what", found->message);
		print_stack(emit, &none);
	}
	fputs("</error>\n\n", emit->out);
	keep_count(state, unique, found->count);
	arena_clear(state->arena);
}

static void end(struct emit *emit)
{
	struct valgrind_state *state = emit->state;

	print_status(emit, "FINISHED");
	fputs("<errorcounts>\n", emit->out);
	for (size_t i = 0; i < state->count; i++)
		fprintf(emit->out,
		        "  <pair>\n    <count>%" PRIu64 "</count>\n    <unique>0x%" PRIx64
		        "</unique>\n  </pair>\n",
		        state->counted[i].count, state->counted[i].unique);
	fputs("</errorcounts>\n\n<suppcounts>\n</suppcounts>\n\n</valgrindoutput>\n", emit->out);
	HASH_CLEAR(hh, state->announced);
	arena_free(state->arena);
	arena_free(state->kept);
	free(state->counted);
	free(state);
	emit->state = NULL;
}

const struct emitter emit_valgrind = {
    .name = "valgrind",
    .summary = "Valgrind's XML, as Helgrind writes it",
    .begin = begin,
    .finding = finding,
    .end = end,
};
