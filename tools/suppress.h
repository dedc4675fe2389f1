/* suppress.h: findings to leave out, by what a person wrote in a file. Three notations, which can be
 * mixed in one file; `#` at a line's start begins a comment.
 *
 * ThreadSanitizer's lines, `WORD:PATTERN`: left out when any function, file or module of the stacks, or
 * the name of a lock, matches. WORD is one of its words (deadlock, race, race_top, mutex, signal;
 * called_from_lib looks at the innermost frame's module; thread matches nothing that we find), or a rule
 * of ours, `*` for any, or `fingerprint`. Patterns as pattern_in.
 *
 * Valgrind's blocks of Helgrind and DRD:
 *
 *   {
 *     a name
 *     Helgrind:LockOrder
 *     fun:cache_put
 *     ...
 *     obj:*libcache.so*
 *   }
 *
 * Left out when some stack of the finding begins with these frames; `...` is any number of them. Patterns
 * as pattern_whole. Mangled C++ names serve. What only Valgrind has at the ends of its stacks (its
 * wrappers of pthread_*, what starts a thread or main) is passed over. Blocks of its other tools
 * are taken and match nothing.
 *
 * Our blocks: left out when every line is true.
 *
 *   {
 *     a name of your choice, or none
 *     rule: lock-order-cycle
 *     edge: cache.lock -> queue.lock
 *     stack:
 *     fun:cache_put
 *     ...
 *   }
 *
 * Keys: rule, lock (a name), class (a lock's name without index or line), edge (locks' names or classes:
 * the first is held when the second is wanted), function, file, module, thread (its name or start
 * function), fingerprint; patterns as pattern_in. `stack:`, and frames as Valgrind has them behind it: some
 * stack begins so. A key can come again: then there must be a match for each.
 *
 * Memory: the set's. Threads: one. Failure: a wrong line is said with file and line (suppress_load). */
#ifndef TOOLS_SUPPRESS_H
#define TOOLS_SUPPRESS_H

#include <stdio.h>

#include "arena.h"
#include "model.h"

struct suppressions;

struct suppressions *suppress_open(void);
void suppress_close(struct suppressions *set);

/* Add a file's entries. Returns NULL, or what is wrong: one line, to be freed. */
char *suppress_load(struct suppressions *set, const char *path);

/* The same from text in memory; `path` is for the messages. */
char *suppress_parse(struct suppressions *set, const char *path, const char *text);

/* The benign patterns of well-known libraries that are built in; not said to be unused. */
void suppress_load_default(struct suppressions *set);
extern const char suppress_default_text[];

/* Whether any entry covers the finding; all that do are marked as used. */
bool suppress_match(struct suppressions *set, const struct report_finding *finding);

/* "FILE:LINE: name" of the `index`th entry that never matched, of those that can; NULL past the end. */
const char *suppress_unused(const struct suppressions *set, size_t index);

/* "FILE:LINE: name, 3 findings" of the `index`th entry that did. */
const char *suppress_used(const struct suppressions *set, size_t index);

/* Print a block of our notation that covers the finding, and what is the same bug in other runs. */
void suppress_print(FILE *out, const struct report_finding *finding);

#endif
