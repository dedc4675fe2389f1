/* alloc.h: where the engine's memory comes from.
 *
 * The engine never calls malloc: inside the shim that would be the program's allocator. The host
 * passes a struct dt_alloc; the detect command passes dt_alloc_libc, the shim one over mmap.
 *
 * Threads: an allocator is used by one engine, and an engine by one thread at a time.
 * Failure: resize returns NULL and the old block stays valid; the engine answers DT_ERR_NOMEM. */
#ifndef DETECT_ALLOC_H
#define DETECT_ALLOC_H

#include <stddef.h>

struct dt_alloc {
	/* Like realloc: block NULL allocates, new_bytes 0 frees (and returns NULL).
	 * old_bytes is the size the block was asked for with. New memory is not zeroed. */
	void *(*resize)(struct dt_alloc *self, void *block, size_t old_bytes, size_t new_bytes);
};

/* The allocator of ordinary programs: realloc and free of the C library. Static, thread-safe. */
extern struct dt_alloc dt_alloc_libc;

#endif
