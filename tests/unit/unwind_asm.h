/* unwind_asm.h: hand-written functions that call `leaf` from below frames that no compiler lays out.
 * `word` goes into the register that the description of the frame is about, where there is one. */
#ifndef UNWIND_ASM_H
#define UNWIND_ASM_H

#include <stdint.h>

#include "unwind_shapes.h"

typedef void unwind_caller(unwind_leaf *leaf, void *argument, uintptr_t word);

/* Right, if unusual. */
extern unwind_caller unwind_saved_sp, unwind_restored, unwind_remembering;
/* Without call frame information, or with such that lies or must be refused. */
extern unwind_caller unwind_bare, unwind_loop, unwind_long_loop, unwind_greedy, unwind_stack_hog, unwind_liar,
    unwind_pointing_liar, unwind_lost_saver;

#endif
