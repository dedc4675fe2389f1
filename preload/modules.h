/* modules.h: which object code and data an address belongs to, found when it is first needed.
 *
 * By _dl_find_object (glibc 2.35): lock-free, so that it can be asked from anywhere, also while
 * another thread is inside dlopen. Threads: any. */
#ifndef SHIM_MODULES_H
#define SHIM_MODULES_H

#include <stdbool.h>
#include <stdint.h>

/* Log the module that `address` lies in, unless it is known or there is none. */
void shim_modules_see(uintptr_t address);
/* After a dlclose: note what is gone, end the locks in it, and forget its code. */
void shim_modules_unloaded(void);
/* Another process now: log them anew. */
void shim_modules_forked(void);

/* A name of the module that is the same in every run, and the offset in it. False: in no module. */
bool shim_modules_name(uintptr_t address, uint64_t *name, uint64_t *offset);

/* Part of a loaded object's image: a global. */
bool shim_modules_has(const void *address);

#endif
