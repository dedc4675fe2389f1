/* unwind_libgcc.h: shim_unwind (unwind.h) by libgcc's unwinder, where there is no _dl_find_object.
 * It takes the loader's lock, so not within dlopen's own locks or a handler that interrupted them. */
#ifndef SHIM_UNWIND_LIBGCC_H
#define SHIM_UNWIND_LIBGCC_H

#include "unwind.h"

size_t shim_unwind_libgcc(uintptr_t slot, struct shim_frame *out, size_t max, bool *complete);

#endif
