/* A list of blocks, each filled from its start; a piece larger than a block gets one of its own.
 * Pieces are never given back one by one, which is all that a report needs. */
#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

#define BLOCK_BYTES ((size_t)64 << 10)

struct block {
	struct block *next;
	size_t used, size;
	alignas(max_align_t) unsigned char bytes[];
};

struct arena {
	struct block *blocks;
};

void *must_realloc(void *block, size_t count, size_t item_bytes)
{
	void *grown = reallocarray(block, count ? count : 1, item_bytes);

	if (!grown)
		say_out_of_memory();
	return grown;
}

char *must_vprintf(const char *format, va_list arguments)
{
	char *text;

	if (vasprintf(&text, format, arguments) < 0)
		say_out_of_memory();
	return text;
}

char *must_printf(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	char *text = must_vprintf(format, arguments);
	va_end(arguments);
	return text;
}

struct arena *arena_new(void)
{
	struct arena *arena = must_realloc(NULL, 1, sizeof(*arena));

	arena->blocks = NULL;
	return arena;
}

static void free_blocks(struct block *blocks)
{
	for (struct block *block = blocks, *next; block; block = next) {
		next = block->next;
		free(block);
	}
}

void arena_free(struct arena *arena)
{
	if (!arena)
		return;
	free_blocks(arena->blocks);
	free(arena);
}

void arena_clear(struct arena *arena)
{
	struct block *kept = arena->blocks;

	if (!kept)
		return;
	free_blocks(kept->next);
	kept->next = NULL;
	kept->used = 0;
	if (kept->size > BLOCK_BYTES) {
		free(kept);
		arena->blocks = NULL;
	}
}

static struct block *add_block(struct arena *arena, size_t bytes)
{
	size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;

	if (size > SIZE_MAX - sizeof(struct block))
		say_out_of_memory();
	struct block *block = must_realloc(NULL, 1, sizeof(*block) + size);
	block->used = 0;
	block->size = size;
	block->next = arena->blocks;
	arena->blocks = block;
	return block;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
	if (bytes > SIZE_MAX - alignof(max_align_t))
		say_out_of_memory();
	bytes = (bytes + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	struct block *block = arena->blocks;
	if (!block || block->size - block->used < bytes)
		block = add_block(arena, bytes);
	void *piece = block->bytes + block->used;
	block->used += bytes;
	return memset(piece, 0, bytes);
}

char *arena_copy(struct arena *arena, const char *text)
{
	if (!text)
		return NULL;
	size_t bytes = strlen(text) + 1;
	return memcpy(arena_alloc(arena, bytes), text, bytes);
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	char *text = must_vprintf(format, arguments);
	va_end(arguments);
	char *copy = arena_copy(arena, text);
	free(text);
	return copy;
}
