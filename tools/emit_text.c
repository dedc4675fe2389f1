/* What a person reads. The order is that of the questions asked: how bad, what, who and where (each
 * edge with both stacks), what to do, how sure; last what the report does not know. */
#include "emit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "advice.h"
#include "arena.h"
#include "names.h"
#include "places.h"
#include "safe.h"
#include "say.h"
#include "words.h"

#define PLAIN "\033[0m"
#define BOLD "\033[1m"
#define DIM "\033[2m"

static const char *const level_headline[] = {
    [DT_LEVEL_NOTE] = "NOTE", [DT_LEVEL_WARNING] = "WARNING", [DT_LEVEL_ERROR] = "ERROR"};
static const char *const level_colour[] = {
    [DT_LEVEL_NOTE] = "\033[1;36m", [DT_LEVEL_WARNING] = "\033[1;33m", [DT_LEVEL_ERROR] = "\033[1;31m"};

struct text_state {
	struct arena *arena;
};

static void paint(const struct emit *emit, const char *colour)
{
	if (emit->colour)
		fputs(colour, emit->out);
}

/* A piece of text that may hold a program's names, in a colour. */
static void painted(const struct emit *emit, const char *colour, const char *text)
{
	paint(emit, colour);
	safe_print(emit->out, text);
	paint(emit, PLAIN);
}

static void print_place(const struct emit *emit, const struct report_frame *frame)
{
	FILE *out = emit->out;
	struct spot spot;

	if (frame->file) {
		bool placed = emit->relative && source_frame_spot(emit->source, frame, &spot);

		fputs(" at ", out);
		safe_print(out, placed ? spot.path : frame->file);
		if (frame->line)
			fprintf(out, ":%u", frame->line);
		if (frame->line && frame->column)
			fprintf(out, ":%u", frame->column);
	}
	paint(emit, DIM);
	fputs(" (", out);
	if (frame->module) {
		safe_print(out, model_base_name(frame->module));
		fputc('+', out);
	}
	fprintf(out, "0x%" PRIx64 ")", frame->offset);
	if (frame->inlined)
		fputs(" [inlined]", out);
	if (frame->inferred)
		fputs(" (inferred)", out);
	paint(emit, PLAIN);
	fputc('\n', out);
}

static void print_stack(const struct emit *emit, const char *indent, const struct report_stack *stack)
{
	for (size_t i = 0; i < stack->count; i++) {
		fprintf(emit->out, "%s#%-2zu ", indent, i);
		safe_print(emit->out, stack->frames[i].function ? stack->frames[i].function : "??");
		print_place(emit, &stack->frames[i]);
	}
	if (stack->count == 0)
		fprintf(emit->out, "%s(no stack was kept)\n", indent);
	else if (stack->truncated)
		fprintf(emit->out, "%s... (deeper frames were not kept)\n", indent);
}

static void print_thread(const struct emit *emit, const struct report_finding *finding, uint32_t id)
{
	struct text_state *state = emit->state;
	const struct report_thread *thread = model_thread(finding, id);
	char *words = arena_copy(state->arena, words_thread(state->arena, thread, id));

	if (strncmp(words, "th", 2) == 0)
		words[0] = 'T';
	else if (words[0] == 'a')
		words[0] = 'A';
	fputs("\n  ", emit->out);
	painted(emit, BOLD, words);
	if (thread)
		safe_print(emit->out, words_created(state->arena, finding, thread));
	fputc('\n', emit->out);
}

static void print_events(const struct emit *emit, const struct report_finding *finding)
{
	struct text_state *state = emit->state;
	bool edge_begins = true;
	uint32_t said = 0;

	for (size_t i = 0; i < finding->event_count; i++) {
		const struct report_event *event = &finding->events[i];
		const char *also =
		    event->kind == DT_EVENT_HOLD ? NULL : words_also_held(state->arena, finding, event, said);

		if (edge_begins || event->thread != finding->events[i - 1].thread)
			print_thread(emit, finding, event->thread);
		if (also) {
			fputs("    ", emit->out);
			safe_print(emit->out, also);
			fputc('\n', emit->out);
		}
		fputs("    ", emit->out);
		safe_print(emit->out, words_event(state->arena, finding, event));
		fputc('\n', emit->out);
		print_stack(emit, "      ", &event->stack);
		if (event->forgotten)
			fputs("      (older than what is kept of each thread: DETECT_OPTIONS=race_history=N "
			      "keeps more)\n",
			      emit->out);
		edge_begins = event->kind != DT_EVENT_HOLD;
		said = event->kind == DT_EVENT_HOLD ? event->lock : 0;
	}
}

/* A filtered candidate in a line an edge. */
static void print_edges_short(const struct emit *emit, const struct report_finding *finding)
{
	struct text_state *state = emit->state;

	for (size_t i = 0; i < finding->event_count; i++) {
		const struct report_event *event = &finding->events[i];
		const struct report_thread *thread = model_thread(finding, event->thread);
		const char *where = names_frame(state->arena, places_find(&event->stack));

		fputs(event->kind == DT_EVENT_HOLD ? "    " : "      ", emit->out);
		safe_print(emit->out, thread ? advice_thread(state->arena, thread) : "?");
		fputc(' ', emit->out);
		safe_print(emit->out, words_event(state->arena, finding, event));
		fputc(' ', emit->out);
		safe_print(emit->out, where ? where : "(no stack was kept)");
		fputc('\n', emit->out);
	}
	fputc('\n', emit->out);
}

static void print_memory(const struct emit *emit, const struct report_finding *finding)
{
	struct text_state *state = emit->state;
	const struct report_memory *memory = finding->memory;

	if (!memory || !memory->allocated.count)
		return;
	const struct report_thread *thread = model_thread(finding, memory->thread);
	fputs("\n  ", emit->out);
	safe_print(emit->out,
	           arena_printf(state->arena, "The block of %" PRIu64 " bytes was allocated%s%s here:\n",
	                        memory->block_bytes, thread ? " by " : "",
	                        thread ? advice_thread(state->arena, thread) : ""));
	print_stack(emit, "      ", &memory->allocated);
}

/* Where each lock comes from, unless its name says so. */
static void print_locks(const struct emit *emit, const struct report_finding *finding)
{
	bool any = false;

	for (size_t i = 0; i < finding->lock_count; i++) {
		const struct report_lock *lock = &finding->locks[i];

		if (!lock->origin || strstr(lock->name, lock->origin))
			continue;
		fputs(any ? "" : "\n", emit->out);
		any = true;
		fputs("  `", emit->out);
		safe_print(emit->out, lock->name);
		fputs("`: ", emit->out);
		safe_print(emit->out, lock->kind_words);
		fputc(' ', emit->out);
		safe_print(emit->out, lock->origin);
		fputc('\n', emit->out);
	}
}

static void print_reason(const struct emit *emit, const struct report_finding *finding)
{
	if (!finding->reason)
		return;
	fprintf(emit->out, "  %s (%s): ", finding->filtered ? "No finding" : "Rated lower",
	        dt_reason_name(finding->reason));
	safe_print(emit->out, dt_reason_text(finding->reason));
	if (finding->reason_lock) {
		fputs(" (`", emit->out);
		safe_print(emit->out, finding->reason_lock);
		fputs("`)", emit->out);
	}
	fputc('\n', emit->out);
}

static void print_headline(const struct emit *emit, const struct report_finding *finding)
{
	const struct report_process *process = &emit->report->processes[finding->process];

	if (finding->filtered) {
		painted(emit, DIM, "filtered");
	} else {
		painted(emit, level_colour[finding->level], level_headline[finding->level]);
	}
	fprintf(emit->out, ": %s in ", finding->rule->name);
	safe_print(emit->out, process->program);
	fprintf(emit->out, " (pid %" PRId32 ")\n  ", process->pid);
	painted(emit, BOLD, finding->message);
	fputs(".\n", emit->out);
	if (finding->count > 1)
		fprintf(emit->out,
		        "  Seen at these places %" PRIu64
		        " times, with other objects or in other processes.\n",
		        finding->count);
}

static void begin(struct emit *emit)
{
	struct text_state *state = must_realloc(NULL, 1, sizeof(*state));

	*state = (struct text_state){.arena = arena_new()};
	emit->state = state;
}

/* What the claims were learned from: "safe" is not promised on thin evidence. */
static void print_known(const struct emit *emit, const struct report_finding *found)
{
	const struct report_matrices *m = &found->matrices;
	uint32_t least = UINT32_MAX;

	for (size_t t = 0; t < m->thread_count; t++)
		least = m->sections[t] < least ? m->sections[t] : least;
	fprintf(emit->out, "  What each may need is known from %u section%s or more of its kind:\n", least,
	        least == 1 ? "" : "s");
}

/* The banker's table: a row a thread, a column a resource. */
static void print_matrices(const struct emit *emit, const struct report_finding *found)
{
	struct text_state *state = emit->state;
	const struct report_matrices *m = &found->matrices;

	if (!m->resource_count)
		return;
	fputc('\n', emit->out);
	print_known(emit, found);
	for (size_t r = 0; r < m->resource_count; r++) {
		const struct report_lock *lock = model_lock(found, m->resources[r]);
		fputs("  ", emit->out);
		safe_print(emit->out, lock ? lock->name : "?");
		fprintf(emit->out, ": %u available\n", m->available[r]);
		for (size_t t = 0; t < m->thread_count; t++) {
			uint32_t has = m->allocation[t * m->resource_count + r],
			         claim = m->claim[t * m->resource_count + r];
			const struct report_thread *thread = model_thread(found, m->threads[t]);
			if (!claim)
				continue;
			fprintf(emit->out, "    allocation %u, claim %u, need %u: ", has, claim, claim - has);
			safe_print(emit->out, thread ? advice_thread(state->arena, thread) : "?");
			fputc('\n', emit->out);
		}
	}
}

static void print_whole(const struct emit *emit, const struct report_finding *found)
{
	print_events(emit, found);
	print_matrices(emit, found);
	print_memory(emit, found);
	print_locks(emit, found);
	fputs("\n  ", emit->out);
	painted(emit, BOLD, "What to change:");
	fputc(' ', emit->out);
	safe_print(emit->out, found->advice);
	if (found->related)
		fprintf(emit->out, "\n  %s%s.",
		        found->rule->id == DT_RULE_UNSAFE_STATE
		            ? "The same bug as the lock-order cycle "
		            : "The threads came as near as they can: they held all of this at once; see "
		              "unsafe state ",
		        found->related);
	fprintf(emit->out, "\n  Fingerprint %s; see `detect explain %s`.\n\n", found->fingerprint,
	        found->rule->name);
}

static void finding(struct emit *emit, const struct report_finding *found)
{
	struct text_state *state = emit->state;

	if (found->known && !emit->verbose)
		return;
	print_headline(emit, found);
	print_reason(emit, found);
	if (found->known)
		fputs("  Known: it is in the baseline.\n", emit->out);
	if (found->filtered) {
		print_edges_short(emit, found);
	} else {
		print_whole(emit, found);
	}
	arena_clear(state->arena);
}

static void print_lines(const struct emit *emit, const char *const *lines, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		fputs("detect: ", emit->out);
		safe_print(emit->out, lines[i]);
		fputc('\n', emit->out);
	}
}

static void print_gone(const struct emit *emit)
{
	for (size_t i = 0; i < emit->report->summary.gone; i++) {
		fputs("Gone: ", emit->out);
		safe_print(emit->out, emit->report->gone[i].message);
		fputs(" [", emit->out);
		safe_print(emit->out, emit->report->gone[i].rule);
		fputs("]\n", emit->out);
	}
}

/* A shell says it of its own children only, and ours is none. */
static void print_endings(const struct emit *emit, struct arena *arena)
{
	for (size_t i = 0; i < emit->report->process_count; i++) {
		const struct report_process *process = &emit->report->processes[i];
		if (process->signalled) {
			const char *line =
			    arena_printf(arena, "%s (pid %d) was ended by signal %d: %s", process->program,
			                 process->pid, process->signal, strsignal(process->signal));
			print_lines(emit, &line, 1);
		}
	}
}

static void end(struct emit *emit)
{
	struct text_state *state = emit->state;
	const struct report_summary *summary = &emit->report->summary;
	size_t counted = summary->levels[DT_LEVEL_ERROR] + summary->levels[DT_LEVEL_WARNING] +
	                 summary->levels[DT_LEVEL_NOTE];

	if (emit->verbose)
		print_gone(emit);
	print_endings(emit, state->arena);
	print_lines(emit, emit->report->notices, emit->report->notice_count);
	if (emit->verbose)
		print_lines(emit, emit->report->remarks, emit->report->remark_count);
	if (!emit->quiet || counted)
		fprintf(emit->out, "%s\n", words_summary(state->arena, emit->report));
	arena_free(state->arena);
	free(state);
	emit->state = NULL;
}

char *emit_finding_text(const struct emit *emit, const struct report_finding *found)
{
	char *text;
	size_t bytes;
	struct text_state state = {.arena = arena_new()};
	struct emit plain = {
	    .out = open_memstream(&text, &bytes),
	    .report = emit->report,
	    .source = emit->source,
	    .relative = true,
	    .verbose = true,
	    .state = &state,
	};

	if (!plain.out)
		say_out_of_memory();
	finding(&plain, found);
	if (fclose(plain.out))
		say_out_of_memory();
	arena_free(state.arena);
	return text;
}

const struct emitter emit_text = {
    .name = "text",
    .summary = "for people",
    .has_summary = true,
    .begin = begin,
    .finding = finding,
    .end = end,
};
