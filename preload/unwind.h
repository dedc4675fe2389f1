/* unwind.h: the call stack of the calling thread, from inside an arbitrary program.
 *
 * Memory: none but the caller's `out` and a static table of unwind rules that the first unwind
 * through a place fills (unwind_row.h); no allocation, no stdio.
 * Threads: any at any time, signal handlers too: no locks, errno untouched. Where the C library has
 * no _dl_find_object (glibc before 2.35) libgcc unwinds, which takes the loader's lock.
 * Failure: what is not described by .eh_frame (code made at run time, hand-written assembly) or
 * doesn't add up ends the walk with *complete false: a stack is cut short, never guessed. Memory
 * outside the thread's known stack (coroutines, alternate signal stacks) is read only after the
 * kernel has said that it can be. */
#ifndef SHIM_UNWIND_H
#define SHIM_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* pc: a return address, and slot: the address of the stack word that it was read from; the
 * caller's frame begins (its CFA as the callee sees it) at slot + 8. Behind a signal handler pc is
 * the interrupted instruction itself and slot lies in the context that the kernel saved. */
struct shim_frame {
	uintptr_t pc, slot;
};

/* Unwind from the frame whose return address lies at `slot`, a live one of the calling thread:
 * out[0] is {*slot, slot}; younger frames, ours, are skipped. Returns how many frames were written,
 * at least one when `max` allows. *complete: the last one is the outermost of the stack. */
size_t shim_unwind(uintptr_t slot, struct shim_frame *out, size_t max, bool *complete);

/* The calling thread's stack ends before `hi` (0: not known, every page is asked for), and `lo` is
 * an address in use in it, such as the caller's frame. `lo` is checked, and need not be in that
 * stack: a thread may be met for the first time on a coroutine's. */
void shim_unwind_set_stack(uintptr_t lo, uintptr_t hi);

/* The code in [start, end) was unloaded: forget its rules. */
void shim_unwind_forget(uintptr_t start, uintptr_t end);

#endif
