/* atomic_library.c: calls of libatomic: atomic objects that the compiler has no instruction for, since they are too
 * large or not aligned, and those of 16 bytes by compilers that were not told of the processor's cmpxchg16b (clang).
 * The linker takes ours for them, as for libc's (libc.h); the operation is libatomic's own, so that whoever
 * else calls that sees the same object.
 *
 * The library is asked for at the first call: the linker may have left it out, as nobody seemed to need it. That
 * is the engine's doing, and orders nothing of the program's. */
#include <dlfcn.h>

#include "../hook.h"
#include "abi.h"
#include "atomic.h"

#define LIBRARY "libatomic.so.1"
#define PC ((uintptr_t)__builtin_return_address(0))

__extension__ typedef unsigned __int128 a128;

static void *find(void **real, const char *name)
{
	void *found = __atomic_load_n(real, __ATOMIC_ACQUIRE);
	if (SHIM_LIKELY(found))
		return found;
	const struct shim_hook hook = {name, NULL, real};
	bool outside = !race_hot.busy;
	if (outside)
		race_enter(&race_hot);
	found = dlsym(RTLD_DEFAULT, name);
	void *library = found ? NULL : dlopen(LIBRARY, RTLD_LAZY);
	if (library)
		found = dlsym(library, name);
	if (outside)
		race_leave(&race_hot);
	if (found)
		__atomic_store_n(real, found, __ATOMIC_RELEASE);
	return found ? found : shim_hook_resolve(&hook);
}

#define REAL(name) ((__typeof__(&__wrap_##name))(uintptr_t)find(&real_##name, #name))

#define CALL(ret, name, params)                                                                              \
	static void *real_##name;                                                                            \
	ABI(ret, __wrap_##name, params)

static void touch(const volatile void *a, size_t bytes, uint32_t kind, uintptr_t pc)
{
	race_access_range((uintptr_t)a, bytes, kind | RACE_ATOMIC, pc);
}

/* What a failed comparison found. */
static void store_expected(void *expected, size_t bytes, uintptr_t pc)
{
	race_access_range((uintptr_t)expected, bytes, 0, pc);
}

CALL(void, __atomic_load, (size_t bytes, const volatile void *a, void *to, int order))
{
	__typeof__(&__wrap___atomic_load) real = REAL(__atomic_load);
	touch(a, bytes, RACE_READ, PC);
	struct race_operation op = race_atomic_begin(a, true);
	real(bytes, a, to, order);
	race_atomic_learned(&op, race_plain_order(order));
	race_atomic_end(&op);
	race_access_range((uintptr_t)to, bytes, 0, PC);
}

CALL(void, __atomic_store, (size_t bytes, volatile void *a, const void *from, int order))
{
	__typeof__(&__wrap___atomic_store) real = REAL(__atomic_store);
	race_access_range((uintptr_t)from, bytes, RACE_READ, PC);
	touch(a, bytes, 0, PC);
	struct race_operation op = race_atomic_begin(a, true);
	race_atomic_published(&op, race_plain_order(order), true);
	real(bytes, a, from, order);
	race_atomic_end(&op);
}

CALL(void, __atomic_exchange, (size_t bytes, volatile void *a, const void *from, void *to, int order))
{
	__typeof__(&__wrap___atomic_exchange) real = REAL(__atomic_exchange);
	race_access_range((uintptr_t)from, bytes, RACE_READ, PC);
	touch(a, bytes, 0, PC);
	struct race_operation op = race_atomic_begin(a, true);
	race_atomic_learned(&op, race_plain_order(order));
	race_atomic_published(&op, race_plain_order(order), false);
	real(bytes, a, from, to, order);
	race_atomic_end(&op);
	race_access_range((uintptr_t)to, bytes, 0, PC);
}

/* Behind the comparison, under the object's lock. */
static void compared(const struct race_operation *op, bool done, int order, int failed)
{
	race_atomic_learned(op, race_plain_order(done ? order : failed));
	if (done)
		race_atomic_published(op, race_plain_order(order), false);
	race_atomic_end(op);
}

CALL(bool, __atomic_compare_exchange,
     (size_t bytes, volatile void *a, void *expected, const void *from, int order, int failed))
{
	__typeof__(&__wrap___atomic_compare_exchange) real = REAL(__atomic_compare_exchange);
	race_access_range((uintptr_t)expected, bytes, RACE_READ, PC);
	race_access_range((uintptr_t)from, bytes, RACE_READ, PC);
	touch(a, bytes, 0, PC);
	struct race_operation op = race_atomic_begin(a, true);
	bool done = real(bytes, a, expected, from, order, failed);
	compared(&op, done, order, failed);
	if (!done)
		store_expected(expected, bytes, PC);
	return done;
}

/* ---- 16 bytes ---- */

CALL(a128, __atomic_load_16, (const volatile void *a, int order))
{
	__typeof__(&__wrap___atomic_load_16) real = REAL(__atomic_load_16);
	touch(a, sizeof(a128), RACE_READ, PC);
	struct race_operation op = race_atomic_begin(a, true);
	a128 value = real(a, order);
	race_atomic_learned(&op, race_plain_order(order));
	race_atomic_end(&op);
	return value;
}

CALL(void, __atomic_store_16, (volatile void *a, a128 value, int order))
{
	__typeof__(&__wrap___atomic_store_16) real = REAL(__atomic_store_16);
	touch(a, sizeof value, 0, PC);
	struct race_operation op = race_atomic_begin(a, true);
	race_atomic_published(&op, race_plain_order(order), true);
	real(a, value, order);
	race_atomic_end(&op);
}

CALL(bool, __atomic_compare_exchange_16,
     (volatile void *a, void *expected, a128 value, int order, int failed))
{
	__typeof__(&__wrap___atomic_compare_exchange_16) real = REAL(__atomic_compare_exchange_16);
	race_access_range((uintptr_t)expected, sizeof value, RACE_READ, PC);
	touch(a, sizeof value, 0, PC);
	struct race_operation op = race_atomic_begin(a, true);
	bool done = real(a, expected, value, order, failed);
	compared(&op, done, order, failed);
	if (!done)
		store_expected(expected, sizeof value, PC);
	return done;
}

#define UPDATE(name)                                                                                         \
	CALL(a128, name, (volatile void *a, a128 value, int order))                                          \
	{                                                                                                    \
		__typeof__(&__wrap_##name) real = REAL(name);                                                \
		touch(a, sizeof value, 0, PC);                                                              \
		struct race_operation op = race_atomic_begin(a, true);                                       \
		race_atomic_learned(&op, race_plain_order(order));                                           \
		race_atomic_published(&op, race_plain_order(order), false);                                  \
		a128 old = real(a, value, order);                                                            \
		race_atomic_end(&op);                                                                        \
		return old;                                                                                  \
	}

UPDATE(__atomic_exchange_16)
UPDATE(__atomic_fetch_add_16)
UPDATE(__atomic_fetch_sub_16)
UPDATE(__atomic_fetch_and_16)
UPDATE(__atomic_fetch_or_16)
UPDATE(__atomic_fetch_xor_16)
UPDATE(__atomic_fetch_nand_16)
