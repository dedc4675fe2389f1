/* unwind_reference.h: our unwinder beside libgcc's, at one place of a stack. */
#ifndef UNWIND_REFERENCE_H
#define UNWIND_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UNWIND_FRAMES = 1024 };

/* Where the return address of the function lies that says so. */
#define UNWIND_SLOT() ((uintptr_t)__builtin_frame_address(0) + 8)

/* cmocka's assertions work in one place only: what went wrong is noted and checked there. */
struct unwind_outcome {
	size_t comparisons, mismatches, deepest;
	bool unfinished;
};

/* A leaf (unwind_shapes.h): unwinds cold or warm as it comes, then warm, and notes in its argument,
 * a struct unwind_outcome, what differs. */
void unwind_compare(void *outcome);

#endif
