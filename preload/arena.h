/* arena.h: the engine's memory inside the shim: blocks of power-of-two sizes out of mapped chunks,
 * freed blocks kept by size. One user at a time (online.c). */
#ifndef SHIM_ARENA_H
#define SHIM_ARENA_H

#include <detect/alloc.h>

enum { SHIM_ARENA_CLASSES = 40 };

struct shim_arena {
	struct dt_alloc alloc;  /* first: what the engine is given */
	char *chunk, *chunk_end;
	void *free_blocks[SHIM_ARENA_CLASSES];
	size_t mapped_bytes, limit_bytes;
};

/* Failure beyond `limit_bytes` of mapped memory: resize returns NULL. */
void shim_arena_init(struct shim_arena *arena, size_t limit_bytes);

#endif
