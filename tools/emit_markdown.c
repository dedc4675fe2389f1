/* Markdown for a job summary ($GITHUB_STEP_SUMMARY), a merge request or a chat: a table first, then each
 * finding folded up.
 *
 * Nothing that a program wrote can act: words are escaped character by character, names stand in
 * code spans that can't be left (they hold no backquote), stacks in fences longer than any run of
 * backquotes in them.
 *
 * GitHub takes 1 MiB for a step and drops what is larger, all of it. So the table ends at
 * a quarter of that, details at a half, notices at an eighth, and the summary says how many are not
 * shown. */
#include "emit.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "safe.h"
#include "say.h"
#include "words.h"

#define TABLE_BYTES (((size_t)1 << 20) / 4)
#define NOTICE_BYTES (((size_t)1 << 20) / 8)
#define DETAIL_BYTES (((size_t)1 << 20) / 2)

struct markdown_state {
	struct arena *arena;   /* of one finding */
	char *table, *details; /* streams, so that each has its bound and the table comes first */
	size_t table_bytes, detail_bytes;
	FILE *table_out, *details_out;
	size_t not_in_table, not_in_details;
};

static void begin(struct emit *emit)
{
	struct markdown_state *state = must_realloc(NULL, 1, sizeof(*state));

	*state = (struct markdown_state){.arena = arena_new()};
	state->table_out = open_memstream(&state->table, &state->table_bytes);
	state->details_out = open_memstream(&state->details, &state->detail_bytes);
	if (!state->table_out || !state->details_out)
		say_out_of_memory();
	emit->state = state;
}

/* Words outside of code. A dot or colon between two characters is escaped too: it could make a link. An @
 * could make one even when escaped, but not as code. */
static void print_words(FILE *out, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		bool inside = i > 0 && text[i - 1] != ' ' && i + 1 < length && text[i + 1] != ' ';

		if (text[i] == '@') {
			fputs("`@`", out);
			continue;
		}
		if (strchr("\\`*_{}[]<>()#+-!|~&$", text[i]) || (strchr(".:", text[i]) && inside))
			fputc('\\', out);
		fputc(text[i], out);
	}
}

/* In a table a bar would end the cell, even in code. */
enum place { IN_TEXT, IN_CELL };

static void print_code(FILE *out, const char *text, size_t length, enum place place)
{
	bool spaced = length == 0 || text[0] == ' ' || text[length - 1] == ' ';

	fputs(spaced ? "` " : "`", out);
	for (size_t i = 0; i < length; i++)
		fputs(place == IN_CELL && text[i] == '|' ? "\\|" : (char[]){text[i], '\0'}, out);
	fputs(spaced ? " `" : "`", out);
}

/* A sentence of ours, with names between backquotes: those become code. An odd backquote is a name's
 * own, and then just a character. */
static void print_sentence(FILE *out, struct arena *arena, const char *text, enum place place)
{
	text = safe_visible(arena, text);
	for (;;) {
		size_t length = strcspn(text, "`"), name;

		print_words(out, text, length);
		text += length;
		if (!*text)
			return;
		name = strcspn(text + 1, "`");
		if (!text[1 + name]) {
			print_words(out, text, strlen(text));
			return;
		}
		print_code(out, text + 1, name, place);
		text += name + 2;
	}
}

/* One name, whatever it is, in a cell. */
static void print_name(FILE *out, struct arena *arena, const char *text)
{
	text = safe_visible(arena, text);
	if (strchr(text, '`'))
		print_words(out, text, strlen(text));
	else
		print_code(out, text, strlen(text), IN_CELL);
}

static size_t longest_backquotes(const char *text)
{
	size_t longest = 0;

	while (*text) {
		size_t run = strspn(text, "`");
		longest = run > longest ? run : longest;
		text += run + (run == 0);
	}
	return longest;
}

static void print_fenced(FILE *out, const char *text)
{
	size_t fence = longest_backquotes(text) + 1;

	fence = fence < 3 ? 3 : fence;
	for (int side = 0; side < 2; side++) {
		for (size_t i = 0; i < fence; i++)
			fputc('`', out);
		fputs(side ? "\n" : "text\n", out);
		if (!side)
			fputs(text, out);
	}
}

static void print_row(const struct emit *emit, const struct report_finding *found)
{
	struct markdown_state *state = emit->state;
	const struct spot spot = source_finding_spot(emit->source, emit->report, found);
	FILE *out = state->table_out;

	fprintf(out, "| %s%s | `%s` | ", model_level_name(found->level), found->known ? " (known)" : "",
	        found->rule->name);
	print_sentence(out, state->arena, found->message, IN_CELL);
	fputs(" | ", out);
	print_name(out, state->arena, words_spot(state->arena, &spot));
	fputs(" |\n", out);
}

static void print_details(const struct emit *emit, const struct report_finding *found)
{
	struct markdown_state *state = emit->state;
	FILE *out = state->details_out;
	char *text = emit_finding_text(emit, found);

	/* A summary is HTML, so the sentence goes below it. */
	fprintf(out, "\n<details><summary>%s: %s %.8s</summary>\n\n", model_level_name(found->level),
	        found->rule->name, found->fingerprint);
	print_sentence(out, state->arena, found->message, IN_TEXT);
	fputs(".\n\n", out);
	print_fenced(out, text);
	fputs("\n</details>\n", out);
	free(text);
}

/* What `print` writes to the stream stays only when the stream is then within its bound. */
static bool print_bounded(const struct emit *emit, const struct report_finding *found, FILE *out,
                          size_t bound, void (*print)(const struct emit *, const struct report_finding *))
{
	off_t before = ftello(out);

	print(emit, found);
	if (ftello(out) <= (off_t)bound)
		return true;
	fseeko(out, before, SEEK_SET);
	return false;
}

static void finding(struct emit *emit, const struct report_finding *found)
{
	struct markdown_state *state = emit->state;

	if (found->filtered)
		return;
	if (state->not_in_table || !print_bounded(emit, found, state->table_out, TABLE_BYTES, print_row))
		state->not_in_table++;
	if (!found->known && (state->not_in_details ||
	                      !print_bounded(emit, found, state->details_out, DETAIL_BYTES, print_details)))
		state->not_in_details++;
	arena_clear(state->arena);
}

static void print_heading(const struct emit *emit)
{
	const struct report_summary *summary = &emit->report->summary;

	fprintf(emit->out, "## libdetect: %zu error%s, %zu warning%s, %zu note%s\n\n",
	        summary->levels[DT_LEVEL_ERROR], summary->levels[DT_LEVEL_ERROR] == 1 ? "" : "s",
	        summary->levels[DT_LEVEL_WARNING], summary->levels[DT_LEVEL_WARNING] == 1 ? "" : "s",
	        summary->levels[DT_LEVEL_NOTE], summary->levels[DT_LEVEL_NOTE] == 1 ? "" : "s");
}

static void print_findings(const struct emit *emit)
{
	struct markdown_state *state = emit->state;

	if (fclose(state->table_out) || fclose(state->details_out))
		say_out_of_memory();
	if (state->table_bytes) {
		fputs("| level | rule | finding | where |\n| --- | --- | --- | --- |\n", emit->out);
		fwrite(state->table, 1, state->table_bytes, emit->out);
	}
	if (state->not_in_table)
		fprintf(emit->out, "\n%zu more findings are not in this table.\n", state->not_in_table);
	fwrite(state->details, 1, state->detail_bytes, emit->out);
	if (state->not_in_details)
		fprintf(emit->out,
		        "\nThe details of %zu more findings are left out, since a job summary holds 1 MiB.\n",
		        state->not_in_details);
}

static void print_notices(const struct emit *emit)
{
	struct markdown_state *state = emit->state;
	const struct report *report = emit->report;
	size_t bytes = 0, i;

	for (i = 0; i < report->notice_count; i++) {
		/* Each byte can take four when it is made visible, and then two. */
		bytes += 8 * strlen(report->notices[i]);
		if (bytes > NOTICE_BYTES)
			break;
		fputs(i ? "- " : "\n- ", emit->out);
		print_sentence(emit->out, state->arena, report->notices[i], IN_TEXT);
		fputc('\n', emit->out);
	}
	if (i < report->notice_count)
		fprintf(emit->out, "\n%zu more notices are left out.\n", report->notice_count - i);
}

static void end(struct emit *emit)
{
	struct markdown_state *state = emit->state;
	const struct report *report = emit->report;

	print_heading(emit);
	print_findings(emit);
	print_notices(emit);
	fprintf(emit->out, "\n%s\n", words_summary(state->arena, report));
	free(state->table);
	free(state->details);
	arena_free(state->arena);
	free(state);
	emit->state = NULL;
}

const struct emitter emit_markdown = {
    .name = "markdown",
    .summary = "a summary for a job or a merge request",
    .has_summary = true,
    .begin = begin,
    .finding = finding,
    .end = end,
};
