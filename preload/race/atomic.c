/* atomic.c: __tsan_atomic*: the operation itself, and what its order publishes or learns (atomic.h). */
#include "abi.h"
#include "atomic.h"

typedef uint8_t a8;
typedef uint16_t a16;
typedef uint32_t a32;
typedef uint64_t a64;
__extension__ typedef unsigned __int128 a128;

#define PC ((uintptr_t)__builtin_return_address(0))

#define LOAD(bits, log)                                                                                      \
	ABI(a##bits, __tsan_atomic##bits##_load, (const volatile a##bits *a, int order))                     \
	{                                                                                                    \
		order = race_plain_order(order);                                                                  \
		race_access_atomic((uintptr_t)a, log, RACE_READ, PC);                                        \
		struct race_operation op = race_atomic_begin(a, false);                                                       \
		a##bits value = RAW_LOAD_##bits(a);                                                          \
		/* One that was made meanwhile may have been made by the store that was read. */             \
		if (op.hot && !op.sync && (op.sync = race_sync_lock((uintptr_t)a, false)))                   \
			value = RAW_LOAD_##bits(a);                                                          \
		race_atomic_learned(&op, order);                                                                         \
		race_atomic_end(&op);                                                                                    \
		return value;                                                                                \
	}

#define STORE(bits, log)                                                                                     \
	ABI(void, __tsan_atomic##bits##_store, (volatile a##bits * a, a##bits value, int order))             \
	{                                                                                                    \
		order = race_plain_order(order);                                                                  \
		race_access_atomic((uintptr_t)a, log, 0, PC);                                                \
		struct race_operation op = race_atomic_begin(a, race_atomic_wants_object(order));                                         \
		race_atomic_published(&op, order, true);                                                                 \
		RAW_STORE_##bits(a, value);                                                                  \
		race_atomic_end(&op);                                                                                    \
	}

#define UPDATE(bits, log, name, raw)                                                                         \
	ABI(a##bits, __tsan_atomic##bits##_##name, (volatile a##bits * a, a##bits value, int order))         \
	{                                                                                                    \
		order = race_plain_order(order);                                                                  \
		race_access_atomic((uintptr_t)a, log, 0, PC);                                                \
		struct race_operation op = race_atomic_begin(a, true);                                                        \
		race_atomic_learned(&op, order);                                                                         \
		race_atomic_published(&op, order, false);                                                                \
		a##bits old = raw(a, value);                                                                 \
		race_atomic_end(&op);                                                                                    \
		return old;                                                                                  \
	}

/* A failed exchange is a load of order `failed`. */
#define COMPARE(bits, log)                                                                                   \
	static bool compare_##bits(volatile a##bits *a, a##bits *expected, a##bits value, int order,         \
	                           int failed, uintptr_t pc)                                                 \
	{                                                                                                    \
		order = race_plain_order(order);                                                                  \
		race_access_atomic((uintptr_t)a, log, 0, pc);                                                \
		struct race_operation op = race_atomic_begin(a, true);                                                        \
		bool done = RAW_COMPARE_##bits(a, expected, value);                                          \
		race_atomic_learned(&op, done ? order : race_plain_order(failed));                                            \
		if (done)                                                                                    \
			race_atomic_published(&op, order, false);                                                        \
		race_atomic_end(&op);                                                                                    \
		return done;                                                                                 \
	}                                                                                                    \
	ABI(int, __tsan_atomic##bits##_compare_exchange_strong,                                              \
	    (volatile a##bits * a, a##bits * expected, a##bits value, int order, int failed))                \
	{                                                                                                    \
		return compare_##bits(a, expected, value, order, failed, PC);                                \
	}                                                                                                    \
	ABI(int, __tsan_atomic##bits##_compare_exchange_weak,                                                \
	    (volatile a##bits * a, a##bits * expected, a##bits value, int order, int failed))                \
	{                                                                                                    \
		return compare_##bits(a, expected, value, order, failed, PC);                                \
	}                                                                                                    \
	ABI(a##bits, __tsan_atomic##bits##_compare_exchange_val,                                             \
	    (volatile a##bits * a, a##bits expected, a##bits value, int order, int failed))                  \
	{                                                                                                    \
		compare_##bits(a, &expected, value, order, failed, PC);                                      \
		return expected;                                                                             \
	}

#define RAW_LOAD(a) __atomic_load_n(a, __ATOMIC_SEQ_CST)
#define RAW_STORE(a, value) __atomic_store_n(a, value, __ATOMIC_SEQ_CST)
#define RAW_COMPARE(a, expected, value)                                                                      \
	__atomic_compare_exchange_n(a, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#define RAW_LOAD_8 RAW_LOAD
#define RAW_LOAD_16 RAW_LOAD
#define RAW_LOAD_32 RAW_LOAD
#define RAW_LOAD_64 RAW_LOAD
#define RAW_STORE_8 RAW_STORE
#define RAW_STORE_16 RAW_STORE
#define RAW_STORE_32 RAW_STORE
#define RAW_STORE_64 RAW_STORE
#define RAW_COMPARE_8 RAW_COMPARE
#define RAW_COMPARE_16 RAW_COMPARE
#define RAW_COMPARE_32 RAW_COMPARE
#define RAW_COMPARE_64 RAW_COMPARE
#define RAW_ADD(a, value) __atomic_fetch_add(a, value, __ATOMIC_SEQ_CST)
#define RAW_SUB(a, value) __atomic_fetch_sub(a, value, __ATOMIC_SEQ_CST)
#define RAW_AND(a, value) __atomic_fetch_and(a, value, __ATOMIC_SEQ_CST)
#define RAW_OR(a, value) __atomic_fetch_or(a, value, __ATOMIC_SEQ_CST)
#define RAW_XOR(a, value) __atomic_fetch_xor(a, value, __ATOMIC_SEQ_CST)
#define RAW_NAND(a, value) __atomic_fetch_nand(a, value, __ATOMIC_SEQ_CST)
#define RAW_EXCHANGE(a, value) __atomic_exchange_n(a, value, __ATOMIC_SEQ_CST)

/* 16 bytes: by cmpxchg16b, as every program that has them inline does; libatomic's own may take a lock. */
static bool RAW_COMPARE_128(volatile a128 *a, a128 *expected, a128 value)
{
	a128 found = __sync_val_compare_and_swap(a, *expected, value);
	bool done = found == *expected;
	*expected = found;
	return done;
}

static a128 RAW_LOAD_128(const volatile a128 *a)
{
	a128 value = 0;
	RAW_COMPARE_128((volatile a128 *)(uintptr_t)a, &value, 0);
	return value;
}

#define RAW_128(name, expression)                                                                            \
	static a128 RAW_128_##name(volatile a128 *a, a128 value)                                             \
	{                                                                                                    \
		a128 old = 0;                                                                                \
		while (!RAW_COMPARE_128(a, &old, expression))                                                \
			;                                                                                    \
		return old;                                                                                  \
	}
RAW_128(ADD, old + value)
RAW_128(SUB, old - value)
RAW_128(AND, old &value)
RAW_128(OR, old | value)
RAW_128(XOR, old ^ value)
RAW_128(NAND, ~(old &value))
RAW_128(EXCHANGE, value)

static void RAW_STORE_128(volatile a128 *a, a128 value)
{
	RAW_128_EXCHANGE(a, value);
}

#define UPDATES(bits, log, prefix)                                                                           \
	UPDATE(bits, log, exchange, prefix##EXCHANGE)                                                        \
	UPDATE(bits, log, fetch_add, prefix##ADD)                                                            \
	UPDATE(bits, log, fetch_sub, prefix##SUB)                                                            \
	UPDATE(bits, log, fetch_and, prefix##AND)                                                            \
	UPDATE(bits, log, fetch_or, prefix##OR)                                                              \
	UPDATE(bits, log, fetch_xor, prefix##XOR)                                                            \
	UPDATE(bits, log, fetch_nand, prefix##NAND)

#define ATOMICS(bits, log, prefix)                                                                           \
	LOAD(bits, log)                                                                                      \
	STORE(bits, log)                                                                                     \
	COMPARE(bits, log)                                                                                   \
	UPDATES(bits, log, prefix)

ATOMICS(8, 0, RAW_)
ATOMICS(16, 1, RAW_)
ATOMICS(32, 2, RAW_)
ATOMICS(64, 3, RAW_)
ATOMICS(128, 4, RAW_128_)

ABI(void, __tsan_atomic_signal_fence, (int order))
{
	(void)order;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void fence_acquire(struct race_thread *t)
{
	if (!t->has_to_acquire)
		return;
	race_clock_refresh(&t->clock);
	race_clock_refresh(&t->must);
	race_clock_refresh(&t->to_acquire);
	bool grew = race_clock_join(&t->clock, &t->to_acquire),
	     must_grew = race_clock_join(&t->must, &t->to_acquire);
	if (grew || must_grew)
		race_learned(t);
}

static void fence_release(struct race_hot *hot)
{
	struct race_thread *t = hot->thread;
	race_clock_refresh(&t->clock);
	race_clock_copy(&t->to_release, &t->clock);
	t->has_to_release = true;
	race_epoch_next(hot);
}

ABI(void, __tsan_atomic_thread_fence, (int order))
{
	order = race_plain_order(order);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	struct race_operation op = {race_self(), NULL};
	if (!op.hot || op.hot->busy || op.hot->ignore & RACE_IGNORE_SYNC)
		return;
	race_enter(op.hot);
	if (race_acquires(order))
		fence_acquire(op.hot->thread);
	if (race_releases(order))
		fence_release(op.hot);
	race_atomic_end(&op);
}
