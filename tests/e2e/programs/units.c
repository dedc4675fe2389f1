/* Circles of waits through semaphores that are used as locks. The main thread is outside, in a sleep: no
 * stall. It ends the process when the others have had the time to be looked at. */
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "case.h"

enum { WATCHED_S = 3 };

static sem_t first, second;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t meeting;
static pthread_t helper;

static void use(sem_t *sem)
{
	CHECK(sem_wait(sem) == 0);
	CHECK(sem_post(sem) == 0);
}

static void make(unsigned units, bool used)
{
	CHECK(sem_init(&first, 0, units) == 0);
	CHECK(sem_init(&second, 0, units) == 0);
	pthread_barrier_init(&meeting, NULL, 2);
	if (used) {
		use(&first);
		use(&second);
	}
}

static void watch(void *(*a)(void *), void *(*b)(void *))
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, a, NULL) == 0);
	if (b)
		CHECK(pthread_create(&thread, NULL, b, NULL) == 0);
	sleep(WATCHED_S);
	_exit(0);
}

static void *take_first_second(void *unused)
{
	sem_wait(&first);
	pthread_barrier_wait(&meeting);
	sem_wait(&second);
	sem_post(&second);
	sem_post(&first);
	return unused;
}

static void *take_second_first(void *unused)
{
	sem_wait(&second);
	pthread_barrier_wait(&meeting);
	sem_wait(&first);
	sem_post(&first);
	sem_post(&second);
	return unused;
}

static void two(void)
{
	make(1, true);
	watch(take_first_second, take_second_first);
}

/* Nothing shows yet that these are locks. */
static void never_given_back(void)
{
	make(1, false);
	watch(take_first_second, take_second_first);
}

static void *take_mutex_first(void *unused)
{
	pthread_mutex_lock(&mutex);
	pthread_barrier_wait(&meeting);
	sem_wait(&first);
	sem_post(&first);
	pthread_mutex_unlock(&mutex);
	return unused;
}

static void *take_first_mutex(void *unused)
{
	sem_wait(&first);
	pthread_barrier_wait(&meeting);
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	sem_post(&first);
	return unused;
}

static void with_mutex(void)
{
	make(1, true);
	watch(take_mutex_first, take_first_mutex);
}

/* Two units, both out, and each of the two wants another. */
static void *take_two_units(void *unused)
{
	sem_wait(&first);
	pthread_barrier_wait(&meeting);
	sem_wait(&first);
	return unused;
}

static void pool(void)
{
	make(2, true);
	watch(take_two_units, take_two_units);
}

/* The third is held by one that only sleeps. */
static void *take_one_unit(void *unused)
{
	sem_wait(&first);
	sleep(2 * WATCHED_S);
	sem_post(&first);
	return unused;
}

static void pool_with_one_out(void)
{
	make(3, true);
	CHECK(pthread_create(&helper, NULL, take_one_unit, NULL) == 0);
	usleep(100000);
	watch(take_two_units, take_two_units);
}

/* The circle is closed by a join, behind the wait for the unit. */
static void *take_first(void *unused)
{
	use(&first);
	return unused;
}

static void *join_under_first(void *unused)
{
	sem_wait(&first);
	CHECK(pthread_create(&helper, NULL, take_first, NULL) == 0);
	usleep(100000);
	pthread_join(helper, NULL);
	sem_post(&first);
	return unused;
}

static void with_join(void)
{
	make(1, true);
	watch(join_under_first, NULL);
}

/* Who was given the units passes them on: another thread gives them back, later. */
static void *take_again(void *unused)
{
	use(&first);
	sem_wait(&first);
	sem_wait(&first);
	return unused;
}

static void passed_on(void)
{
	make(1, false);
	watch(take_again, NULL);
}

/* Another than the holder has posted before: there are more who may. */
static void posted_by_another(void)
{
	make(1, true);
	sem_post(&first);
	sem_wait(&first);
	watch(take_first_second, take_second_first);
}

static void post(int signal)
{
	(void)signal;
	sem_post(&first);
}

static void with_handler(void)
{
	CHECK(signal(SIGUSR1, post) != SIG_ERR);
	two();
}

static void *take_second_first_for_a_time(void *unused)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 2 * WATCHED_S;
	sem_wait(&second);
	pthread_barrier_wait(&meeting);
	sem_timedwait(&first, &until);
	return unused;
}

static void timed(void)
{
	make(1, true);
	watch(take_first_second, take_second_first_for_a_time);
}

/* One waits for the circle, and is not of it. */
static void *take_first_later(void *unused)
{
	usleep(200000);
	return take_first(unused);
}

static void bystander(void)
{
	make(1, true);
	CHECK(pthread_create(&helper, NULL, take_first_later, NULL) == 0);
	watch(take_first_second, take_second_first);
}

CASES({"two", two}, {"never-given-back", never_given_back}, {"with-mutex", with_mutex}, {"pool", pool},
      {"pool-with-one-out", pool_with_one_out}, {"with-join", with_join}, {"passed-on", passed_on},
      {"posted-by-another", posted_by_another}, {"with-handler", with_handler}, {"timed", timed},
      {"bystander", bystander})
