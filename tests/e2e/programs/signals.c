/* Signal handlers that lock, at 1 kHz, in the middle of everything that the threads do. The handlers
 * only try, so this ends. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>

#include "case.h"

enum { SIGNALS_WANTED = 300, THREADS = 3 };

static pthread_mutex_t outer = PTHREAD_MUTEX_INITIALIZER, inner = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t in_handler = PTHREAD_MUTEX_INITIALIZER;
static atomic_int signals_seen;
static atomic_int errno_changed;

static void on_signal(int number)
{
	(void)number;
	errno = 4321;
	if (pthread_mutex_trylock(&in_handler) == 0)
		pthread_mutex_unlock(&in_handler);
	if (pthread_mutex_trylock(&outer) == 0) {
		if (pthread_mutex_trylock(&inner) == 0)
			pthread_mutex_unlock(&inner);
		pthread_mutex_unlock(&outer);
	}
	if (errno != 4321)
		atomic_fetch_add(&errno_changed, 1);
	atomic_fetch_add(&signals_seen, 1);
}

static void nest(void)
{
	CHECK(pthread_mutex_lock(&outer) == 0);
	CHECK(pthread_mutex_lock(&inner) == 0);
	CHECK(pthread_mutex_unlock(&inner) == 0);
	CHECK(pthread_mutex_unlock(&outer) == 0);
}

static void *nest_until_enough(void *unused)
{
	while (atomic_load(&signals_seen) < SIGNALS_WANTED)
		nest();
	return unused;
}

static void start_timer(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	struct itimerval every_millisecond = {{0, 1000}, {0, 1000}};

	CHECK(sigaction(SIGALRM, &action, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &every_millisecond, NULL) == 0);
}

static void stop_timer(void)
{
	struct itimerval never = {{0, 0}, {0, 0}};

	CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
}

static void timer(void)
{
	pthread_t threads[THREADS];

	start_timer();
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, nest_until_enough, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	stop_timer();
	CHECK(atomic_load(&errno_changed) == 0);
}

/* New facts all the time, so that signals arrive while they are recorded too. */
static void *make_new_locks(void *unused)
{
	while (atomic_load(&signals_seen) < SIGNALS_WANTED) {
		pthread_mutex_t *fresh = malloc(sizeof(*fresh));
		CHECK(fresh && pthread_mutex_init(fresh, NULL) == 0);
		CHECK(pthread_mutex_lock(&outer) == 0);
		CHECK(pthread_mutex_lock(fresh) == 0);
		CHECK(pthread_mutex_unlock(fresh) == 0);
		CHECK(pthread_mutex_unlock(&outer) == 0);
		CHECK(pthread_mutex_destroy(fresh) == 0);
		free(fresh);
	}
	return unused;
}

static void timer_on_new_locks(void)
{
	pthread_t threads[THREADS];

	start_timer();
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, make_new_locks, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	stop_timer();
	CHECK(atomic_load(&errno_changed) == 0);
}

/* An inversion between two threads is found in the middle of it. */
static void invert(void)
{
	CHECK(pthread_mutex_lock(&inner) == 0);
	CHECK(pthread_mutex_lock(&outer) == 0);
	CHECK(pthread_mutex_unlock(&outer) == 0);
	CHECK(pthread_mutex_unlock(&inner) == 0);
}

static void count_in_handler(int number)
{
	(void)number;
	nest();
}

/* A handler's locks are held on top of what its thread holds. */
static void raise_while_holding(void)
{
	CHECK(pthread_mutex_lock(&in_handler) == 0);
	raise(SIGUSR1);
	CHECK(pthread_mutex_unlock(&in_handler) == 0);
}

static void inner_then_in_handler(void)
{
	CHECK(pthread_mutex_lock(&inner) == 0);
	CHECK(pthread_mutex_lock(&in_handler) == 0);
	CHECK(pthread_mutex_unlock(&in_handler) == 0);
	CHECK(pthread_mutex_unlock(&inner) == 0);
}

static void handle(void)
{
	struct sigaction action = {.sa_handler = count_in_handler};

	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
}

static void handler_nests(void)
{
	handle();
	in_turn(raise_while_holding, inner_then_in_handler);
}

static void handler_nests_ordered(void)
{
	handle();
	in_turn(raise_while_holding, nest);
}

static void timer_and_inversion(void)
{
	start_timer();
	in_turn(nest, invert);
	while (atomic_load(&signals_seen) < 50)
		sched_yield();
	stop_timer();
}

CASES({"timer", timer}, {"timer-on-new-locks", timer_on_new_locks},
      {"timer-and-inversion", timer_and_inversion}, {"handler-nests", handler_nests},
      {"handler-nests-ordered", handler_nests_ordered})
