/* Both notations become the same thing: an entry of conditions, all of which must hold. A short
 * line is an entry with a rule condition and one "anything" condition. */
#include "suppress.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "near.h"
#include "places.h"

enum key { KEY_RULE, KEY_LOCK, KEY_FUNCTION, KEY_FILE, KEY_MODULE, KEY_THREAD, KEY_FINGERPRINT, KEY_ANY };

static const char *const key_names[] = {"rule",   "lock",   "function",    "file",
                                        "module", "thread", "fingerprint", NULL};

/* ThreadSanitizer's words for kinds of reports, and our rules of the same sense. */
static const struct {
	const char *word;
	const char *rules[3];
} tsan_words[] = {
    {"deadlock", {"lock-order-cycle", "wait-while-holding", NULL}},
    {"race", {NULL}},
    {"race_top", {NULL}},
    {"thread", {NULL}},
    {"mutex", {NULL}},
    {"signal", {NULL}},
    {"called_from_lib", {NULL}},
};

struct condition {
	enum key key;
	const char *pattern;
};

struct entry {
	const char *path, *name;
	unsigned line;
	struct condition *conditions;
	size_t condition_count;
	bool used;
};

struct suppressions {
	struct arena *arena;
	struct entry *entries;
	size_t entry_count;
};

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
	for (size_t i = 0; i < set->entry_count; i++)
		free(set->entries[i].conditions);
	free(set->entries);
	arena_free(set->arena);
	free(set);
}

/* Wildcard match that starts at `text`; `tied` at the end too. Backtracks to the last star only. */
static bool match_here(const char *pattern, size_t length, const char *text, bool tied)
{
	const char *end = pattern + length, *star = NULL, *resume = NULL;

	for (;;) {
		if (pattern < end && *pattern == '*') {
			star = pattern++;
			resume = text;
		} else if (pattern == end && (!tied || !*text)) {
			return true;
		} else if (pattern < end && *text && *pattern == *text) {
			pattern++, text++;
		} else if (star && *resume) {
			pattern = star + 1;
			text = ++resume;
		} else {
			return false;
		}
	}
}

static bool match_pattern(const char *pattern, const char *text)
{
	size_t length = strlen(pattern);
	bool from_start = length && pattern[0] == '^', to_end;

	if (!text)
		return false;
	if (from_start)
		pattern++, length--;
	to_end = length && pattern[length - 1] == '$';
	if (to_end)
		length--;
	if (from_start)
		return match_here(pattern, length, text, to_end);
	do {
		if (match_here(pattern, length, text, to_end))
			return true;
	} while (*text++);
	return false;
}

static bool match_rule(const char *pattern, const char *rule)
{
	if (strcmp(pattern, "*") == 0 || strcmp(pattern, rule) == 0)
		return true;
	for (size_t i = 0; i < sizeof(tsan_words) / sizeof(*tsan_words); i++)
		for (size_t r = 0; strcmp(pattern, tsan_words[i].word) == 0 && tsan_words[i].rules[r]; r++)
			if (strcmp(tsan_words[i].rules[r], rule) == 0)
				return true;
	return false;
}

static bool match_stack(enum key key, const char *pattern, const struct report_stack *stack)
{
	for (size_t i = 0; i < stack->count; i++) {
		const struct report_frame *frame = &stack->frames[i];

		if (((key == KEY_FUNCTION || key == KEY_ANY) && match_pattern(pattern, frame->function)) ||
		    ((key == KEY_FILE || key == KEY_ANY) && match_pattern(pattern, frame->file)) ||
		    ((key == KEY_MODULE || key == KEY_ANY) && match_pattern(pattern, frame->module)))
			return true;
	}
	return false;
}

static bool match_lock(const char *pattern, const struct report_finding *finding)
{
	for (size_t i = 0; i < finding->lock_count; i++)
		if (match_pattern(pattern, finding->locks[i].name))
			return true;
	return false;
}

static bool match_thread(const char *pattern, const struct report_finding *finding)
{
	for (size_t i = 0; i < finding->thread_count; i++)
		if (match_pattern(pattern, finding->threads[i].name) ||
		    match_pattern(pattern, finding->threads[i].start))
			return true;
	return false;
}

static bool match_condition(const struct condition *condition, const struct report_finding *finding)
{
	const char *pattern = condition->pattern;

	switch (condition->key) {
	case KEY_RULE:
		return match_rule(pattern, finding->rule->name);
	case KEY_FINGERPRINT:
		return strcmp(pattern, finding->fingerprint) == 0;
	case KEY_LOCK:
		return match_lock(pattern, finding);
	case KEY_THREAD:
		return match_thread(pattern, finding);
	case KEY_ANY:
		if (match_lock(pattern, finding))
			return true;
		break;
	case KEY_FUNCTION:
	case KEY_FILE:
	case KEY_MODULE:
		break;
	}
	for (size_t i = 0; i < finding->event_count; i++)
		if (match_stack(condition->key, pattern, &finding->events[i].stack))
			return true;
	return false;
}

bool suppress_match(struct suppressions *set, const struct report_finding *finding)
{
	bool any = false;

	for (size_t i = 0; i < set->entry_count; i++) {
		struct entry *entry = &set->entries[i];
		size_t met = 0;

		while (met < entry->condition_count && match_condition(&entry->conditions[met], finding))
			met++;
		if (met == entry->condition_count)
			any = entry->used = true;
	}
	return any;
}

const char *suppress_unused(const struct suppressions *set, size_t index)
{
	for (size_t i = 0; i < set->entry_count; i++) {
		const struct entry *entry = &set->entries[i];
		if (!entry->used && index-- == 0)
			return arena_printf(set->arena, "%s:%u: %s", entry->path, entry->line,
			                    entry->name ? entry->name : "block without a name");
	}
	return NULL;
}

/* Where the parser is. */
struct parse {
	struct suppressions *set;
	const char *path;
	unsigned line;
	struct entry *block; /* open block, or NULL */
};

static struct entry *add_entry(struct parse *parse, const char *name)
{
	struct suppressions *set = parse->set;

	set->entries = must_realloc(set->entries, set->entry_count + 1, sizeof(*set->entries));
	struct entry *entry = &set->entries[set->entry_count++];
	*entry = (struct entry){.path = parse->path, .line = parse->line, .name = name};
	return entry;
}

static void add_condition(struct entry *entry, enum key key, const char *pattern)
{
	entry->conditions =
	    must_realloc(entry->conditions, entry->condition_count + 1, sizeof(*entry->conditions));
	entry->conditions[entry->condition_count++] = (struct condition){key, pattern};
}

static const char *nth_key(size_t index)
{
	return key_names[index];
}

static const char *nth_rule(size_t index)
{
	return index < DT_RULES ? dt_rules[index].name : NULL;
}

static char *complain(const struct parse *parse, const char *what, const char *word, const char *near)
{
	return must_printf("%s:%u: %s '%s'%s%s%s", parse->path, parse->line, what, word,
	                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static char *check_rule(const struct parse *parse, const char *rule)
{
	if (strcmp(rule, "*") == 0 || dt_rule_find(rule))
		return NULL;
	for (size_t i = 0; i < sizeof(tsan_words) / sizeof(*tsan_words); i++)
		if (strcmp(rule, tsan_words[i].word) == 0)
			return NULL;
	return complain(parse, "no rule", rule, near_find(rule, nth_rule));
}

/* Cut `text` at its first colon; both sides trimmed. False when it has none. */
static bool split(char *text, char **left, char **right)
{
	char *colon = strchr(text, ':');

	if (!colon)
		return false;
	char *end = colon;
	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	*left = text;
	*right = colon + 1 + strspn(colon + 1, " \t");
	return true;
}

/* The key that a block's line begins with; KEY_ANY for none. */
static enum key find_key(const char *line)
{
	for (size_t key = 0; key_names[key]; key++) {
		size_t length = strlen(key_names[key]);
		if (strncmp(line, key_names[key], length) == 0 &&
		    line[length + strspn(line + length, " \t")] == ':')
			return (enum key)key;
	}
	return KEY_ANY;
}

static char *parse_block_line(struct parse *parse, char *text)
{
	struct entry *block = parse->block;
	enum key key = find_key(text);
	char *word, *pattern;

	if (strcmp(text, "}") == 0) {
		if (block->condition_count == 0)
			return must_printf("%s:%u: a block without a condition would leave out everything",
			                   parse->path, parse->line);
		parse->block = NULL;
		return NULL;
	}
	if (key == KEY_ANY && !block->name && block->condition_count == 0) {
		block->name = text;
		return NULL;
	}
	if (!split(text, &word, &pattern))
		return complain(parse, "expected 'KEY: PATTERN' or '}', not", text, NULL);
	if (key == KEY_ANY)
		return complain(parse, "no key", word, near_find(word, nth_key));
	if (!*pattern)
		return complain(parse, "no pattern after", word, NULL);
	add_condition(block, key, pattern);
	return key == KEY_RULE ? check_rule(parse, pattern) : NULL;
}

static char *parse_line(struct parse *parse, char *text)
{
	char *rule, *pattern;

	if (parse->block)
		return parse_block_line(parse, text);
	if (strcmp(text, "{") == 0) {
		parse->block = add_entry(parse, NULL);
		return NULL;
	}
	const char *name = arena_copy(parse->set->arena, text);
	if (!split(text, &rule, &pattern))
		return complain(parse, "expected 'RULE:PATTERN' or '{', not", text, NULL);
	if (!*pattern)
		return complain(parse, "no pattern after", rule, NULL);
	struct entry *entry = add_entry(parse, name);
	if (strcmp(rule, "fingerprint") == 0) {
		add_condition(entry, KEY_FINGERPRINT, pattern);
		return NULL;
	}
	add_condition(entry, KEY_RULE, rule);
	add_condition(entry, KEY_ANY, pattern);
	return check_rule(parse, rule);
}

char *suppress_parse(struct suppressions *set, const char *path, const char *text)
{
	struct parse parse = {.set = set, .path = arena_copy(set->arena, path)};
	char *rest = arena_copy(set->arena, text), *line;

	while ((line = strsep(&rest, "\n"))) {
		parse.line++;
		line += strspn(line, " \t\r");
		size_t length = strlen(line);
		while (length && isspace((unsigned char)line[length - 1]))
			line[--length] = '\0';
		if (*line == '\0' || *line == '#')
			continue;
		char *why = parse_line(&parse, line);
		if (why)
			return why;
	}
	if (parse.block)
		return must_printf("%s:%u: this block has no end ('}')", path, parse.block->line);
	return NULL;
}

char *suppress_load(struct suppressions *set, const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL, *why;
	size_t size = 0;

	if (!file)
		return must_printf("%s: %s", path, strerror(errno));
	/* One read up to a NUL byte, which no text has, or to the end. */
	ssize_t bytes = getdelim(&text, &size, '\0', file);
	if (bytes < 0 && ferror(file))
		why = must_printf("%s: %s", path, strerror(errno));
	else if (bytes > 0 && text[bytes - 1] == '\0')
		why = must_printf("%s: not a text file", path);
	else
		why = suppress_parse(set, path, bytes > 0 ? text : "");
	free(text);
	fclose(file);
	return why;
}
