/* unwind_row.h: unwind rules packed into one word, and the table of those already worked out.
 *
 * Nearly every call site's row is "CFA = register + offset, return address below it, some of the
 * six callee-saved registers in the words below that", or the same with the CFA in memory and the
 * registers counted from rbp, where the stack was realigned. Others are worked out at every use.
 *
 *   bits 0-1    form: where the CFA is
 *   bits 2-5    register that the CFA is counted from
 *   bit  6      saved registers lie below rbp + 8 rather than below the CFA
 *   bits 7-36   for rbx, rbp, r12-r15, 5 bits each: words below, 0: not saved
 *   bits 40-63  signed: words from the register to the CFA, or to the word that holds it
 *
 * Memory: static, 512 KiB, touched as it fills; a full set replaces.
 * Threads: lock-free for all; a reader interrupted by any writer sees a whole row or none.
 * Failure: a row is not found, and is worked out again. */
#ifndef SHIM_UNWIND_ROW_H
#define SHIM_UNWIND_ROW_H

#include <stdatomic.h>

#include "unwind_cfi.h"

enum shim_row_form {
	SHIM_ROW_CFA,      /* register + offset */
	SHIM_ROW_CFA_AT,   /* the word at register + offset */
	SHIM_ROW_CFA_AT_8, /* the word there, plus 8 */
	SHIM_ROW_OUTERMOST
};

enum {
	SHIM_ROW_REGISTER_SHIFT = 2,
	SHIM_ROW_BELOW_RBP = 1 << 6,
	SHIM_ROW_SAVED_SHIFT = 7,
	SHIM_ROW_SAVED_BITS = 5,
	SHIM_ROW_SAVED_MAX = 31,
	SHIM_ROW_SAVED_REGISTERS = 6,
	SHIM_ROW_OFFSET_SHIFT = 40,
	SHIM_ROW_SETS_SHIFT = 13,
	SHIM_ROW_WAYS = 4
};

/* The register of each of the six fields. */
static const uint8_t shim_row_saved[SHIM_ROW_SAVED_REGISTERS] = {SHIM_RBX,     SHIM_RBP,     SHIM_R12,
                                                                 SHIM_R12 + 1, SHIM_R12 + 2, SHIM_R12 + 3};

/* key: the pc in the low 47 bits, then a bit that says "being written", then the number of times
 * that the slot was written: a reader that finds the key unchanged has read that key's row. */
struct shim_row_slot {
	_Atomic uint64_t key, row;
};
#define SHIM_ROW_PC_BITS 47
#define SHIM_ROW_BUSY ((uint64_t)1 << SHIM_ROW_PC_BITS)
#define SHIM_ROW_KEY_MASK (SHIM_ROW_BUSY * 2 - 1)

extern struct shim_row_slot shim_rows[1 << SHIM_ROW_SETS_SHIFT][SHIM_ROW_WAYS];
/* Counts the calls of shim_row_forget: to be read before a row is worked out. */
extern _Atomic uint32_t shim_row_era;

/* The row as one word; false: it has none. */
bool shim_row_pack(const struct shim_cfi_row *row, uint64_t *packed);
void shim_row_add(uintptr_t pc, uint64_t packed, uint32_t era);
void shim_row_forget(uintptr_t start, uintptr_t end);

static inline struct shim_row_slot *shim_row_set(uintptr_t pc)
{
	return shim_rows[(pc * 0x9e3779b97f4a7c15u) >> (64 - SHIM_ROW_SETS_SHIFT)];
}

/* pc must be below 2^47. */
static inline bool shim_row_find(uintptr_t pc, uint64_t *packed)
{
	struct shim_row_slot *set = shim_row_set(pc);
	for (unsigned way = 0; way < SHIM_ROW_WAYS; way++) {
		uint64_t key = atomic_load_explicit(&set[way].key, memory_order_acquire);
		if ((key & SHIM_ROW_KEY_MASK) != pc)
			continue;
		*packed = atomic_load_explicit(&set[way].row, memory_order_acquire);
		return atomic_load_explicit(&set[way].key, memory_order_relaxed) == key;
	}
	return false;
}

#endif
