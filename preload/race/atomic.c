/* atomic.c: __tsan_atomic*: the operation itself, and what its order publishes or learns.
 *
 * C++20's rules (6.9.2.2): a release is seen by an acquire that reads it or one of its release sequence,
 * which a read-modify-write of any order goes on with and a plain store ends. A relaxed store publishes what
 * was known at the last release fence; what a relaxed load reads is known from the next acquire fence on.
 * Value and clock change together, under the object's lock. */
#include "access.h"
#include "abi.h"
#include "sync.h"

typedef uint8_t a8;
typedef uint16_t a16;
typedef uint32_t a32;
typedef uint64_t a64;
__extension__ typedef unsigned __int128 a128;

#define PC ((uintptr_t)__builtin_return_address(0))

static inline bool acquires(int order)
{
	return order == __ATOMIC_ACQUIRE || order == __ATOMIC_CONSUME || order == __ATOMIC_ACQ_REL ||
	       order == __ATOMIC_SEQ_CST;
}

static inline bool releases(int order)
{
	return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

/* Compilers may put more than the order into the upper bits. */
static inline int plain_order(int order)
{
	order &= 0x7fff;
	return order <= __ATOMIC_SEQ_CST ? order : __ATOMIC_SEQ_CST;
}

/* An operation that is being followed. */
struct operation {
	struct race_hot *hot; /* NULL: it is not */
	struct race_sync *sync;
};

static struct operation begin(volatile const void *address, bool make)
{
	struct race_hot *hot = race_self();
	if (!hot || hot->busy || hot->ignore & RACE_IGNORE_SYNC)
		return (struct operation){NULL, NULL};
	race_enter(hot);
	return (struct operation){hot, race_sync_lock((uintptr_t)address, make)};
}

static void end(const struct operation *op)
{
	if (op->sync)
		race_sync_unlock(op->sync);
	if (op->hot)
		race_leave(op->hot);
}

static void learned(const struct operation *op, int order)
{
	if (!op->sync || !op->sync->clock)
		return;
	struct race_thread *t = op->hot->thread;
	if (acquires(order)) {
		race_sync_acquire(t, op->sync, true);
		return;
	}
	race_clock_refresh(&t->to_acquire);
	race_clock_refresh(op->sync->clock);
	race_clock_join(&t->to_acquire, op->sync->clock);
	t->has_to_acquire = true;
}

/* What the last release fence covers, instead of or beside what is there. */
static void publish_fence(const struct operation *op, bool store)
{
	struct race_thread *t = op->hot->thread;
	struct race_sync *sync = op->sync;
	race_clock_refresh(&t->to_release);
	if (!sync->clock && !(sync->clock = race_clock_new()))
		return;
	if (!sync->must && !(sync->must = race_clock_new()))
		return;
	race_clock_refresh(sync->clock);
	race_clock_refresh(sync->must);
	if (store) {
		race_clock_copy(sync->clock, &t->to_release);
		race_clock_copy(sync->must, &t->to_release);
	} else {
		race_clock_join(sync->clock, &t->to_release);
		race_clock_join(sync->must, &t->to_release);
	}
	sync->last_epoch = 0;
}

static void published(const struct operation *op, int order, bool is_store)
{
	if (!op->sync)
		return;
	if (releases(order))
		race_sync_release(op->hot, op->sync, is_store ? SHIM_RACE_STORE : SHIM_RACE_JOIN, true);
	else if (op->hot->thread->has_to_release)
		publish_fence(op, is_store);
	else if (is_store)
		race_sync_silence(op->sync);
}

/* A store must have an object when it publishes; one that publishes nothing only silences. */
static bool wants_object(int order)
{
	return releases(order) || (race_hot.stamp && race_hot.thread->has_to_release);
}

#define LOAD(bits, log)                                                                                      \
	ABI(a##bits, __tsan_atomic##bits##_load, (const volatile a##bits *a, int order))                     \
	{                                                                                                    \
		order = plain_order(order);                                                                  \
		race_access_atomic((uintptr_t)a, log, RACE_READ, PC);                                        \
		struct operation op = begin(a, false);                                                       \
		a##bits value = RAW_LOAD_##bits(a);                                                          \
		/* One that was made meanwhile may have been made by the store that was read. */             \
		if (op.hot && !op.sync && (op.sync = race_sync_lock((uintptr_t)a, false)))                   \
			value = RAW_LOAD_##bits(a);                                                          \
		learned(&op, order);                                                                         \
		end(&op);                                                                                    \
		return value;                                                                                \
	}

#define STORE(bits, log)                                                                                     \
	ABI(void, __tsan_atomic##bits##_store, (volatile a##bits * a, a##bits value, int order))             \
	{                                                                                                    \
		order = plain_order(order);                                                                  \
		race_access_atomic((uintptr_t)a, log, 0, PC);                                                \
		struct operation op = begin(a, wants_object(order));                                         \
		published(&op, order, true);                                                                 \
		RAW_STORE_##bits(a, value);                                                                  \
		end(&op);                                                                                    \
	}

#define UPDATE(bits, log, name, raw)                                                                         \
	ABI(a##bits, __tsan_atomic##bits##_##name, (volatile a##bits * a, a##bits value, int order))         \
	{                                                                                                    \
		order = plain_order(order);                                                                  \
		race_access_atomic((uintptr_t)a, log, 0, PC);                                                \
		struct operation op = begin(a, true);                                                        \
		learned(&op, order);                                                                         \
		published(&op, order, false);                                                                \
		a##bits old = raw(a, value);                                                                 \
		end(&op);                                                                                    \
		return old;                                                                                  \
	}

/* A failed exchange is a load of order `failed`. */
#define COMPARE(bits, log)                                                                                   \
	static bool compare_##bits(volatile a##bits *a, a##bits *expected, a##bits value, int order,         \
	                           int failed, uintptr_t pc)                                                 \
	{                                                                                                    \
		order = plain_order(order);                                                                  \
		race_access_atomic((uintptr_t)a, log, 0, pc);                                                \
		struct operation op = begin(a, true);                                                        \
		bool done = RAW_COMPARE_##bits(a, expected, value);                                          \
		learned(&op, done ? order : plain_order(failed));                                            \
		if (done)                                                                                    \
			published(&op, order, false);                                                        \
		end(&op);                                                                                    \
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
	order = plain_order(order);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	struct operation op = {race_self(), NULL};
	if (!op.hot || op.hot->busy || op.hot->ignore & RACE_IGNORE_SYNC)
		return;
	race_enter(op.hot);
	if (acquires(order))
		fence_acquire(op.hot->thread);
	if (releases(order))
		fence_release(op.hot);
	end(&op);
}
