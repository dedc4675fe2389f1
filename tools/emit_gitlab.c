/* GitLab's code-quality report: a JSON array of what GitLab documents, a part of Code Climate's
 * format (description, check_name, fingerprint, severity, location.path, location.lines.begin), with what Code Climate's own asks for besides.
 *
 * GitLab tells new from old by comparing the fingerprints of two branches, so what is known goes in
 * too, and each fingerprint once: one bug that two programs share is one entry. */
#include "emit.h"

#include <stdlib.h>

#include "arena.h"
#include "json.h"

struct gitlab_state {
	struct arena *arena; /* of one finding */
	json_t *seen;        /* an object as a set of fingerprints */
};

static void begin(struct emit *emit)
{
	struct gitlab_state *state = must_realloc(NULL, 1, sizeof(*state));

	*state = (struct gitlab_state){.arena = arena_new(), .seen = json_object()};
	emit->state = state;
	fputc('[', emit->out);
}

static const char *severity(enum dt_level level)
{
	static const char *const names[] = {
	    [DT_LEVEL_NOTE] = "info", [DT_LEVEL_WARNING] = "major", [DT_LEVEL_ERROR] = "critical"};

	return names[level];
}

static json_t *location(struct arena *arena, const struct spot *spot)
{
	json_t *object = json_object(), *lines = json_object();

	json_put(lines, "begin", json_integer(spot->line ? spot->line : 1));
	json_put(lines, "end", json_integer(spot->line ? spot->line : 1));
	json_put(object, "path", json_words(arena, spot->path));
	json_put(object, "lines", lines);
	return object;
}

static void finding(struct emit *emit, const struct report_finding *found)
{
	struct gitlab_state *state = emit->state;
	const struct spot spot = source_finding_spot(emit->source, emit->report, found);
	json_t *object, *categories;

	if (found->filtered || json_object_get(state->seen, found->fingerprint))
		return;
	fputs(json_object_size(state->seen) ? ",\n" : "\n", emit->out);
	json_put(state->seen, found->fingerprint, json_true());
	object = json_object();
	categories = json_array();
	json_push(categories, json_string("Bug Risk"));
	json_put(object, "type", json_string("issue"));
	json_put(object, "check_name", json_string(found->rule->name));
	json_put(object, "description", json_words(state->arena, found->message));
	json_put(object, "categories", categories);
	json_put(object, "severity", json_string(severity(found->level)));
	json_put(object, "fingerprint", json_text(state->arena, found->fingerprint));
	json_put(object, "location", location(state->arena, &spot));
	json_print(emit->out, object, JSON_COMPACT);
	arena_clear(state->arena);
}

static void end(struct emit *emit)
{
	struct gitlab_state *state = emit->state;

	fputs("\n]\n", emit->out);
	json_decref(state->seen);
	arena_free(state->arena);
	free(state);
	emit->state = NULL;
}

const struct emitter emit_gitlab = {
    .name = "gitlab",
    .summary = "GitLab's code quality report (JSON)",
    .begin = begin,
    .finding = finding,
    .end = end,
};
