/* tables.h: what this process has recorded already: stacks, locks, acquisitions.
 *
 * Insert-only open-addressing tables over sparse memory; an id is a slot's number plus one, so that
 * whoever finds the slot knows the id even while its finder is still writing the record.
 * Threads: any, at once, also from signal handlers; nothing waits. The child of a fork starts with
 * empty lock and acquisition tables (the kernel wipes them) and keeps the stacks, which it logs anew.
 * Failure: a full table gives id 0 and counts. */
#ifndef SHIM_TABLES_H
#define SHIM_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim.h"
#include "unwind.h"

bool shim_tables_open(void);
/* Another process now: log everything anew. */
void shim_tables_forked(void);

/* Stacks. Interning copies; logging writes the record the first time it is needed. */
uint32_t shim_stack_intern(const struct shim_frame *frames, size_t count, bool complete);
void shim_stack_log(uint32_t id);
/* The innermost program counter of a stack; 0 when there is none. */
uintptr_t shim_stack_pc(uint32_t id);
/* Program counters of a stack, innermost first; the count. Valid for ever. */
size_t shim_stack_pcs(uint32_t id, const uintptr_t **pcs);

/* Acquisitions: find or add the node (parent, lock, stack, op, mode, wait, signals as in signals.h); a new one
 * is written to the log. With add false only finds. */
uint32_t shim_acq_get(uint32_t parent, uint32_t lock, uint32_t stack, enum dt_op op, uint32_t how, uint32_t signals,
                      bool add);
/* A thread was seen at `acq` in `segment`: logged unless it or enough others are known. True when new. */
bool shim_acq_sighted(uint32_t acq, uint32_t segment);
uint32_t shim_acq_count(void);

#endif
