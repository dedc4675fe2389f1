/* avoid_cond.c: a wait on a condition takes its mutex again while another thread has what is wanted next.
 *
 * The waiter waits with `mutex`, and then takes `next`; the holder has `next` meanwhile, gives the waiter a while to
 * have `mutex` again, and then takes that: without help both hang. Prints who had `mutex` first after the signal, and
 * what the wait returned.
 *
 * -alone: the waiter takes nothing more. -died: the holder ends with `mutex`, which is robust. */
#include <errno.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "case.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, next = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int ready, waiter_has, holder_has, alone, dies, bystander_dies, holder_wants = 1, result;
static const char *volatile first;

static int is(int *flag)
{
	return __atomic_load_n(flag, __ATOMIC_SEQ_CST);
}
static void set(int *flag)
{
	__atomic_store_n(flag, 1, __ATOMIC_SEQ_CST);
}
static void came(const char *who)
{
	const char *nobody = NULL;

	__atomic_compare_exchange_n(&first, &nobody, who, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static struct timespec soon(clockid_t clock)
{
	struct timespec at;

	clock_gettime(clock, &at);
	at.tv_sec += 2; /* the holder has come by then */
	return at;
}

/* A wait that nobody ends. */
static int ends_itself;
static time_t ends;

static void wait_plain(void)
{
	while (!is(&ready) && (result = pthread_cond_wait(&cond, &mutex)) == 0)
		;
}
static void wait_timed(void)
{
	struct timespec at = soon(CLOCK_REALTIME);

	while ((result = pthread_cond_timedwait(&cond, &mutex, &at)) == 0)
		;
}
static void wait_clock(void)
{
	struct timespec at = soon(CLOCK_MONOTONIC);

	while ((result = pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &at)) == 0)
		;
}
static void wait_c11(void)
{
	while (!is(&ready) && (result = cnd_wait((cnd_t *)&cond, (mtx_t *)&mutex)) == thrd_success)
		;
}
static void (*wait_for)(void) = wait_plain;

/* With `mutex`, as a wait leaves it. */
static void go_on(void *unused)
{
	(void)unused;
	set(&waiter_has);
	came("waiter");
	if (result == EOWNERDEAD)
		CHECK(pthread_mutex_consistent(&mutex) == 0);
	if (!alone) {
		CHECK(pthread_mutex_lock(&next) == 0);
		CHECK(pthread_mutex_unlock(&next) == 0);
	}
	CHECK(pthread_mutex_unlock(&mutex) == 0);
}

static void *waiter(void *unused)
{
	CHECK(pthread_mutex_lock(&mutex) == 0);
	step(0);
	pthread_cleanup_push(go_on, NULL);
	wait_for();
	pthread_cleanup_pop(1);
	return unused;
}

static void *holder(void *unused)
{
	CHECK(pthread_mutex_lock(&next) == 0);
	step(1);
	while (ends_itself && time(NULL) < ends)
		usleep(1000);
	for (int i = 0; i < 300 && !is(&waiter_has); i++)
		usleep(1000);
	if (holder_wants) {
		CHECK(pthread_mutex_lock(&mutex) == 0);
		set(&holder_has);
		came("holder");
	}
	CHECK(pthread_mutex_unlock(&next) == 0);
	if (holder_wants && !dies)
		CHECK(pthread_mutex_unlock(&mutex) == 0);
	return unused;
}

/* Woken by whom the mutex dies with: the wait itself is told. */
static void *bystander(void *unused)
{
	CHECK(pthread_mutex_lock(&mutex) == 0);
	set(&ready);
	CHECK(pthread_cond_signal(&cond) == 0);
	return unused;
}

static void wake(pthread_t thread)
{
	if (ends_itself)
		return;
	if (bystander_dies) {
		pthread_t other;
		CHECK(pthread_create(&other, NULL, bystander, NULL) == 0);
		CHECK(pthread_join(other, NULL) == 0);
		return;
	}
	CHECK(pthread_mutex_lock(&mutex) == 0); /* it waits */
	set(&ready);
	if (thread)
		CHECK(pthread_cancel(thread) == 0);
	else
		CHECK(pthread_cond_signal(&cond) == 0);
	CHECK(pthread_mutex_unlock(&mutex) == 0);
}

static void run(int cancelled)
{
	pthread_t threads[2];

	CHECK(pthread_create(&threads[0], NULL, waiter, NULL) == 0);
	while (__atomic_load_n(&steps_made, __ATOMIC_ACQUIRE) != 1)
		sched_yield();
	ends = time(NULL) + 3;
	CHECK(pthread_create(&threads[1], NULL, holder, NULL) == 0);
	while (__atomic_load_n(&steps_made, __ATOMIC_ACQUIRE) != 2)
		sched_yield();
	if (cancelled)
		result = ECANCELED;
	wake(cancelled ? threads[0] : 0);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	printf("%s %s\n", first, strerror(result));
}

static void make(int type, int robust, int protocol)
{
	pthread_mutexattr_t attributes;

	CHECK(pthread_mutexattr_init(&attributes) == 0);
	CHECK(pthread_mutexattr_settype(&attributes, type) == 0);
	CHECK(pthread_mutexattr_setrobust(&attributes, robust) == 0);
	CHECK(pthread_mutexattr_setprotocol(&attributes, protocol) == 0);
	CHECK(pthread_mutex_init(&mutex, &attributes) == 0);
}

static void plain(void) { run(0); }
static void plain_alone(void) { alone = 1, run(0); }
static void timed(void) { ends_itself = 1, wait_for = wait_timed, run(0); }
static void timed_alone(void) { alone = 1, timed(); }
static void clock_(void) { ends_itself = 1, wait_for = wait_clock, run(0); }
static void c11(void)
{
	CHECK(mtx_init((mtx_t *)&mutex, mtx_plain) == thrd_success && cnd_init((cnd_t *)&cond) == thrd_success);
	wait_for = wait_c11;
	run(0);
}
static void recursive(void) { make(PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE), run(0); }
static void inherits(void) { make(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_INHERIT), run(0); }
static void checked(void) { make(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE), run(0); }
static void cancelled(void) { run(1); }
static void cancelled_alone(void) { alone = 1, run(1); }
static void robust(void) { make(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE), run(0); }
static void robust_died(void) { dies = 1, robust(); }
static void robust_told(void) { bystander_dies = 1, holder_wants = 0, robust(); }

CASES({"plain", plain}, {"plain-alone", plain_alone}, {"timed", timed}, {"timed-alone", timed_alone}, {"clock", clock_},
      {"c11", c11}, {"recursive", recursive}, {"inherits", inherits}, {"checked", checked}, {"cancelled", cancelled},
      {"cancelled-alone", cancelled_alone}, {"robust", robust}, {"robust-died", robust_died}, {"robust-told", robust_told})
