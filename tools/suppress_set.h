/* suppress_set.h: the entries that the parsers (suppress_parse.c, suppress_valgrind.c) make and suppress.c
 * matches. Private to them. All strings are the set's. */
#ifndef TOOLS_SUPPRESS_SET_H
#define TOOLS_SUPPRESS_SET_H

#include "suppress.h"

enum suppress_key {
	SUPPRESS_RULE, /* what can be written, in the order of suppress_keys */
	SUPPRESS_LOCK,
	SUPPRESS_CLASS,
	SUPPRESS_EDGE,
	SUPPRESS_FUNCTION,
	SUPPRESS_FILE,
	SUPPRESS_MODULE,
	SUPPRESS_THREAD,
	SUPPRESS_FINGERPRINT,
	SUPPRESS_STACK,
	SUPPRESS_KEYS,
	SUPPRESS_ANY = SUPPRESS_KEYS, /* function, file, module or lock */
	SUPPRESS_TOP,                 /* the same of a stack's innermost frame */
	SUPPRESS_CALLER,              /* the innermost frame's module */
	SUPPRESS_KIND,                /* one of a list of rules */
};
extern const char *const suppress_keys[SUPPRESS_KEYS + 1]; /* NULL-terminated */

enum suppress_part { SUPPRESS_FUN, SUPPRESS_OBJ, SUPPRESS_SRC, SUPPRESS_GAP };

struct suppress_frame {
	enum suppress_part part;
	const char *pattern, *plain; /* plain: of a mangled name, what it stands for; else NULL */
};

#define SUPPRESS_RULES_MAX 10

struct suppress_condition {
	enum suppress_key key;
	const char *pattern, *second;  /* second: an edge's other end */
	const char *const *rules;      /* SUPPRESS_KIND: up to SUPPRESS_RULES_MAX, NULL-terminated */
	struct suppress_frame *frames; /* SUPPRESS_STACK */
	size_t frame_count;
};

struct suppress_entry {
	const char *path, *name;
	unsigned line;
	struct suppress_condition *conditions;
	size_t condition_count;
	size_t used;  /* findings it covered */
	bool is_mute; /* not to be said unused: built in, or for what we never find */
};

struct suppressions {
	struct arena *arena;
	struct suppress_entry *entries;
	size_t entry_count;
};

/* Where the parser is. */
struct suppress_parse {
	struct suppressions *set;
	const char *path;
	unsigned line;
	struct suppress_entry *block; /* open block, or NULL */
	bool is_valgrind, is_foreign; /* the open block is one of Valgrind's; of another tool of it */
	const char *rest;             /* what follows the line; NULL at the end */
};

struct suppress_condition *suppress_add(struct suppress_entry *entry, enum suppress_key key,
                                        const char *pattern);

/* A line for the open block, trimmed and the set's, may be Valgrind's: its "Tool:Kind" line. NULL and
 * *taken: it was; or what is wrong. */
char *suppress_valgrind_kind(struct suppress_parse *parse, const char *text, bool *taken);

/* Whether a line is one that `suppress_valgrind_kind` takes: Valgrind's tools, a colon and one word. */
bool suppress_valgrind_is_kind(const char *text);

/* As suppress_valgrind_kind, for a frame: "fun:", "obj:", "src:" or "...". */
char *suppress_valgrind_frame(struct suppress_parse *parse, const char *text, bool *taken);

/* At the end of a block of Valgrind's: pass over what only it has. */
void suppress_valgrind_trim(struct suppress_entry *entry);

/* "FILE:LINE: what 'word'; did you mean 'near'?", to be freed. `near` may be NULL. */
char *suppress_complain(const struct suppress_parse *parse, const char *what, const char *word,
                        const char *near);

#endif
