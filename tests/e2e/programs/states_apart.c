/* States that are nearly alike, or hard to read: the unsafe one must be told apart from a safe one that came first. The
 * steps between are seen by no detector, and nothing hangs. */
#include <semaphore.h>
#include <stdbool.h>
#include <time.h>

#include "case.h"

enum { DEEP = 17, MANY = 100 };

static sem_t pool, other;
static pthread_mutex_t deep[DEEP];

static __attribute__((noinline)) void take(sem_t *sem, int units)
{
	for (volatile int i = 0; i < units; i++)
		CHECK(sem_wait(sem) == 0);
}
static void give(sem_t *sem, int units)
{
	for (int i = 0; i < units; i++)
		CHECK(sem_post(sem) == 0);
}

static void start(void *(*first)(void *), void *(*second)(void *))
{
	pthread_t threads[2];

	CHECK(pthread_create(&threads[0], NULL, first, (void *)0) == 0);
	CHECK(pthread_create(&threads[1], NULL, second, (void *)1) == 0);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

/* Units of the pool, one of the other, and maybe more of the pool. */
static __attribute__((noinline)) void take_around(int before, int after)
{
	take(&pool, before);
	take(&other, 1);
	take(&pool, after);
}
static int below[2]; /* by meeting: what it has of the pool */

/* One's turn: who has it does what it does, and then makes the step. */
static void await(int n)
{
	while (__atomic_load_n(&steps_made, __ATOMIC_ACQUIRE) != n)
		sched_yield();
}

static void *takes_below(void *unused)
{
	for (volatile int turn = 0; turn < 3; turn++) {
		int before = turn == 0 ? 1 : below[turn - 1], after = turn == 0 ? 2 : 0;
		await(3 * turn);
		take_around(before, after);
		if (turn == 0)
			give(&other, 1), give(&pool, before + after);
		step(3 * turn);
		await(3 * turn + 2);
		if (turn != 0)
			give(&other, 1), give(&pool, before + after);
		step(3 * turn + 2);
	}
	return unused;
}
static void *takes_one(void *unused)
{
	for (volatile int turn = 0; turn < 3; turn++) {
		int units = turn == 0 ? 2 : 1;
		await(3 * turn + 1);
		take(&pool, units);
		give(&pool, units);
		step(3 * turn + 1);
	}
	return unused;
}
/* What lies below the last acquisition is one unit at first, then two. */
static void meet_twice(int then)
{
	below[0] = 1;
	below[1] = then;
	CHECK(sem_init(&pool, 0, 3) == 0 && sem_init(&other, 0, 2) == 0);
	start(takes_below, takes_one);
}
static void units_below(void) { meet_twice(2); }
static void units_below_safe(void) { meet_twice(1); }

/* With sixteen locks it wants a unit of the pool in one turn, and in the other a lock that nobody else wants. */
static void *goes_deep(void *unused)
{
	for (volatile int turn = 0; turn < 2; turn++) {
		await(2 * turn);
		for (int i = 0; i < DEEP - 1; i++)
			CHECK(pthread_mutex_lock(&deep[i]) == 0);
		if (turn == 0) {
			take(&pool, 1);
			give(&pool, 1);
		} else {
			CHECK(pthread_mutex_lock(&deep[DEEP - 1]) == 0);
			step(2);
			await(4);
			CHECK(pthread_mutex_unlock(&deep[DEEP - 1]) == 0);
		}
		for (int i = DEEP - 1; i-- > 0;)
			CHECK(pthread_mutex_unlock(&deep[i]) == 0);
		if (turn == 0)
			step(0);
	}
	return unused;
}
/* Has the whole pool, and wants the first of those locks in one turn. */
static void *has_pool(void *unused)
{
	for (volatile int turn = 0; turn < 2; turn++) {
		await(2 * turn + 1);
		take(&pool, 2);
		if (turn == 0) {
			CHECK(pthread_mutex_lock(&deep[0]) == 0);
			CHECK(pthread_mutex_unlock(&deep[0]) == 0);
		}
		give(&pool, 2);
		step(2 * turn + 1);
	}
	return unused;
}
static void seventeen(void)
{
	for (int i = 0; i < DEEP; i++)
		CHECK(pthread_mutex_init(&deep[i], NULL) == 0);
	CHECK(sem_init(&pool, 0, 2) == 0);
	start(goes_deep, has_pool);
}

/* Who has one tries for a second, or gives up on it: no more than one each is ever waited for. */
static bool waits;

static __attribute__((noinline)) void take_second(void)
{
	struct timespec now;

	if (waits) {
		CHECK(sem_wait(&pool) == 0);
	} else {
		CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
		CHECK(sem_trywait(&pool) == 0);
		CHECK(sem_post(&pool) == 0);
		CHECK(sem_timedwait(&pool, &now) == 0);
	}
	CHECK(sem_post(&pool) == 0);
}
static void *takes_first(void *argument)
{
	int seat = (int)(intptr_t)argument;

	for (volatile int turn = 0; turn < 2; turn++) {
		await(2 * turn + seat);
		CHECK(sem_wait(&pool) == 0);
		if (turn == 0) {
			take_second();
			CHECK(sem_post(&pool) == 0);
		}
		step(2 * turn + seat);
		if (turn == 1) {
			await(4);
			CHECK(sem_post(&pool) == 0);
		}
	}
	return NULL;
}
static void gives_up(void)
{
	CHECK(sem_init(&pool, 0, 2) == 0);
	start(takes_first, takes_first);
}
static void does_not_give_up(void) { waits = true, gives_up(); }

/* One has a unit and a lock, the other a unit, and may want the lock. The first wants its second unit when it has given
 * back the lock, or before. */
static bool locked_for_it;

static void *wants_second(void *unused)
{
	for (volatile int turn = 0; turn < 2; turn++) {
		await(2 * turn);
		take(&pool, 1);
		CHECK(pthread_mutex_lock(&deep[0]) == 0);
		if (turn == 0) {
			if (!locked_for_it)
				CHECK(pthread_mutex_unlock(&deep[0]) == 0);
			take(&pool, 1);
			if (locked_for_it)
				CHECK(pthread_mutex_unlock(&deep[0]) == 0);
			give(&pool, 2);
		}
		step(2 * turn);
		if (turn == 1) {
			await(4);
			CHECK(pthread_mutex_unlock(&deep[0]) == 0);
			give(&pool, 1);
		}
	}
	return unused;
}
static void *wants_lock(void *unused)
{
	for (volatile int turn = 0; turn < 2; turn++) {
		await(2 * turn + 1);
		take(&pool, 1);
		if (turn == 0) {
			CHECK(pthread_mutex_lock(&deep[0]) == 0);
			CHECK(pthread_mutex_unlock(&deep[0]) == 0);
		}
		give(&pool, 1);
		step(2 * turn + 1);
	}
	return unused;
}
static void second_after_lock(void)
{
	CHECK(pthread_mutex_init(&deep[0], NULL) == 0 && sem_init(&pool, 0, 2) == 0);
	start(wants_second, wants_lock);
}
static void second_under_lock(void) { locked_for_it = true, second_after_lock(); }

/* Main takes a second lock under its first, and gives it back, before it makes the thread that takes them the other way
 * round, or after. */
static void *crosses(void *unused)
{
	await(1);
	CHECK(pthread_mutex_lock(&deep[1]) == 0);
	CHECK(pthread_mutex_lock(&deep[0]) == 0);
	CHECK(pthread_mutex_unlock(&deep[0]) == 0);
	CHECK(pthread_mutex_unlock(&deep[1]) == 0);
	return unused;
}
static bool waited_for(pthread_mutex_t *mutex)
{
	return __atomic_load_n(&mutex->__data.__lock, __ATOMIC_ACQUIRE) == 2;
}
static void set_up(bool alone)
{
	pthread_t thread = 0;

	CHECK(pthread_mutex_init(&deep[0], NULL) == 0 && pthread_mutex_init(&deep[1], NULL) == 0);
	if (!alone)
		CHECK(pthread_create(&thread, NULL, crosses, NULL) == 0);
	CHECK(pthread_mutex_lock(&deep[0]) == 0);
	CHECK(pthread_mutex_lock(&deep[1]) == 0);
	CHECK(pthread_mutex_unlock(&deep[1]) == 0);
	if (alone)
		CHECK(pthread_create(&thread, NULL, crosses, NULL) == 0);
	step(0);
	while (!waited_for(&deep[0]))
		sched_yield();
	CHECK(pthread_mutex_unlock(&deep[0]) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
}
static void set_up_alone(void) { set_up(true); }
static void set_up_beside(void) { set_up(false); }

/* The same with units of a pool of three: main keeps one of two. */
static void *takes_three(void *unused)
{
	await(1);
	take(&pool, 2);
	step(1);
	take(&pool, 1);
	give(&pool, 3);
	return unused;
}
static void set_up_units(bool alone)
{
	pthread_t thread = 0;

	CHECK(sem_init(&pool, 0, 3) == 0);
	if (!alone)
		CHECK(pthread_create(&thread, NULL, takes_three, NULL) == 0);
	CHECK(sem_wait(&pool) == 0);
	CHECK(sem_wait(&pool) == 0);
	give(&pool, 1);
	if (alone)
		CHECK(pthread_create(&thread, NULL, takes_three, NULL) == 0);
	step(0);
	await(2);
	give(&pool, 1);
	CHECK(pthread_join(thread, NULL) == 0);
}
static void units_alone(void) { set_up_units(true); }
static void units_beside(void) { set_up_units(false); }

/* What another holds meanwhile, or seems to: a lock that lay on another, and a semaphore that was none. */
static int holds;

static void *holds_second(void *unused)
{
	for (int i = 0; i < 2; i++)
		CHECK(pthread_mutex_init(&deep[i], NULL) == 0 && pthread_mutex_lock(&deep[i]) == 0);
	CHECK(pthread_mutex_unlock(&deep[0]) == 0);
	__atomic_store_n(&holds, 1, __ATOMIC_RELEASE);
	await(4);
	CHECK(pthread_mutex_unlock(&deep[1]) == 0);
	return unused;
}
static void rebased(void)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, holds_second, NULL) == 0);
	while (!__atomic_load_n(&holds, __ATOMIC_ACQUIRE))
		sched_yield();
	does_not_give_up();
	CHECK(pthread_join(thread, NULL) == 0);
}
static void *posts(void *unused)
{
	while (__atomic_load_n((uint64_t *)&pool, __ATOMIC_ACQUIRE) >> 32 == 0) /* glibc: who waits for it */
		sched_yield();
	give(&pool, 1);
	return unused;
}
static void after_signal(void)
{
	pthread_t thread;

	CHECK(sem_init(&pool, 0, 1) == 0 && sem_wait(&pool) == 0);
	CHECK(pthread_create(&thread, NULL, posts, NULL) == 0);
	CHECK(sem_wait(&pool) == 0);
	CHECK(pthread_join(thread, NULL) == 0 && sem_destroy(&pool) == 0);
	does_not_give_up();
}

/* More states than are kept: each of the units of two semaphores. */
static void *takes_more(void *unused)
{
	for (int i = 0; i < MANY; i++) {
		await(2 * i);
		take(&pool, 1);
		step(2 * i);
	}
	await(2 * MANY);
	give(&pool, MANY);
	return unused;
}
static void *takes_all(void *unused)
{
	for (int i = 0; i < MANY; i++) {
		await(2 * i + 1);
		take(&other, MANY);
		give(&other, MANY);
		step(2 * i + 1);
	}
	return unused;
}
static void many(void)
{
	CHECK(sem_init(&pool, 0, MANY) == 0 && sem_init(&other, 0, MANY) == 0);
	start(takes_more, takes_all);
}

CASES({"units-below", units_below}, {"units-below-safe", units_below_safe}, {"seventeen", seventeen}, {"many", many}, {"gives-up", gives_up},
      {"does-not-give-up", does_not_give_up}, {"set-up-alone", set_up_alone}, {"set-up-beside", set_up_beside}, {"units-alone", units_alone},
      {"units-beside", units_beside}, {"second-after-lock", second_after_lock},
      {"second-under-lock", second_under_lock}, {"rebased", rebased}, {"after-signal", after_signal})
