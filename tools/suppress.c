/* All notations become the same thing: an entry of conditions, all of which must hold. A short line is an
 * entry with a condition on the rule and one on anything that has a name. */
#include "suppress.h"

#include <stdlib.h>
#include <string.h>

#include "pattern.h"
#include "places.h"
#include "suppress_set.h"

struct suppressions *suppress_open(void)
{
	struct suppressions *set = must_realloc(NULL, 1, sizeof(*set));

	*set = (struct suppressions){.arena = arena_new()};
	return set;
}

void suppress_close(struct suppressions *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->entry_count; i++) {
		struct suppress_entry *entry = &set->entries[i];
		for (size_t c = 0; c < entry->condition_count; c++)
			free(entry->conditions[c].frames);
		free(entry->conditions);
	}
	free(set->entries);
	arena_free(set->arena);
	free(set);
}

struct suppress_condition *suppress_add(struct suppress_entry *entry, enum suppress_key key,
                                        const char *pattern)
{
	entry->conditions =
	    must_realloc(entry->conditions, entry->condition_count + 1, sizeof(*entry->conditions));
	struct suppress_condition *added = &entry->conditions[entry->condition_count++];
	*added = (struct suppress_condition){.key = key, .pattern = pattern};
	return added;
}

static bool match_rule(const char *pattern, const char *rule)
{
	return strcmp(pattern, "*") == 0 || strcmp(pattern, rule) == 0;
}

static bool match_kind(const char *const *rules, const char *rule)
{
	for (size_t i = 0; i < SUPPRESS_RULES_MAX && rules[i]; i++)
		if (match_rule(rules[i], rule))
			return true;
	return false;
}

static bool match_frame(enum suppress_key key, const char *pattern, const struct report_frame *frame)
{
	bool any = key == SUPPRESS_ANY || key == SUPPRESS_TOP;

	return ((any || key == SUPPRESS_FUNCTION) && pattern_in(pattern, frame->function)) ||
	       ((any || key == SUPPRESS_FILE) && pattern_in(pattern, frame->file)) ||
	       ((any || key == SUPPRESS_MODULE || key == SUPPRESS_CALLER) &&
	        pattern_in(pattern, frame->module));
}

static bool match_frames(enum suppress_key key, const char *pattern, const struct report_stack *stack)
{
	size_t count = stack->count;

	if ((key == SUPPRESS_TOP || key == SUPPRESS_CALLER) && count > 1)
		count = 1;
	for (size_t i = 0; i < count; i++)
		if (match_frame(key, pattern, &stack->frames[i]))
			return true;
	return false;
}

static bool match_source(const char *pattern, const struct report_frame *frame)
{
	char line[32];
	size_t length = strlen(pattern);
	const char *colon = strrchr(pattern, ':');
	char *file;

	if (!frame->file)
		return false;
	snprintf(line, sizeof(line), "%u", frame->line);
	if (!colon || colon[1 + strspn(colon + 1, "0123456789*?")])
		return pattern_whole(pattern, model_base_name(frame->file)) ||
		       pattern_whole(pattern, frame->file);
	file = must_printf("%.*s", (int)(length - strlen(colon)), pattern);
	bool matches =
	    (pattern_whole(file, model_base_name(frame->file)) || pattern_whole(file, frame->file)) &&
	    pattern_whole(colon + 1, line);
	free(file);
	return matches;
}

/* One line of a stack against one frame. */
static bool match_part(const struct suppress_frame *wanted, const struct report_frame *frame)
{
	struct arena *scratch;
	bool matches;

	switch (wanted->part) {
	case SUPPRESS_OBJ:
		return pattern_whole(wanted->pattern, frame->module);
	case SUPPRESS_SRC:
		return match_source(wanted->pattern, frame);
	case SUPPRESS_GAP:
		return true;
	case SUPPRESS_FUN:
		break;
	}
	if (!frame->function)
		return false;
	if (pattern_whole(wanted->pattern, frame->function))
		return true;
	scratch = arena_new();
	const char *bare = places_bare_name(scratch, frame->function);
	matches =
	    pattern_whole(wanted->pattern, bare) || (wanted->plain && pattern_whole(wanted->plain, bare));
	arena_free(scratch);
	return matches;
}

/* The stack begins with these frames. As pattern.c, with `...` for the star. */
static bool match_stack(const struct suppress_condition *condition, const struct report_stack *stack)
{
	const struct suppress_frame *wanted = condition->frames, *end = wanted + condition->frame_count;
	const struct suppress_frame *gap = NULL;
	size_t at = 0, resume = 0;

	for (;;) {
		if (wanted == end)
			return true;
		if (wanted->part == SUPPRESS_GAP) {
			gap = wanted++;
			resume = at;
		} else if (at < stack->count && match_part(wanted, &stack->frames[at])) {
			wanted++, at++;
		} else if (gap && resume < stack->count) {
			wanted = gap + 1;
			at = ++resume;
		} else {
			return false;
		}
	}
}

static bool match_stacks(const struct suppress_condition *condition, const struct report_finding *finding)
{
	for (size_t i = 0; i < finding->event_count; i++) {
		const struct report_stack *stack = &finding->events[i].stack;
		if (condition->key == SUPPRESS_STACK
		        ? match_stack(condition, stack)
		        : match_frames(condition->key, condition->pattern, stack))
			return true;
	}
	return condition->key == SUPPRESS_STACK && condition->frame_count == 0;
}

static bool match_lock(const char *pattern, const struct report_finding *finding)
{
	for (size_t i = 0; i < finding->lock_count; i++)
		if (pattern_in(pattern, finding->locks[i].name))
			return true;
	return false;
}

static bool match_class(const char *pattern, const struct report_finding *finding)
{
	for (size_t i = 0; i < finding->lock_count; i++)
		if (pattern_in(pattern, finding->locks[i].class_name))
			return true;
	return false;
}

static bool is_called(const char *pattern, const struct report_finding *finding, uint32_t id)
{
	const struct report_lock *lock = model_lock(finding, id);

	return lock && (pattern_in(pattern, lock->name) || pattern_in(pattern, lock->class_name));
}

static bool match_edge(const struct suppress_condition *condition, const struct report_finding *finding)
{
	for (size_t i = 0; i < finding->event_count; i++) {
		const struct report_event *event = &finding->events[i];
		if (!event->lock || !is_called(condition->second, finding, event->lock))
			continue;
		for (size_t h = 0; h < event->holding_count; h++)
			if (is_called(condition->pattern, finding, event->holding[h]))
				return true;
	}
	return false;
}

static bool match_thread(const char *pattern, const struct report_finding *finding)
{
	for (size_t i = 0; i < finding->thread_count; i++)
		if (pattern_in(pattern, finding->threads[i].name) ||
		    pattern_in(pattern, finding->threads[i].start))
			return true;
	return false;
}

static bool match_condition(const struct suppress_condition *condition, const struct report_finding *finding)
{
	const char *pattern = condition->pattern;

	switch (condition->key) {
	case SUPPRESS_RULE:
		return match_rule(pattern, finding->rule->name);
	case SUPPRESS_KIND:
		return match_kind(condition->rules, finding->rule->name);
	case SUPPRESS_FINGERPRINT:
		return strcmp(pattern, finding->fingerprint) == 0;
	case SUPPRESS_LOCK:
		return match_lock(pattern, finding);
	case SUPPRESS_CLASS:
		return match_class(pattern, finding);
	case SUPPRESS_EDGE:
		return match_edge(condition, finding);
	case SUPPRESS_THREAD:
		return match_thread(pattern, finding);
	case SUPPRESS_ANY:
		return match_lock(pattern, finding) || match_stacks(condition, finding);
	default:
		return match_stacks(condition, finding);
	}
}

bool suppress_match(struct suppressions *set, const struct report_finding *finding)
{
	bool any = false;

	for (size_t i = 0; i < set->entry_count; i++) {
		struct suppress_entry *entry = &set->entries[i];
		size_t met = 0;

		while (met < entry->condition_count && match_condition(&entry->conditions[met], finding))
			met++;
		if (met == entry->condition_count) {
			entry->used++;
			any = true;
		}
	}
	return any;
}

static const char *nth_entry(const struct suppressions *set, size_t index, bool used)
{
	for (size_t i = 0; i < set->entry_count; i++) {
		const struct suppress_entry *entry = &set->entries[i];
		const char *name = entry->name ? entry->name : "block without a name";

		if (used != (entry->used > 0) || (!used && entry->is_mute) || index-- > 0)
			continue;
		if (used)
			return arena_printf(set->arena, "%s:%u: %s, %zu finding%s", entry->path, entry->line,
			                    name, entry->used, entry->used == 1 ? "" : "s");
		return arena_printf(set->arena, "%s:%u: %s", entry->path, entry->line, name);
	}
	return NULL;
}

const char *suppress_unused(const struct suppressions *set, size_t index)
{
	return nth_entry(set, index, false);
}

const char *suppress_used(const struct suppressions *set, size_t index)
{
	return nth_entry(set, index, true);
}
