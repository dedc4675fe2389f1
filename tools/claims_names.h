/* claims_names.h: names of locks and stacks that hold in another run of the same program
 * (detect/claims_format.h).
 *
 * Memory: none. Threads: any. Failure: 0 where there is no such name. */
#ifndef TOOLS_CLAIMS_NAMES_H
#define TOOLS_CLAIMS_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include <detect/facts.h>

uint64_t claims_stack_name(const struct dt_facts *facts, uint32_t stack);
/* *global: no other lock has it; else all that are made at one place do. */
uint64_t claims_lock_name(const struct dt_facts *facts, const struct dt_lock *lock, bool *global);

#endif
