/* failing_alloc.h: an allocator for tests that counts, and refuses one request when told so.
 * Frees are always granted; the size given is checked.
 *
 * Memory: of the C library. Threads: one. Failure: NULL as told; a wrong old size aborts. */
#ifndef FAILING_ALLOC_H
#define FAILING_ALLOC_H

#include <stdint.h>
#include <stdlib.h>

#include <detect/alloc.h>

struct failing_alloc {
	struct dt_alloc alloc;
	size_t used_bytes, most_bytes;
	uint32_t requests;
	uint32_t refused; /* this request, counted from 1; 0: none */
};

/* In front of each block; 16 bytes, so that alignment stays. */
struct failing_block {
	size_t bytes, unused;
};

static inline void *failing_resize(struct dt_alloc *self, void *at, size_t old_bytes, size_t new_bytes)
{
	struct failing_alloc *a = (struct failing_alloc *)self;
	struct failing_block *block = at ? (struct failing_block *)at - 1 : NULL;

	if (old_bytes != (block ? block->bytes : 0))
		abort();
	if (!new_bytes) {
		free(block);
		a->used_bytes -= old_bytes;
		return NULL;
	}
	if (++a->requests == a->refused)
		return NULL;
	block = realloc(block, sizeof *block + new_bytes);
	if (!block)
		abort();
	block->bytes = new_bytes;
	a->used_bytes += new_bytes - old_bytes;
	if (a->used_bytes > a->most_bytes)
		a->most_bytes = a->used_bytes;
	return block + 1;
}

/* `refused`: the request that fails, counted from 1; 0 none. */
static inline struct failing_alloc failing_alloc(uint32_t refused)
{
	return (struct failing_alloc){.alloc = {failing_resize}, .refused = refused};
}

#endif
