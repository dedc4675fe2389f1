/* Kinds of mutexes, in opposite orders and in one order. */
#include <errno.h>
#include <sys/mman.h>

#include "case.h"

static pthread_mutex_t first, second;

static void forwards(void)
{
	CHECK(pthread_mutex_lock(&first) == 0);
	CHECK(pthread_mutex_lock(&second) == 0);
	CHECK(pthread_mutex_unlock(&second) == 0);
	CHECK(pthread_mutex_unlock(&first) == 0);
}

static void backwards(void)
{
	CHECK(pthread_mutex_lock(&second) == 0);
	CHECK(pthread_mutex_lock(&first) == 0);
	CHECK(pthread_mutex_unlock(&first) == 0);
	CHECK(pthread_mutex_unlock(&second) == 0);
}

static void init_both(const pthread_mutexattr_t *attributes)
{
	CHECK(pthread_mutex_init(&first, attributes) == 0);
	CHECK(pthread_mutex_init(&second, attributes) == 0);
}

static void init_type(int type)
{
	pthread_mutexattr_t attributes;

	CHECK(pthread_mutexattr_init(&attributes) == 0);
	CHECK(pthread_mutexattr_settype(&attributes, type) == 0);
	init_both(&attributes);
}

static void init_robust(void)
{
	pthread_mutexattr_t attributes;

	CHECK(pthread_mutexattr_init(&attributes) == 0);
	CHECK(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0);
	init_both(&attributes);
}

static void init_pi(void)
{
	pthread_mutexattr_t attributes;

	CHECK(pthread_mutexattr_init(&attributes) == 0);
	CHECK(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT) == 0);
	init_both(&attributes);
}

static void init_shared(void)
{
	pthread_mutexattr_t attributes;

	CHECK(pthread_mutexattr_init(&attributes) == 0);
	CHECK(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
	init_both(&attributes);
}

#define KIND(name, initialise)                                                                               \
	static void name##_inverted(void)                                                                    \
	{                                                                                                    \
		initialise;                                                                                  \
		in_turn(forwards, backwards);                                                                \
	}                                                                                                    \
	static void name##_ordered(void)                                                                     \
	{                                                                                                    \
		initialise;                                                                                  \
		in_turn(forwards, forwards);                                                                 \
	}

KIND(static, (void)0)
KIND(normal, init_type(PTHREAD_MUTEX_NORMAL))
KIND(recursive, init_type(PTHREAD_MUTEX_RECURSIVE))
KIND(errorcheck, init_type(PTHREAD_MUTEX_ERRORCHECK))
KIND(adaptive, init_type(PTHREAD_MUTEX_ADAPTIVE_NP))
KIND(robust, init_robust())
KIND(pi, init_pi())
KIND(shared, init_shared())

static void lock_first(void)
{
	CHECK(pthread_mutex_lock(&first) == 0);
}

/* EOWNERDEAD gives the lock. */
static void inherit_then_second(void)
{
	CHECK(pthread_mutex_lock(&first) == EOWNERDEAD);
	CHECK(pthread_mutex_consistent(&first) == 0);
	CHECK(pthread_mutex_lock(&second) == 0);
	CHECK(pthread_mutex_unlock(&second) == 0);
	CHECK(pthread_mutex_unlock(&first) == 0);
}

static void owner_dies(void)
{
	init_robust();
	in_turn(lock_first, inherit_then_second, backwards);
}

static void inherit_and_give_up(void)
{
	CHECK(pthread_mutex_lock(&first) == EOWNERDEAD);
	CHECK(pthread_mutex_unlock(&first) == 0);
}

/* ENOTRECOVERABLE does not. */
static void fail_then_second(void)
{
	CHECK(pthread_mutex_lock(&first) == ENOTRECOVERABLE);
	CHECK(pthread_mutex_lock(&second) == 0);
	CHECK(pthread_mutex_unlock(&second) == 0);
}

static void second_then_fail(void)
{
	CHECK(pthread_mutex_lock(&second) == 0);
	CHECK(pthread_mutex_lock(&first) == ENOTRECOVERABLE);
	CHECK(pthread_mutex_unlock(&second) == 0);
}

static void not_recoverable(void)
{
	init_robust();
	in_turn(lock_first, inherit_and_give_up, fail_then_second, second_then_fail);
}

/* Locked again while held: no edge from second to first. */
static void relock_inside(void)
{
	CHECK(pthread_mutex_lock(&first) == 0);
	CHECK(pthread_mutex_lock(&second) == 0);
	CHECK(pthread_mutex_lock(&first) == 0);
	CHECK(pthread_mutex_unlock(&first) == 0);
	CHECK(pthread_mutex_unlock(&second) == 0);
	CHECK(pthread_mutex_unlock(&first) == 0);
}

static void relock(void)
{
	init_type(PTHREAD_MUTEX_RECURSIVE);
	in_turn(relock_inside, relock_inside);
}

static void relock_inverted(void)
{
	init_type(PTHREAD_MUTEX_RECURSIVE);
	in_turn(relock_inside, backwards);
}

/* Still held after the first of two unlocks. */
static void half_unlocked(void)
{
	CHECK(pthread_mutex_lock(&first) == 0);
	CHECK(pthread_mutex_lock(&first) == 0);
	CHECK(pthread_mutex_unlock(&first) == 0);
	CHECK(pthread_mutex_lock(&second) == 0);
	CHECK(pthread_mutex_unlock(&second) == 0);
	CHECK(pthread_mutex_unlock(&first) == 0);
}

static void fully_unlocked(void)
{
	CHECK(pthread_mutex_lock(&first) == 0);
	CHECK(pthread_mutex_lock(&first) == 0);
	CHECK(pthread_mutex_unlock(&first) == 0);
	CHECK(pthread_mutex_unlock(&first) == 0);
	CHECK(pthread_mutex_lock(&second) == 0);
	CHECK(pthread_mutex_unlock(&second) == 0);
}

static void relock_half(void)
{
	init_type(PTHREAD_MUTEX_RECURSIVE);
	in_turn(half_unlocked, backwards);
}

static void relock_full(void)
{
	init_type(PTHREAD_MUTEX_RECURSIVE);
	in_turn(fully_unlocked, backwards);
}

/* EDEADLK takes nothing: one unlock is enough. */
static void checked_relock(void)
{
	CHECK(pthread_mutex_lock(&first) == 0);
	CHECK(pthread_mutex_lock(&first) == EDEADLK);
	CHECK(pthread_mutex_unlock(&first) == 0);
	CHECK(pthread_mutex_lock(&second) == 0);
	CHECK(pthread_mutex_unlock(&second) == 0);
}

static void errorcheck_relock(void)
{
	init_type(PTHREAD_MUTEX_ERRORCHECK);
	in_turn(checked_relock, backwards);
}

/* A stranger's unlock that fails does not take the lock from its owner. */
static void *unlock_strangers(void *unused)
{
	(void)unused;
	CHECK(pthread_mutex_unlock(&first) == EPERM);
	return NULL;
}

static void keep_through_strangers_unlock(void)
{
	pthread_t stranger;

	CHECK(pthread_mutex_lock(&first) == 0);
	CHECK(pthread_create(&stranger, NULL, unlock_strangers, NULL) == 0);
	CHECK(pthread_join(stranger, NULL) == 0);
	CHECK(pthread_mutex_lock(&second) == 0);
	CHECK(pthread_mutex_unlock(&second) == 0);
	CHECK(pthread_mutex_unlock(&first) == 0);
}

static void failed_unlock(void)
{
	init_type(PTHREAD_MUTEX_ERRORCHECK);
	in_turn(keep_through_strangers_unlock, backwards);
}

/* Unlocked by another thread: allowed for a normal mutex by this C library, and it is free then. */
static void *unlock_handed_over(void *unused)
{
	(void)unused;
	CHECK(pthread_mutex_unlock(&first) == 0);
	return NULL;
}

static void lose_to_stranger(void)
{
	pthread_t stranger;

	CHECK(pthread_mutex_lock(&first) == 0);
	CHECK(pthread_create(&stranger, NULL, unlock_handed_over, NULL) == 0);
	CHECK(pthread_join(stranger, NULL) == 0);
	CHECK(pthread_mutex_lock(&second) == 0);
	CHECK(pthread_mutex_unlock(&second) == 0);
}

/* The holder looks at what it holds when it begins to wait, which can be in the midst of the other's unlock. */
enum { PAIRS = 100 };
static pthread_mutex_t pairs[PAIRS][2];

static void *unlock_pairs_first(void *pair)
{
	CHECK(pthread_mutex_unlock(pair) == 0);
	return NULL;
}

static void lose_often(void)
{
	for (int i = 0; i < PAIRS; i++) {
		pthread_t stranger;

		CHECK(pthread_mutex_lock(&pairs[i][0]) == 0);
		CHECK(pthread_create(&stranger, NULL, unlock_pairs_first, pairs[i]) == 0);
		CHECK(pthread_join(stranger, NULL) == 0);
		CHECK(pthread_mutex_lock(&pairs[i][1]) == 0);
		CHECK(pthread_mutex_unlock(&pairs[i][1]) == 0);
	}
}

static void pairs_backwards(void)
{
	for (int i = 0; i < PAIRS; i++) {
		CHECK(pthread_mutex_lock(&pairs[i][1]) == 0);
		CHECK(pthread_mutex_lock(&pairs[i][0]) == 0);
		CHECK(pthread_mutex_unlock(&pairs[i][0]) == 0);
		CHECK(pthread_mutex_unlock(&pairs[i][1]) == 0);
	}
}

static void unlocked_elsewhere_often(void)
{
	in_turn(lose_often, pairs_backwards);
}

static void unlocked_elsewhere(void)
{
	init_type(PTHREAD_MUTEX_NORMAL);
	in_turn(lose_to_stranger, backwards);
}

/* Released out of order: while second is held alone, first is free to be taken again. */
static void crosswise(void)
{
	CHECK(pthread_mutex_lock(&first) == 0);
	CHECK(pthread_mutex_lock(&second) == 0);
	CHECK(pthread_mutex_unlock(&first) == 0);
	CHECK(pthread_mutex_lock(&first) == 0);
	CHECK(pthread_mutex_unlock(&first) == 0);
	CHECK(pthread_mutex_unlock(&second) == 0);
}

static void out_of_order_inverted(void)
{
	in_turn(crosswise, forwards);
}

static void hand_over(void)
{
	CHECK(pthread_mutex_lock(&first) == 0);
	CHECK(pthread_mutex_lock(&second) == 0);
	CHECK(pthread_mutex_unlock(&first) == 0);
	CHECK(pthread_mutex_unlock(&second) == 0);
}

static void out_of_order_ordered(void)
{
	in_turn(hand_over, forwards);
}

static void one_thread_only(void)
{
	forwards();
	backwards();
}

/* In memory of their own, gone and mapped again: other locks at the same addresses. */
static pthread_mutex_t *mapped;

static void mapped_forwards(void)
{
	CHECK(pthread_mutex_lock(&mapped[0]) == 0);
	CHECK(pthread_mutex_lock(&mapped[1]) == 0);
	CHECK(pthread_mutex_unlock(&mapped[1]) == 0);
	CHECK(pthread_mutex_unlock(&mapped[0]) == 0);
}

static void mapped_backwards(void)
{
	CHECK(pthread_mutex_lock(&mapped[1]) == 0);
	CHECK(pthread_mutex_lock(&mapped[0]) == 0);
	CHECK(pthread_mutex_unlock(&mapped[0]) == 0);
	CHECK(pthread_mutex_unlock(&mapped[1]) == 0);
}

static void map_at(void *address)
{
	int fixed = address ? MAP_FIXED_NOREPLACE : 0;

	mapped = mmap(address, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | fixed, -1, 0);
	CHECK(mapped != MAP_FAILED);
}

static void map_again(void)
{
	CHECK(munmap(mapped, 4096) == 0);
	map_at(mapped);
}

static void nothing(void)
{
}

static void remapped(void)
{
	map_at(NULL);
	in_turn(mapped_forwards, map_again, mapped_backwards);
}

static void still_mapped(void)
{
	map_at(NULL);
	in_turn(mapped_forwards, nothing, mapped_backwards);
}

static void make_again(void)
{
	CHECK(pthread_mutex_destroy(&first) == 0);
	CHECK(pthread_mutex_init(&first, NULL) == 0);
}

static void destroyed(void)
{
	init_both(NULL);
	in_turn(forwards, make_again, backwards);
}

CASES({"static", static_inverted}, {"static-ordered", static_ordered}, {"normal", normal_inverted},
      {"normal-ordered", normal_ordered}, {"recursive", recursive_inverted},
      {"recursive-ordered", recursive_ordered}, {"errorcheck", errorcheck_inverted},
      {"errorcheck-ordered", errorcheck_ordered}, {"adaptive", adaptive_inverted},
      {"adaptive-ordered", adaptive_ordered}, {"robust", robust_inverted}, {"robust-ordered", robust_ordered},
      {"pi", pi_inverted}, {"pi-ordered", pi_ordered}, {"shared", shared_inverted},
      {"shared-ordered", shared_ordered}, {"owner-dies", owner_dies}, {"not-recoverable", not_recoverable},
      {"relock", relock}, {"relock-inverted", relock_inverted}, {"relock-half", relock_half},
      {"relock-full", relock_full}, {"errorcheck-relock", errorcheck_relock},
      {"failed-unlock", failed_unlock}, {"unlocked-elsewhere", unlocked_elsewhere},
      {"unlocked-elsewhere-often", unlocked_elsewhere_often},
      {"out-of-order", out_of_order_inverted}, {"out-of-order-ordered", out_of_order_ordered},
      {"one-thread", one_thread_only}, {"remapped", remapped}, {"still-mapped", still_mapped},
      {"destroyed", destroyed})
