/* budget.h: an allocator for fuzzing that has so many bytes to give, and then none: running out of memory is
 * met as often as what it takes to get there.
 *
 * Memory: of the C library. Threads: one. Failure: NULL over the budget. */
#ifndef FUZZ_BUDGET_H
#define FUZZ_BUDGET_H

#include <stdlib.h>

#include <detect/alloc.h>

struct budget {
	struct dt_alloc alloc;
	size_t used_bytes, most_bytes;
};

static inline void *budget_resize(struct dt_alloc *self, void *block, size_t old_bytes, size_t new_bytes)
{
	struct budget *budget = (struct budget *)self;

	if (new_bytes > old_bytes && new_bytes - old_bytes > budget->most_bytes - budget->used_bytes)
		return NULL;
	void *moved = dt_alloc_libc.resize(&dt_alloc_libc, block, old_bytes, new_bytes);
	if (moved || !new_bytes)
		budget->used_bytes += new_bytes - old_bytes;
	return moved;
}

static inline struct budget budget_of(size_t most_bytes)
{
	return (struct budget){{budget_resize}, 0, most_bytes};
}

/* A leak is a crash. */
static inline void budget_end(const struct budget *budget)
{
	if (budget->used_bytes)
		abort();
}

#endif
