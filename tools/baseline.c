/* A report is its own baseline. Of each finding stays what a person needs to tell which one is gone. */
#include "baseline.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "arena.h"
#include "findings_file.h"

struct known {
	struct report_gone gone;
	bool met;
	UT_hash_handle hh; /* in order of arrival */
};

struct baseline {
	struct arena *arena;
	struct known *known;
	struct { /* where baseline_nth is */
		const struct known *at;
		size_t index;
		bool met;
	} last;
};

struct baseline *baseline_open(void)
{
	struct baseline *baseline = must_realloc(NULL, 1, sizeof(*baseline));

	*baseline = (struct baseline){.arena = arena_new()};
	return baseline;
}

void baseline_close(struct baseline *baseline)
{
	if (!baseline)
		return;
	HASH_CLEAR(hh, baseline->known); /* its entries lie in the arena */
	arena_free(baseline->arena);
	free(baseline);
}

static struct known *find(const struct baseline *baseline, const char *fingerprint)
{
	struct known *known;

	HASH_FIND_STR(baseline->known, fingerprint, known);
	return known;
}

bool baseline_add(struct baseline *baseline, const struct report_gone *finding)
{
	struct arena *arena = baseline->arena;

	if (find(baseline, finding->fingerprint))
		return false;
	struct known *known = arena_alloc(arena, sizeof(*known));
	known->gone = (struct report_gone){
	    .fingerprint = arena_copy(arena, finding->fingerprint),
	    .rule = arena_copy(arena, finding->rule),
	    .level = arena_copy(arena, finding->level),
	    .message = arena_copy(arena, finding->message),
	};
	HASH_ADD_KEYPTR(hh, baseline->known, known->gone.fingerprint, strlen(known->gone.fingerprint), known);
	return true;
}

static const char *member(const json_t *finding, const char *key)
{
	const char *text = json_string_value(json_object_get(finding, key));

	return text ? text : "";
}

static void take_finding(void *context, const char *fingerprint, const json_t *finding)
{
	const struct report_gone line = {
	    .fingerprint = fingerprint,
	    .rule = member(finding, "rule"),
	    .level = member(finding, "level"),
	    .message = member(finding, "message"),
	};

	baseline_add(context, &line);
}

char *baseline_load(struct baseline *baseline, const char *path)
{
	return findings_file_read(path, take_finding, baseline);
}

bool baseline_meet(struct baseline *baseline, const char *fingerprint)
{
	struct known *known = find(baseline, fingerprint);

	if (known)
		known->met = true;
	return known != NULL;
}

const struct report_gone *baseline_nth(struct baseline *baseline, size_t index, bool met)
{
	const struct known *at = baseline->known;
	size_t skip = index;

	if (baseline->last.at && baseline->last.met == met && baseline->last.index + 1 == index) {
		at = baseline->last.at->hh.next;
		skip = 0;
	}
	for (; at; at = at->hh.next)
		if (at->met == met && skip-- == 0)
			break;
	baseline->last.at = at;
	baseline->last.index = index;
	baseline->last.met = met;
	return at ? &at->gone : NULL;
}
