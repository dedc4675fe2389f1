/* names.h: locks by the names that a person would give them.
 *
 *   global   its symbol and members: "accounts[1].lock"
 *   heap     its member, "cache.lock", where the allocation's type is known; else
 *            "mutex allocated at cache.c:88 in cache_new"
 *   stack    "mutex on the stack of thread 3 "teller", first locked at bank.c:31 in transfer"
 *   class    "any mutex made at cache.c:88 in cache_new": folded, over the budget
 *   else     where it was initialised, or first locked
 *
 * Memory, threads, failure: as resolve.h. */
#ifndef TOOLS_NAMES_H
#define TOOLS_NAMES_H

#include "resolve.h"

/* Name, class name, kind and origin of a lock. Two locks can have the same name (names_number). */
struct report_lock names_lock(struct resolve *resolve, uint32_t lock);

/* Give locks of one finding that share a name a " #1", " #2" behind it. */
void names_number(struct arena *arena, struct report_lock *locks, size_t count);

/* "mutex", "rwlock", …: as JSON has it; and as a sentence has it: "condition variable". */
const char *names_kind(enum dt_lock_kind kind);
const char *names_kind_words(enum dt_lock_kind kind);

/* "cache.c:88 in cache_new", or what of it is known; NULL for no frame. */
const char *names_frame(struct arena *arena, const struct report_frame *frame);

#endif
