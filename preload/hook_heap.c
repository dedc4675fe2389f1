/* hook_heap.c: the malloc family and munmap, only as far as a lock's identity needs it: a freed lock
 * is no lock, and a thread's last few allocations tell where a new lock's block was made.
 *
 * While dlsym looks for the real functions, glibc's own serve (dlsym itself may allocate). */
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "hook.h"
#include "identity.h"
#include "options.h"
#include "race/race.h"

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

/* Not a hook of ours, only needed. */
static size_t (*shim_real_malloc_usable_size)(void *);
SHIM_HOOK_ROW(malloc_usable_size, NULL)

/* The real function, or glibc's while there is none yet. */
#define REAL_OR(name, early)                                                                                 \
	(*(SHIM_LIKELY(shim_real_##name)              ? shim_real_##name                                     \
	   : (shim_hooks_resolve(), shim_real_##name) ? shim_real_##name                                     \
	                                              : (early)))

static inline void *allocated(void *block, size_t bytes, uintptr_t slot)
{
	struct shim_thread *t = &shim_self;
	if (SHIM_LIKELY(t->allocations != NULL) && block) {
		struct shim_allocation *a = &t->allocations[t->last_allocation++ % SHIM_ALLOCATIONS];
		a->block = (uintptr_t)block;
		a->bytes = bytes;
		a->slot = slot;
		a->pc = *(const uintptr_t *)slot;
	}
	shim_race_allocated(block, bytes,
	                    shim_real_malloc_usable_size ? shim_real_malloc_usable_size(block) : bytes, slot);
	return block;
}

static inline void freeing(void *block, uintptr_t slot)
{
	if (SHIM_UNLIKELY(shim_race_on) && block && shim_real_malloc_usable_size)
		shim_race_freeing_now(block, shim_real_malloc_usable_size(block), slot);
	if (SHIM_UNLIKELY(shim_identity_page_marked(block)) && block && shim_real_malloc_usable_size &&
	    shim_options.heap)
		shim_identity_range_ended((uintptr_t)block, shim_real_malloc_usable_size(block));
}

SHIM_HOOK(void *, malloc, (size_t bytes))
{
	return allocated(REAL_OR(malloc, __libc_malloc)(bytes), bytes, SHIM_SLOT());
}

SHIM_HOOK(void *, calloc, (size_t count, size_t bytes))
{
	return allocated(REAL_OR(calloc, __libc_calloc)(count, bytes), count * bytes, SHIM_SLOT());
}

SHIM_HOOK(void *, realloc, (void *block, size_t bytes))
{
	freeing(block, SHIM_SLOT());
	return allocated(REAL_OR(realloc, __libc_realloc)(block, bytes), bytes, SHIM_SLOT());
}

SHIM_HOOK(void, free, (void *block))
{
	freeing(block, SHIM_SLOT());
	REAL_OR(free, __libc_free)(block);
}

SHIM_HOOK(int, posix_memalign, (void **block, size_t alignment, size_t bytes))
{
	int result = SHIM_REAL(posix_memalign)(block, alignment, bytes);
	if (result == 0)
		allocated(*block, bytes, SHIM_SLOT());
	return result;
}

SHIM_HOOK(void *, aligned_alloc, (size_t alignment, size_t bytes))
{
	return allocated(REAL_OR(aligned_alloc, __libc_memalign)(alignment, bytes), bytes, SHIM_SLOT());
}

SHIM_HOOK(void *, memalign, (size_t alignment, size_t bytes))
{
	return allocated(REAL_OR(memalign, __libc_memalign)(alignment, bytes), bytes, SHIM_SLOT());
}

SHIM_HOOK(int, munmap, (void *address, size_t bytes))
{
	shim_identity_range_ended((uintptr_t)address, bytes);
	shim_race_unmapped((uintptr_t)address, bytes);
	return SHIM_REAL(munmap)(address, bytes);
}
