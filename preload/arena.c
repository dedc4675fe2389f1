/* arena.c: a free list a size class. The engine's tables double, so what one leaves the next takes. */
#include <string.h>

#include "arena.h"
#include "region.h"

enum { SMALLEST_SHIFT = 5, CHUNK_BYTES = 1 << 20 };

static unsigned class_of(size_t bytes)
{
	unsigned shift = SMALLEST_SHIFT;
	while (((size_t)1 << shift) < bytes)
		shift++;
	return shift;
}

static void *from_chunk(struct shim_arena *arena, size_t bytes)
{
	if ((size_t)(arena->chunk_end - arena->chunk) < bytes) {
		size_t map = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
		if (arena->mapped_bytes + map > arena->limit_bytes)
			return NULL;
		char *chunk = shim_region_map(map, false);
		if (!chunk)
			return NULL;
		arena->mapped_bytes += map;
		arena->chunk = chunk;
		arena->chunk_end = chunk + map;
	}
	void *block = arena->chunk;
	arena->chunk += bytes;
	return block;
}

static void *take(struct shim_arena *arena, unsigned class)
{
	void **block = arena->free_blocks[class];
	if (!block)
		return from_chunk(arena, (size_t)1 << class);
	arena->free_blocks[class] = *block;
	return block;
}

static void *resize(struct dt_alloc *self, void *old, size_t old_bytes, size_t new_bytes)
{
	struct shim_arena *arena = (struct shim_arena *)self;
	if (old && new_bytes && class_of(old_bytes) == class_of(new_bytes))
		return old;
	void *block = NULL;
	if (new_bytes) {
		if (class_of(new_bytes) >= SHIM_ARENA_CLASSES || !(block = take(arena, class_of(new_bytes))))
			return NULL;
		if (old)
			memcpy(block, old, old_bytes < new_bytes ? old_bytes : new_bytes);
	}
	if (old) {
		*(void **)old = arena->free_blocks[class_of(old_bytes)];
		arena->free_blocks[class_of(old_bytes)] = old;
	}
	return block;
}

void shim_arena_init(struct shim_arena *arena, size_t limit_bytes)
{
	*arena = (struct shim_arena){.alloc = {resize}, .limit_bytes = limit_bytes};
}
