/* calls.h: every spelling of an access of 1 to 16 bytes, for the shim and for a program's copy of it
 * (near.c). Whoever includes it has ABI (which functions are these?) and race_access_one. */
#ifndef SHIM_RACE_CALLS_H
#define SHIM_RACE_CALLS_H

#include "near.h"

#define PC ((uintptr_t)__builtin_return_address(0))

static inline __attribute__((always_inline)) void access_two(uintptr_t address, uint32_t kind, uintptr_t pc)
{
	race_access_one(address, 3, kind, pc);
	race_access_one(address + 8, 3, kind, pc);
}

/* What compilers call unaligned mostly is not, or at least lies in one word; what they call aligned mostly
 * is. */
static inline __attribute__((always_inline)) void access_unaligned(uintptr_t address, unsigned bytes_log,
                                                                   uint32_t kind, uintptr_t pc)
{
	if (__builtin_expect(bytes_log < 4 && (address & 7) <= RACE_WORD - (1u << bytes_log), 1))
		race_access_one(address, bytes_log, kind, pc);
	else if (bytes_log == 4 && !(address & 7))
		access_two(address, kind, pc);
	else
		race_access_range(address, (size_t)1 << bytes_log, kind, pc);
}

#define UNALIGNED(bytes, log)                                                                                \
	ABI(void, __tsan_unaligned_read##bytes, (void *p))                                                   \
	{                                                                                                    \
		access_unaligned((uintptr_t)p, log, RACE_READ, PC);                                          \
	}                                                                                                    \
	ABI(void, __tsan_unaligned_write##bytes, (void *p))                                                  \
	{                                                                                                    \
		access_unaligned((uintptr_t)p, log, 0, PC);                                                  \
	}                                                                                                    \
	ABI(void, __tsan_unaligned_read_write##bytes, (void *p))                                             \
	{                                                                                                    \
		access_unaligned((uintptr_t)p, log, 0, PC);                                                  \
	}                                                                                                    \
	ABI(void, __tsan_unaligned_volatile_read##bytes, (void *p))                                          \
	{                                                                                                    \
		access_unaligned((uintptr_t)p, log, RACE_READ, PC);                                          \
	}                                                                                                    \
	ABI(void, __tsan_unaligned_volatile_write##bytes, (void *p))                                         \
	{                                                                                                    \
		access_unaligned((uintptr_t)p, log, 0, PC);                                                  \
	}

#define ACCESSES(bytes, log)                                                                                 \
	ABI(void, __tsan_read##bytes, (void *p))                                                             \
	{                                                                                                    \
		access_unaligned((uintptr_t)p, log, RACE_READ, PC);                                          \
	}                                                                                                    \
	ABI(void, __tsan_write##bytes, (void *p))                                                            \
	{                                                                                                    \
		access_unaligned((uintptr_t)p, log, 0, PC);                                                  \
	}                                                                                                    \
	ABI(void, __tsan_read##bytes##_pc, (void *p, void *pc))                                              \
	{                                                                                                    \
		access_unaligned((uintptr_t)p, log, RACE_READ, (uintptr_t)pc);                               \
	}                                                                                                    \
	ABI(void, __tsan_write##bytes##_pc, (void *p, void *pc))                                             \
	{                                                                                                    \
		access_unaligned((uintptr_t)p, log, 0, (uintptr_t)pc);                                       \
	}                                                                                                    \
	ABI(void, __tsan_read_write##bytes, (void *p))                                                       \
	{                                                                                                    \
		access_unaligned((uintptr_t)p, log, 0, PC);                                                  \
	}                                                                                                    \
	ABI(void, __tsan_volatile_read##bytes, (void *p))                                                    \
	{                                                                                                    \
		access_unaligned((uintptr_t)p, log, RACE_READ, PC);                                          \
	}                                                                                                    \
	ABI(void, __tsan_volatile_write##bytes, (void *p))                                                   \
	{                                                                                                    \
		access_unaligned((uintptr_t)p, log, 0, PC);                                                  \
	}

ACCESSES(1, 0)
ACCESSES(2, 1)
ACCESSES(4, 2)
ACCESSES(8, 3)
UNALIGNED(2, 1)
UNALIGNED(4, 2)
UNALIGNED(8, 3)
UNALIGNED(16, 4)

ABI(void, __tsan_read16, (void *p))
{
	access_unaligned((uintptr_t)p, 4, RACE_READ, PC);
}
ABI(void, __tsan_write16, (void *p))
{
	access_unaligned((uintptr_t)p, 4, 0, PC);
}
ABI(void, __tsan_read_write16, (void *p))
{
	access_unaligned((uintptr_t)p, 4, 0, PC);
}
ABI(void, __tsan_volatile_read16, (void *p))
{
	access_unaligned((uintptr_t)p, 4, RACE_READ, PC);
}
ABI(void, __tsan_volatile_write16, (void *p))
{
	access_unaligned((uintptr_t)p, 4, 0, PC);
}
ABI(void, __tsan_read16_pc, (void *p, void *pc))
{
	access_unaligned((uintptr_t)p, 4, RACE_READ, (uintptr_t)pc);
}
ABI(void, __tsan_write16_pc, (void *p, void *pc))
{
	access_unaligned((uintptr_t)p, 4, 0, (uintptr_t)pc);
}

#endif
