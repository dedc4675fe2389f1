/* unwind_shapes.h: functions whose frames are laid out in all the ways that compilers know, built
 * several times with different options (CMakeLists.txt). Each calls `leaf` from below its frame. */
#ifndef UNWIND_SHAPES_H
#define UNWIND_SHAPES_H

typedef void unwind_leaf(void *argument);

struct unwind_shapes {
	void (*plain)(int depth, unwind_leaf *leaf, void *argument);
	void (*alloca_and_args)(int depth, unwind_leaf *leaf, void *argument);
	void (*over_aligned)(int depth, unwind_leaf *leaf, void *argument);
	void (*variadic)(unwind_leaf *leaf, void *argument, ...);
	void (*large_frame)(int depth, unwind_leaf *leaf, void *argument);
	/* All of them in one stack, `rounds` times over. */
	void (*mixed)(int rounds, unwind_leaf *leaf, void *argument);
};

extern const struct unwind_shapes unwind_shapes_O0, unwind_shapes_O2, unwind_shapes_frame_pointer,
    unwind_shapes_Os;

#endif
