/* shadow.h: what is remembered of each 8 bytes of the program: four cells, 16 bytes.
 *
 * A cell is one access that a later one may race with:
 *   bits 0-7 which of the 8 bytes, 8-21 epoch, 22 atomic, 23 read, 24-31 slot
 * and 0 is none. The layout is that of ThreadSanitizer's third runtime (LLVM 14): small enough that four
 * are compared at once.
 *
 * Shadow and meta lie at fixed places that x86-64 Linux leaves free; programs use three pieces of the
 * address space (low, 0x55…, 0x7f…), and these stay apart in their lower 44 bits.
 * Meta: 4 bytes for each 8, the number of a synchronisation object or heap block there (sync.h).
 * Threads: cells are read and written without order; a lost cell is a lost chance, never a false alarm. */
#ifndef SHIM_RACE_SHADOW_H
#define SHIM_RACE_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t race_cell;

enum {
	RACE_CELLS = 4,
	RACE_WORD = 8, /* bytes that one set of cells speaks of */
	RACE_LINE = 64, /* of the processor's cache: what threads share or must not share */
	RACE_MASK = 0xff,
	RACE_ATOMIC = 1 << 22,
	RACE_READ = 1 << 23,
	RACE_FLAGS = RACE_ATOMIC | RACE_READ,
	RACE_EPOCH_SHIFT = 8,
	RACE_EPOCH_MAX = (1 << 14) - 1,
	RACE_SLOT_SHIFT = 24,
	RACE_SLOTS = 255
};

#define RACE_ADDRESS_MASK ((UINT64_C(1) << 44) - 1)
#define RACE_SHADOW_BASE UINT64_C(0x200000000000)
#define RACE_SHADOW_BYTES (UINT64_C(1) << 45)
#define RACE_META_BASE UINT64_C(0x180000000000)
#define RACE_META_BYTES (UINT64_C(1) << 43)

static inline race_cell *race_cells_of(uintptr_t address)
{
	return (race_cell *)(RACE_SHADOW_BASE + ((address & RACE_ADDRESS_MASK & ~UINT64_C(7)) << 1));
}

static inline uint32_t *race_meta_of(uintptr_t address)
{
	return (uint32_t *)(RACE_META_BASE + ((address & RACE_ADDRESS_MASK & ~UINT64_C(7)) >> 1));
}

static inline uint32_t race_cell_slot(race_cell cell)
{
	return cell >> RACE_SLOT_SHIFT;
}

static inline uint32_t race_cell_epoch(race_cell cell)
{
	return cell >> RACE_EPOCH_SHIFT & RACE_EPOCH_MAX;
}

static inline race_cell race_stamp(uint32_t slot, uint32_t epoch)
{
	return slot << RACE_SLOT_SHIFT | epoch << RACE_EPOCH_SHIFT;
}

/* Reserve both. False: the address space is not to be had (ulimit -v, overcommit): said in a line. */
bool race_shadow_open(void);
/* Forget all accesses in a range. */
void race_shadow_clear(uintptr_t start, size_t bytes);
/* Zero all cells of the slots that are marked in `dead`, wherever there are any. */
void race_shadow_sweep(const bool *dead);

#endif
