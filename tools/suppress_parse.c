/* Line by line: outside a block a line of ThreadSanitizer's notation, inside one either Valgrind's, as
 * soon as a "Tool:Kind" line says so, or ours. */
#include "suppress.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "near.h"
#include "suppress_set.h"

const char *const suppress_keys[SUPPRESS_KEYS + 1] = {
    "rule", "lock", "class", "edge", "function", "file", "module", "thread", "fingerprint", "stack", NULL};

/* ThreadSanitizer's words for kinds of reports, and our rules of the same sense. */
struct tsan_word {
	const char *word;
	enum suppress_key key;
	const char *rules[SUPPRESS_RULES_MAX];
};

static const struct tsan_word tsan_words[] = {
    {"deadlock", SUPPRESS_ANY, {"lock-order-cycle", "wait-while-holding", "deadlock"}},
    {"race", SUPPRESS_ANY, {"data-race", "predicted-race"}},
    {"race_top", SUPPRESS_TOP, {"data-race", "predicted-race"}},
    {"mutex",
     SUPPRESS_ANY,
     {"self-deadlock", "unlock-not-locked", "unlock-not-owner", "destroy-locked", "use-destroyed",
      "init-locked"}},
    {"signal", SUPPRESS_ANY, {"lock-in-signal-handler"}},
    {"called_from_lib", SUPPRESS_CALLER, {"*"}},
    {"thread", SUPPRESS_ANY, {NULL}},
};

static const struct tsan_word *find_word(const char *word)
{
	for (size_t i = 0; i < sizeof(tsan_words) / sizeof(*tsan_words); i++)
		if (strcmp(word, tsan_words[i].word) == 0)
			return &tsan_words[i];
	return NULL;
}

static struct suppress_entry *add_entry(struct suppress_parse *parse, const char *name)
{
	struct suppressions *set = parse->set;

	set->entries = must_realloc(set->entries, set->entry_count + 1, sizeof(*set->entries));
	struct suppress_entry *entry = &set->entries[set->entry_count++];
	*entry = (struct suppress_entry){.path = parse->path, .line = parse->line, .name = name};
	return entry;
}

static const char *nth_key(size_t index)
{
	return suppress_keys[index];
}

/* Rules, and what else can be said in a rule's place. */
static const char *nth_rule(size_t index)
{
	const size_t words = sizeof(tsan_words) / sizeof(*tsan_words);

	if (index < words)
		return tsan_words[index].word;
	return index - words < DT_RULES ? dt_rules[index - words].name : NULL;
}

char *suppress_complain(const struct suppress_parse *parse, const char *what, const char *word,
                        const char *near)
{
	return must_printf("%s:%u: %s '%s'%s%s%s", parse->path, parse->line, what, word,
	                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* A condition on the rule, from a rule's name or a word for several. */
static char *add_rule(struct suppress_parse *parse, struct suppress_entry *entry, const char *rule)
{
	const struct tsan_word *word = find_word(rule);

	if (word) {
		suppress_add(entry, SUPPRESS_KIND, rule)->rules = word->rules;
		entry->is_mute |= !word->rules[0];
		return NULL;
	}
	suppress_add(entry, SUPPRESS_RULE, rule);
	if (strcmp(rule, "*") == 0 || dt_rule_find(rule))
		return NULL;
	return suppress_complain(parse, "no rule", rule, near_find(rule, nth_rule));
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

/* The key that a block's line begins with; SUPPRESS_KEYS for none. */
static enum suppress_key find_key(const char *line)
{
	for (size_t key = 0; suppress_keys[key]; key++) {
		size_t length = strlen(suppress_keys[key]);
		if (strncmp(line, suppress_keys[key], length) == 0 &&
		    line[length + strspn(line + length, " \t")] == ':')
			return (enum suppress_key)key;
	}
	return SUPPRESS_KEYS;
}

static char *add_edge(struct suppress_parse *parse, char *pattern)
{
	static const char arrow[] = " -> ";
	char *at = strstr(pattern, arrow);

	if (!at || at == pattern || !at[strlen(arrow)])
		return suppress_complain(parse, "expected 'edge: HELD -> WANTED', not", pattern, NULL);
	*at = '\0';
	char *second = at + strlen(arrow);
	suppress_add(parse->block, SUPPRESS_EDGE, pattern)->second = second + strspn(second, " \t");
	return NULL;
}

static char *end_block(struct suppress_parse *parse)
{
	struct suppress_entry *block = parse->block;

	parse->block = NULL;
	if (parse->is_foreign) {
		parse->set->entry_count--;
		free(block->conditions);
		return NULL;
	}
	if (parse->is_valgrind)
		suppress_valgrind_trim(block);
	for (size_t i = 0; i < block->condition_count; i++)
		if (block->conditions[i].key != SUPPRESS_STACK || block->conditions[i].frame_count)
			return NULL;
	return must_printf("%s:%u: a block without a condition would leave out everything", parse->path,
	                   parse->line);
}

/* A line without its white space; "" for a comment. */
static char *trim(char *line)
{
	line += strspn(line, " \t\r");
	size_t length = strlen(line);
	while (length && isspace((unsigned char)line[length - 1]))
		line[--length] = '\0';
	return *line == '#' ? line + length : line;
}

/* Whether the line is followed by Valgrind's "Tool:Kind": then it is a name, whatever it looks like. */
static bool is_before_kind(const struct suppress_parse *parse)
{
	for (const char *at = parse->rest; at;) {
		size_t length = strcspn(at, "\n");
		char *copy = arena_printf(parse->set->arena, "%.*s", (int)length, at);
		const char *line = trim(copy);

		if (*line)
			return suppress_valgrind_is_kind(line);
		at = at[length] ? at + length + 1 : NULL;
	}
	return false;
}

static char *parse_block_line(struct suppress_parse *parse, char *text)
{
	struct suppress_entry *block = parse->block;
	enum suppress_key key = find_key(text);
	char *word, *pattern, *why;
	bool taken = false;

	if (strcmp(text, "}") == 0)
		return end_block(parse);
	if (parse->is_foreign)
		return NULL;
	if (!block->name && !parse->is_valgrind && block->condition_count == 0 && is_before_kind(parse)) {
		block->name = text;
		return NULL;
	}
	if (block->condition_count == 0) {
		why = suppress_valgrind_kind(parse, text, &taken);
		if (why || taken)
			return why;
	}
	why = suppress_valgrind_frame(parse, text, &taken);
	if (why || taken)
		return why;
	if (parse->is_valgrind)
		return suppress_complain(parse, "expected 'fun:', 'obj:', 'src:', '...' or '}', not", text,
		                         NULL);
	if (key == SUPPRESS_KEYS && !block->name && block->condition_count == 0) {
		block->name = text;
		return NULL;
	}
	if (!split(text, &word, &pattern))
		return suppress_complain(parse, "expected 'KEY: PATTERN' or '}', not", text, NULL);
	if (key == SUPPRESS_KEYS)
		return suppress_complain(parse, "no key", word, near_find(word, nth_key));
	if (key == SUPPRESS_STACK && *pattern)
		return suppress_complain(parse, "expected nothing after 'stack:' but frames below it, not",
		                         pattern, NULL);
	if (key != SUPPRESS_STACK && !*pattern)
		return suppress_complain(parse, "no pattern after", word, NULL);
	if (key == SUPPRESS_EDGE)
		return add_edge(parse, pattern);
	if (key == SUPPRESS_RULE)
		return add_rule(parse, block, pattern);
	suppress_add(block, key, pattern);
	return NULL;
}

static char *parse_line(struct suppress_parse *parse, char *text)
{
	char *rule, *pattern;

	if (parse->block)
		return parse_block_line(parse, text);
	if (strcmp(text, "{") == 0) {
		parse->block = add_entry(parse, NULL);
		parse->is_valgrind = parse->is_foreign = false;
		return NULL;
	}
	const char *name = arena_copy(parse->set->arena, text);
	if (!split(text, &rule, &pattern))
		return suppress_complain(parse, "expected 'RULE:PATTERN' or '{', not", text, NULL);
	if (!*pattern)
		return suppress_complain(parse, "no pattern after", rule, NULL);
	struct suppress_entry *entry = add_entry(parse, name);
	if (strcmp(rule, "fingerprint") == 0) {
		suppress_add(entry, SUPPRESS_FINGERPRINT, pattern);
		return NULL;
	}
	const struct tsan_word *word = find_word(rule);
	char *why = add_rule(parse, entry, rule);
	suppress_add(entry, word ? word->key : SUPPRESS_ANY, pattern);
	return why;
}

char *suppress_parse(struct suppressions *set, const char *path, const char *text)
{
	struct suppress_parse parse = {.set = set, .path = arena_copy(set->arena, path)};
	char *rest = arena_copy(set->arena, text), *line;

	while ((line = strsep(&rest, "\n"))) {
		parse.line++;
		parse.rest = rest;
		line = trim(line);
		if (*line == '\0')
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

void suppress_load_default(struct suppressions *set)
{
	size_t first = set->entry_count;
	char *why = suppress_parse(set, "built-in suppressions", suppress_default_text);

	free(why); /* NULL: the unit test reads it too */
	for (size_t i = first; i < set->entry_count; i++)
		set->entries[i].is_mute = true;
}
