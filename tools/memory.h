/* memory.h: what a race is about, by the name that a person would give it.
 *
 *   global  its symbol and members: "total", "table[3].count"
 *   heap    its member where the block's type is known: "cache.hits"; else where in which block
 *   stack   whose, and in which function's frame
 * Memory, threads, failure: as resolve.h. */
#ifndef TOOLS_MEMORY_H
#define TOOLS_MEMORY_H

#include "resolve.h"

/* NULL: the finding is about no memory. */
const struct report_memory *memory_resolve(struct resolve *resolve, const struct dt_memory *memory);

#endif
