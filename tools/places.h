/* places.h: which frames are a place that a person would name.
 *
 * "mutex allocated at new_allocator.h:137 in std::allocator<Cache>::allocate" helps nobody: frames
 * of allocators and lock wrappers are passed over when a lock is named and when a finding's
 * fingerprint is made. They stay in the stacks. */
#ifndef TOOLS_PLACES_H
#define TOOLS_PLACES_H

#include "model.h"

/* False for frames without a symbol and for allocators and lock wrappers. */
bool places_is_place(const struct report_frame *frame);

/* The innermost frame that is a place; the innermost of all when none is; NULL for no frames. */
const struct report_frame *places_find(const struct report_stack *stack);

/* The function's name without return type, parameters and the compiler's clone suffixes
 * (".constprop.0"): same code, same name. Points into or copies to `arena`. */
struct arena;
const char *places_bare_name(struct arena *arena, const char *function);

#endif
