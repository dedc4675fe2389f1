/* The second half of an inversion does not wait for ever: it tries, or gives up after a time. */
#include <time.h>

#include "case.h"

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t first_table = PTHREAD_RWLOCK_INITIALIZER, second_table = PTHREAD_RWLOCK_INITIALIZER;

static struct timespec in_a_minute(clockid_t clock)
{
	struct timespec deadline;

	clock_gettime(clock, &deadline);
	deadline.tv_sec += 60;
	return deadline;
}

static void forwards(void)
{
	CHECK(pthread_mutex_lock(&first) == 0);
	CHECK(pthread_mutex_lock(&second) == 0);
	CHECK(pthread_mutex_unlock(&second) == 0);
	CHECK(pthread_mutex_unlock(&first) == 0);
}

static void forwards_tables(void)
{
	CHECK(pthread_rwlock_wrlock(&first_table) == 0);
	CHECK(pthread_rwlock_wrlock(&second_table) == 0);
	CHECK(pthread_rwlock_unlock(&second_table) == 0);
	CHECK(pthread_rwlock_unlock(&first_table) == 0);
}

#define BACKWARDS(name, call)                                                                                \
	static void backwards_##name(void)                                                                   \
	{                                                                                                    \
		struct timespec real = in_a_minute(CLOCK_REALTIME);                                          \
		struct timespec monotonic = in_a_minute(CLOCK_MONOTONIC);                                    \
		(void)real, (void)monotonic;                                                                 \
		CHECK(pthread_mutex_lock(&second) == 0);                                                     \
		CHECK(call == 0);                                                                            \
		CHECK(pthread_mutex_unlock(&first) == 0);                                                    \
		CHECK(pthread_mutex_unlock(&second) == 0);                                                   \
	}                                                                                                    \
	static void wait_##name(void)                                                                        \
	{                                                                                                    \
		in_turn(forwards, backwards_##name);                                                         \
	}
#define BACKWARDS_TABLES(name, call)                                                                         \
	static void backwards_tables_##name(void)                                                            \
	{                                                                                                    \
		struct timespec real = in_a_minute(CLOCK_REALTIME);                                          \
		struct timespec monotonic = in_a_minute(CLOCK_MONOTONIC);                                    \
		(void)real, (void)monotonic;                                                                 \
		CHECK(pthread_rwlock_wrlock(&second_table) == 0);                                            \
		CHECK(call == 0);                                                                            \
		CHECK(pthread_rwlock_unlock(&first_table) == 0);                                             \
		CHECK(pthread_rwlock_unlock(&second_table) == 0);                                            \
	}                                                                                                    \
	static void wait_tables_##name(void)                                                                 \
	{                                                                                                    \
		in_turn(forwards_tables, backwards_tables_##name);                                           \
	}

BACKWARDS(lock, pthread_mutex_lock(&first))
BACKWARDS(try, pthread_mutex_trylock(&first))
BACKWARDS(timed, pthread_mutex_timedlock(&first, &real))
BACKWARDS(clock, pthread_mutex_clocklock(&first, CLOCK_MONOTONIC, &monotonic))
BACKWARDS_TABLES(write, pthread_rwlock_wrlock(&first_table))
BACKWARDS_TABLES(read, pthread_rwlock_rdlock(&first_table))
BACKWARDS_TABLES(try_write, pthread_rwlock_trywrlock(&first_table))
BACKWARDS_TABLES(try_read, pthread_rwlock_tryrdlock(&first_table))
BACKWARDS_TABLES(timed_write, pthread_rwlock_timedwrlock(&first_table, &real))
BACKWARDS_TABLES(timed_read, pthread_rwlock_timedrdlock(&first_table, &real))
BACKWARDS_TABLES(clock_write, pthread_rwlock_clockwrlock(&first_table, CLOCK_MONOTONIC, &monotonic))
BACKWARDS_TABLES(clock_read, pthread_rwlock_clockrdlock(&first_table, CLOCK_MONOTONIC, &monotonic))

CASES({"lock", wait_lock}, {"try", wait_try}, {"timed", wait_timed}, {"clock", wait_clock},
      {"write", wait_tables_write}, {"read", wait_tables_read}, {"try-write", wait_tables_try_write},
      {"try-read", wait_tables_try_read}, {"timed-write", wait_tables_timed_write},
      {"timed-read", wait_tables_timed_read}, {"clock-write", wait_tables_clock_write},
      {"clock-read", wait_tables_clock_read})
