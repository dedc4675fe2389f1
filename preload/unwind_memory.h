/* unwind_memory.h: reading the stack without ever faulting.
 *
 * The calling thread's own stack is known from `floor`, the lowest address that was ever found
 * readable all the way up, to `top`: reads in there cost a comparison. The floor follows the stack
 * down. Anywhere else the kernel is asked, once a page and walk.
 * Threads: the bounds are the calling thread's; a signal handler may find any of their states. */
#ifndef SHIM_UNWIND_MEMORY_H
#define SHIM_UNWIND_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

struct shim_bounds {
	uintptr_t floor, top;
};
extern __thread struct shim_bounds shim_bounds __attribute__((tls_model("initial-exec")));

/* The window [lo, hi) that one walk may read without asking. */
struct shim_view {
	uintptr_t lo, hi;
	bool bounded; /* the walk is on the thread's own stack and may not leave it */
};

/* ASan would object to words that a walk may well read: red zones between the frames' variables. */
#define SHIM_READS_STACKS __attribute__((no_sanitize("address")))

/* Whether the 8 aligned bytes at `address` can be read. */
bool shim_memory_readable(uintptr_t address);
/* Begin, or go on behind a signal frame, on the stack that `sp` points into. */
void shim_view_open(struct shim_view *view, uintptr_t sp);
/* Try to let the view include `address`. */
bool shim_view_admit(struct shim_view *view, uintptr_t address);

static inline SHIM_READS_STACKS bool shim_view_load(struct shim_view *view, uintptr_t address,
                                                    uintptr_t *value)
{
	if ((address & 7) || (address - view->lo >= view->hi - view->lo && !shim_view_admit(view, address)))
		return false;
	*value = *(const volatile uintptr_t *)address;
	return true;
}

#endif
