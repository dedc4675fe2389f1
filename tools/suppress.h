/* suppress.h: findings to leave out, by what a person wrote in a file.
 *
 * A line is `RULE:PATTERN`, as ThreadSanitizer's files have it: the finding is left out when any
 * function, file or module of its stacks, or the name of one of its locks, matches. RULE is a
 * rule's name, `*` for any, or a word of ThreadSanitizer's (`deadlock`; its words for other bugs
 * are taken and match nothing). The pattern can be anywhere in the name; `*` is any text, `^` at
 * its start and `$` at its end tie it to the name's.
 *
 * A block leaves out a finding of which every line is true:
 *
 *   {
 *     a name of your choice, or none
 *     rule: lock-order-cycle
 *     lock: cache.lock
 *     function: ^cache_*
 *   }
 *
 * Keys: rule, lock, function, file, module, thread (its name or start function), fingerprint. A key
 * can come again: then there must be a match for each. `#` at a line's start begins a comment.
 *
 * Memory: the set's. Threads: one. Failure: a wrong line is said with file and line (suppress_load). */
#ifndef TOOLS_SUPPRESS_H
#define TOOLS_SUPPRESS_H

#include "arena.h"
#include "model.h"

struct suppressions;

struct suppressions *suppress_open(void);
void suppress_close(struct suppressions *set);

/* Add a file's entries. Returns NULL, or what is wrong: one line, to be freed. */
char *suppress_load(struct suppressions *set, const char *path);

/* The same from text in memory; `path` is for the messages. */
char *suppress_parse(struct suppressions *set, const char *path, const char *text);

/* Whether any entry covers the finding; all that do are marked as used. */
bool suppress_match(struct suppressions *set, const struct report_finding *finding);

/* "FILE:LINE: name" of the `index`th entry that never matched; NULL past the end. */
const char *suppress_unused(const struct suppressions *set, size_t index);

#endif
