/* names.h: what to call an address in the shim's own lines: symbol+offset by the object's symbol
 * table, or module+offset. No lines, no inlined frames: those are the reporter's. Reads the file by
 * system calls; slow; for findings only. Threads: any. */
#ifndef SHIM_NAMES_H
#define SHIM_NAMES_H

#include <stdint.h>

#include "say.h"

void shim_names_add_code(struct shim_text *text, uintptr_t pc);
void shim_names_add_data(struct shim_text *text, uintptr_t address);

#endif
