/* GitHub's workflow commands: `::error file=,line=,col=,title=::message` lines, which the runner turns
 * into annotations of the code. What is known already is not annotated: a job tells what is new.
 *
 * The runner reads a command from the beginning of a line up to its end, so text is made visible (one
 * line) and then escaped as the runner's own toolkit does: %, CR and LF everywhere, : and , in
 * properties. GitHub shows ten annotations of a kind for a step; the findings come worst first. */
#include "emit.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "safe.h"
#include "words.h"

static void print_escaped(FILE *out, struct arena *arena, const char *text, const char *also)
{
	for (text = safe_visible(arena, text); *text; text++) {
		if (*text == '%' || strchr(also, *text))
			fprintf(out, "%%%02X", (unsigned char)*text);
		else
			fputc(*text, out);
	}
}

static void print_property(FILE *out, struct arena *arena, const char *text)
{
	print_escaped(out, arena, text, ":,");
}

static void begin(struct emit *emit)
{
	emit->state = arena_new();
}

static void print_events(const struct emit *emit, const struct report_finding *found)
{
	struct arena *arena = emit->state;

	for (size_t i = 0; i < found->event_count; i++) {
		const struct report_event *event = &found->events[i];
		struct spot spot;

		fputs("%0A", emit->out);
		print_escaped(emit->out, arena, words_step(arena, found, event), "");
		if (!source_spot(emit->source, &event->stack, &spot))
			continue;
		fputs(": ", emit->out);
		print_escaped(emit->out, arena, words_spot(arena, &spot), "");
	}
}

static void finding(struct emit *emit, const struct report_finding *found)
{
	static const char *const commands[] = {
	    [DT_LEVEL_NOTE] = "notice", [DT_LEVEL_WARNING] = "warning", [DT_LEVEL_ERROR] = "error"};
	struct arena *arena = emit->state;
	const struct spot spot = source_finding_spot(emit->source, emit->report, found);

	if (found->filtered || found->known)
		return;
	fprintf(emit->out, "::%s file=", commands[found->level]);
	print_property(emit->out, arena, spot.path);
	if (spot.line)
		fprintf(emit->out, ",line=%u", spot.line);
	if (spot.column)
		fprintf(emit->out, ",col=%u", spot.column);
	fprintf(emit->out, ",title=libdetect%%3A %s::", found->rule->name);
	print_escaped(emit->out, arena, found->message, "");
	fputc('.', emit->out);
	print_events(emit, found);
	fputs("%0AWhat to change: ", emit->out);
	print_escaped(emit->out, arena, found->advice, "");
	fputc('\n', emit->out);
	arena_clear(arena);
}

static void end(struct emit *emit)
{
	fprintf(emit->out, "%s\n", words_summary(emit->state, emit->report));
	arena_free(emit->state);
	emit->state = NULL;
}

const struct emitter emit_github = {
    .name = "github",
    .summary = "GitHub's workflow commands: annotations of the code",
    .has_summary = true,
    .begin = begin,
    .finding = finding,
    .end = end,
};
