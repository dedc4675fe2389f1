/* alloc.c: the allocator of ordinary programs. */
#include <stdlib.h>

#include <detect/alloc.h>

static void *resize_libc(struct dt_alloc *self, void *block, size_t old_bytes, size_t new_bytes)
{
	(void)self;
	(void)old_bytes;
	if (new_bytes == 0) {
		free(block);
		return NULL;
	}
	return realloc(block, new_bytes);
}

struct dt_alloc dt_alloc_libc = {resize_libc};
