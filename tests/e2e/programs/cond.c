/* Condition variables: the mutex is free while waiting and held again after it, however the wait ends. */
#include <semaphore.h>
#include <stdbool.h>
#include <errno.h>
#include <time.h>

#include "case.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t outer = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int ready;

static void other_then_mutex(void)
{
	CHECK(pthread_mutex_lock(&other) == 0);
	CHECK(pthread_mutex_lock(&mutex) == 0);
	CHECK(pthread_mutex_unlock(&mutex) == 0);
	CHECK(pthread_mutex_unlock(&other) == 0);
}

static void lock_and_unlock_other(void)
{
	CHECK(pthread_mutex_lock(&other) == 0);
	CHECK(pthread_mutex_unlock(&other) == 0);
}

static void make_ready(void)
{
	CHECK(pthread_mutex_lock(&mutex) == 0);
	ready = 1;
	CHECK(pthread_cond_signal(&cond) == 0);
	CHECK(pthread_mutex_unlock(&mutex) == 0);
}

static void wait_until_ready(void)
{
	step(0); /* mutex is held: the signaller can't come before the wait */
	while (!ready)
		CHECK(pthread_cond_wait(&cond, &mutex) == 0);
}

/* Run `waiter` and wake it when it waits; then run `after`, unordered with it. */
static void (*after_routine)(void);

static void *run_after(void *unused)
{
	step(1);
	make_ready();
	step(3);
	after_routine();
	return unused;
}

static void wake_and_then(void *(*waiter)(void *), void (*after)(void))
{
	pthread_t waiting, following;

	after_routine = after;
	CHECK(pthread_create(&waiting, NULL, waiter, NULL) == 0);
	CHECK(pthread_create(&following, NULL, run_after, NULL) == 0);
	CHECK(pthread_join(waiting, NULL) == 0);
	CHECK(pthread_join(following, NULL) == 0);
}

static void *wait_then_nest(void *unused)
{
	CHECK(pthread_mutex_lock(&mutex) == 0);
	wait_until_ready();
	lock_and_unlock_other();
	CHECK(pthread_mutex_unlock(&mutex) == 0);
	step(2);
	return unused;
}

static void *wait_then_separate(void *unused)
{
	CHECK(pthread_mutex_lock(&mutex) == 0);
	wait_until_ready();
	CHECK(pthread_mutex_unlock(&mutex) == 0);
	lock_and_unlock_other();
	step(2);
	return unused;
}

static void held_after_wait(void)
{
	wake_and_then(wait_then_nest, other_then_mutex);
}
static void free_after_unlock(void)
{
	wake_and_then(wait_then_separate, other_then_mutex);
}

/* The wait takes the mutex again while `other` is held: that is an acquisition too. */
static void mutex_then_other(void)
{
	CHECK(pthread_mutex_lock(&mutex) == 0);
	lock_and_unlock_other();
	CHECK(pthread_mutex_unlock(&mutex) == 0);
}

static void *wait_under_other(void *unused)
{
	CHECK(pthread_mutex_lock(&mutex) == 0);
	CHECK(pthread_mutex_lock(&other) == 0);
	wait_until_ready();
	CHECK(pthread_mutex_unlock(&other) == 0);
	CHECK(pthread_mutex_unlock(&mutex) == 0);
	step(2);
	return unused;
}

static void retaken_under_other(void)
{
	wake_and_then(wait_under_other, mutex_then_other);
}

/* The waker needs `outer` in some other run than this; the waiter waits holding it. */
static void signal_under_outer(void)
{
	CHECK(pthread_mutex_lock(&outer) == 0);
	make_ready();
	CHECK(pthread_mutex_unlock(&outer) == 0);
}

static void *wait_for_ever_under_outer(void *unused)
{
	step(1);
	CHECK(pthread_mutex_lock(&outer) == 0);
	CHECK(pthread_mutex_lock(&mutex) == 0);
	ready = 0;
	step(2);
	while (!ready)
		pthread_cond_wait(&cond, &mutex);
	return unused;
}

static void *signal_first(void *unused)
{
	signal_under_outer();
	step(0);
	return unused;
}

static void *signal_first_without_outer(void *unused)
{
	make_ready();
	step(0);
	return unused;
}

/* The program ends with the waiter still waiting. */
static void leave_waiting(void *(*signaller)(void *))
{
	pthread_t waiting, signalling;

	CHECK(pthread_create(&waiting, NULL, wait_for_ever_under_outer, NULL) == 0);
	CHECK(pthread_create(&signalling, NULL, signaller, NULL) == 0);
	CHECK(pthread_join(signalling, NULL) == 0);
	step(3);
	CHECK(pthread_mutex_lock(&mutex) == 0); /* the wait has let go of it */
	CHECK(pthread_mutex_unlock(&mutex) == 0);
}

static void wait_while_holding(void)
{
	leave_waiting(signal_first);
}
static void wait_while_holding_unneeded(void)
{
	leave_waiting(signal_first_without_outer);
}

/* A unit that is posted under a lock, and waited for under it: libuv's test semaphore_1, where a flag that
 * the lock guards says that the unit is there. Or posted once more when the lock is given back. */
static sem_t unit;
static bool is_posted;

static void post_under_outer(void)
{
	pthread_mutex_lock(&outer);
	sem_post(&unit);
	is_posted = true;
	pthread_mutex_unlock(&outer);
}

static void post_after_outer_too(void)
{
	post_under_outer();
	sem_post(&unit);
}

static void wait_for_unit_under_outer(void)
{
	pthread_mutex_lock(&outer);
	CHECK(is_posted);
	sem_wait(&unit);
	pthread_mutex_unlock(&outer);
}

static void posted_under(void)
{
	CHECK(sem_init(&unit, 0, 0) == 0);
	in_turn(post_under_outer, wait_for_unit_under_outer);
}

static void posted_after_too(void)
{
	CHECK(sem_init(&unit, 0, 0) == 0);
	in_turn(post_after_outer_too, wait_for_unit_under_outer);
}

/* Waits that end by time. */
static struct timespec now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time;
}

static void time_out(void)
{
	struct timespec deadline = now(CLOCK_REALTIME);

	CHECK(pthread_cond_timedwait(&cond, &mutex, &deadline) == ETIMEDOUT);
}

static void clock_out(void)
{
	struct timespec deadline = now(CLOCK_MONOTONIC);

	CHECK(pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &deadline) == ETIMEDOUT);
}

#define ENDED(name, wait)                                                                                    \
	static void name##_nested(void)                                                                      \
	{                                                                                                    \
		CHECK(pthread_mutex_lock(&mutex) == 0);                                                      \
		wait();                                                                                      \
		lock_and_unlock_other();                                                                     \
		CHECK(pthread_mutex_unlock(&mutex) == 0);                                                    \
	}                                                                                                    \
	static void name##_separate(void)                                                                    \
	{                                                                                                    \
		CHECK(pthread_mutex_lock(&mutex) == 0);                                                      \
		wait();                                                                                      \
		CHECK(pthread_mutex_unlock(&mutex) == 0);                                                    \
		lock_and_unlock_other();                                                                     \
	}                                                                                                    \
	static void name##_held(void)                                                                        \
	{                                                                                                    \
		in_turn(name##_nested, other_then_mutex);                                                    \
	}                                                                                                    \
	static void name##_free(void)                                                                        \
	{                                                                                                    \
		in_turn(name##_separate, other_then_mutex);                                                  \
	}

ENDED(timed, time_out)
ENDED(clocked, clock_out)

/* Waits that end by cancellation: the clean-up handlers run with the mutex held. */
static void unlock_then_other(void *unused)
{
	(void)unused;
	CHECK(pthread_mutex_unlock(&mutex) == 0);
	lock_and_unlock_other();
}

static void other_inside_then_unlock(void *unused)
{
	(void)unused;
	lock_and_unlock_other();
	CHECK(pthread_mutex_unlock(&mutex) == 0);
}

static void unlock_outer(void *unused)
{
	(void)unused;
	CHECK(pthread_mutex_unlock(&outer) == 0);
}

static void *wait_to_be_cancelled(void *unused)
{
	CHECK(pthread_mutex_lock(&mutex) == 0);
	pthread_cleanup_push(unlock_then_other, NULL);
	step(0);
	for (;;)
		pthread_cond_wait(&cond, &mutex);
	pthread_cleanup_pop(0);
	return unused;
}

static void *wait_to_be_cancelled_nested(void *unused)
{
	CHECK(pthread_mutex_lock(&mutex) == 0);
	pthread_cleanup_push(other_inside_then_unlock, NULL);
	step(0);
	for (;;)
		pthread_cond_wait(&cond, &mutex);
	pthread_cleanup_pop(0);
	return unused;
}

/* In timedwait, with a lock around that the outer handler gives back last. */
static void *wait_to_be_cancelled_under_outer(void *unused)
{
	struct timespec deadline = now(CLOCK_REALTIME);

	deadline.tv_sec += 60;
	CHECK(pthread_mutex_lock(&outer) == 0);
	pthread_cleanup_push(unlock_outer, NULL);
	CHECK(pthread_mutex_lock(&mutex) == 0);
	pthread_cleanup_push(unlock_then_other, NULL);
	step(0);
	for (;;)
		pthread_cond_timedwait(&cond, &mutex, &deadline);
	pthread_cleanup_pop(0);
	pthread_cleanup_pop(0);
	return unused;
}

static void *follow_cancelled(void *unused)
{
	step(3);
	after_routine();
	return unused;
}

static void cancel_and_then(void *(*waiter)(void *), void (*after)(void))
{
	pthread_t waiting, following;
	void *value;

	after_routine = after;
	CHECK(pthread_create(&waiting, NULL, waiter, NULL) == 0);
	CHECK(pthread_create(&following, NULL, follow_cancelled, NULL) == 0);
	step(1);
	CHECK(pthread_mutex_lock(&mutex) == 0);
	CHECK(pthread_cancel(waiting) == 0);
	CHECK(pthread_mutex_unlock(&mutex) == 0);
	CHECK(pthread_join(waiting, &value) == 0);
	CHECK(value == PTHREAD_CANCELED);
	step(2);
	CHECK(pthread_join(following, NULL) == 0);
}

static void other_then_outer(void)
{
	CHECK(pthread_mutex_lock(&other) == 0);
	CHECK(pthread_mutex_lock(&outer) == 0);
	CHECK(pthread_mutex_unlock(&outer) == 0);
	CHECK(pthread_mutex_unlock(&other) == 0);
}

static void cancelled(void)
{
	cancel_and_then(wait_to_be_cancelled, other_then_mutex);
}
static void cancelled_nested(void)
{
	cancel_and_then(wait_to_be_cancelled_nested, other_then_mutex);
}
static void cancelled_under(void)
{
	cancel_and_then(wait_to_be_cancelled_under_outer, other_then_outer);
}
static void cancelled_under_unlocked(void)
{
	cancel_and_then(wait_to_be_cancelled_under_outer, other_then_mutex);
}

CASES({"held-after-wait", held_after_wait}, {"free-after-unlock", free_after_unlock},
      {"retaken-under-other", retaken_under_other}, {"wait-while-holding", wait_while_holding},
      {"wait-while-holding-unneeded", wait_while_holding_unneeded}, {"timed-held", timed_held},
      {"posted-under", posted_under}, {"posted-after-too", posted_after_too}, {"timed-free", timed_free},
      {"clock-held", clocked_held}, {"clock-free", clocked_free}, {"cancelled", cancelled},
      {"cancelled-nested", cancelled_nested}, {"cancelled-under", cancelled_under},
      {"cancelled-under-unlocked", cancelled_under_unlocked})
