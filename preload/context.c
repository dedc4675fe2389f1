/* context.c: contexts of acquisitions, never guessed: a remembered stack is used only while its own
 * return addresses still lie where they lay (shim_context_valid); otherwise the stack is unwound. */
#include <dlfcn.h>

#include "options.h"
#include "shim.h"
#include "signals.h"
#include "tables.h"
#include "unwind.h"

enum { FRAMES_MAX = 128 };

/* For a handler that interrupts recording: no context, remembers nothing. */
static __thread struct shim_context no_context __attribute__((tls_model("initial-exec")));

/* Where our own code lies: a frame of ours in the middle of a stack (a thread's start, a once call)
 * is nothing the program called. */
static uintptr_t own_start, own_end;

#pragma weak _dl_find_object

__attribute__((constructor)) static void find_self(void)
{
	struct dl_find_object found;
	if (_dl_find_object && _dl_find_object((void *)find_self, &found) == 0) {
		own_start = (uintptr_t)found.dlfo_map_start;
		own_end = (uintptr_t)found.dlfo_map_end;
	}
}

static size_t without_own(struct shim_frame *frames, size_t count)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++)
		if (frames[i].pc - own_start >= own_end - own_start)
			frames[kept++] = frames[i];
	return kept;
}

/* What a handler does has nothing to do with what it interrupts, and that can be anything: its stack begins where
 * it was called. */
static size_t above_handler(const struct shim_thread *t, uintptr_t slot, const struct shim_frame *frames, size_t count,
                            bool *complete)
{
	uintptr_t handler = (uintptr_t)shim_signals_handler(t, slot);
	for (size_t i = 1; handler && i < count; i++) {
		if (frames[i].slot > frames[i - 1].slot && frames[i].slot < handler)
			continue;
		*complete = true;
		return i;
	}
	return count;
}

static size_t unwind_here(const struct shim_thread *t, uintptr_t slot, struct shim_frame *frames, bool *complete)
{
	uint32_t max = shim_options.stack_depth;
	if (max > FRAMES_MAX || max == 0)
		max = FRAMES_MAX;
	size_t count = shim_unwind(slot, frames, max, complete);
	return without_own(frames, above_handler(t, slot, frames, count, complete));
}

static void fill(struct shim_context *c, uintptr_t slot, const struct shim_frame *frames, size_t count, uint32_t id)
{
	c->slot = 0;
	c->last_lock = NULL;
	c->folded = 0;
	atomic_signal_fence(memory_order_seq_cst);
	c->id = id;
	c->epoch = atomic_load_explicit(&shim_code_epoch, memory_order_relaxed);
	c->verify_count = (uint16_t)(count < SHIM_VERIFY_FRAMES ? count : SHIM_VERIFY_FRAMES);
	for (uint32_t i = 0; i < c->verify_count; i++) {
		c->verify[i].slot = frames[i].slot;
		c->verify[i].pc = frames[i].pc;
	}
	atomic_signal_fence(memory_order_seq_cst);
	c->slot = slot;
}

struct shim_context *shim_context_find(struct shim_thread *t, uintptr_t slot)
{
	struct shim_context *c = shim_context_place(t, slot);
	uint32_t epoch = atomic_load_explicit(&shim_code_epoch, memory_order_relaxed);
	if (SHIM_LIKELY(c->slot == slot && c->epoch == epoch && shim_context_lies(c)))
		return c;
	if (t->busy)
		return &no_context;
	t->busy = 1;
	struct shim_frame frames[FRAMES_MAX];
	bool complete;
	size_t count = unwind_here(t, slot, frames, &complete);
	fill(c, slot, frames, count, shim_stack_intern(frames, count, complete));
	t->busy = 0;
	return c;
}

/* The allocating call has returned. Its caller's frame is still live when one of the frames that
 * are on the stack now made its own call from the very same stack height; then all further frames
 * are the allocation's callers too. Otherwise only the call itself is known, which is no context. */
uint32_t shim_context_of_allocation(struct shim_thread *t, const struct shim_allocation *a)
{
	struct shim_frame frames[FRAMES_MAX];
	bool complete;
	uintptr_t here = SHIM_SLOT();
	size_t count = unwind_here(t, here, frames, &complete);
	for (size_t i = 0; i < count; i++) {
		if (frames[i].slot != a->slot)
			continue;
		frames[i].pc = a->pc;
		return shim_stack_intern(frames + i, count - i, complete);
	}
	return 0;
}
