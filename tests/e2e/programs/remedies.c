/* remedies.c: lock calls that give up by --lock-timeout: one case for each kind of lock, and what has no
 * limit. */
#include <errno.h>
#include <semaphore.h>
#include <threads.h>
#include <unistd.h>

#include "case.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static mtx_t c11;
static sem_t unit;
static int refused;

/* Both hold one before either asks for the other's. Who is refused lets go and tries again. */
static void take_both(pthread_mutex_t *first, pthread_mutex_t *second, int turn)
{
	for (int attempt = 0;; attempt++) {
		CHECK(pthread_mutex_lock(first) == 0);
		if (attempt == 0) {
			step(turn);
			while (__atomic_load_n(&steps_made, __ATOMIC_ACQUIRE) < 2)
				sched_yield();
		}
		int result = pthread_mutex_lock(second);
		if (result == 0)
			break;
		CHECK(result == EDEADLK);
		__atomic_fetch_add(&refused, 1, __ATOMIC_RELAXED);
		CHECK(pthread_mutex_unlock(first) == 0);
		usleep(turn ? 1000 : 50000);
	}
	CHECK(pthread_mutex_unlock(second) == 0);
	CHECK(pthread_mutex_unlock(first) == 0);
}

static void *one_way(void *unused)
{
	take_both(&a, &b, 0);
	return unused;
}

static void *other_way(void *unused)
{
	take_both(&b, &a, 1);
	return unused;
}

static void back_off(void)
{
	pthread_t other;
	CHECK(pthread_create(&other, NULL, other_way, NULL) == 0);
	one_way(NULL);
	pthread_join(other, NULL);
	CHECK(refused > 0);
}

/* The other thread has it until this one says so. */
static void *hold_all(void *unused)
{
	CHECK(pthread_mutex_lock(&a) == 0 && pthread_rwlock_wrlock(&table) == 0);
	CHECK(mtx_lock(&c11) == thrd_success && sem_wait(&unit) == 0);
	step(0);
	step(3);
	CHECK(sem_post(&unit) == 0 && mtx_unlock(&c11) == thrd_success);
	CHECK(pthread_rwlock_unlock(&table) == 0 && pthread_mutex_unlock(&a) == 0);
	return unused;
}

static void each_kind(void)
{
	pthread_t holder;
	struct timespec past = {0, 0};

	CHECK(mtx_init(&c11, mtx_plain) == thrd_success && sem_init(&unit, 0, 1) == 0);
	CHECK(pthread_create(&holder, NULL, hold_all, NULL) == 0);
	step(1);
	CHECK(pthread_mutex_lock(&a) == ETIMEDOUT);
	CHECK(pthread_rwlock_rdlock(&table) == ETIMEDOUT);
	CHECK(pthread_rwlock_wrlock(&table) == ETIMEDOUT);
	CHECK(mtx_lock(&c11) == thrd_error);
	errno = 0;
	CHECK(sem_wait(&unit) == -1 && errno == ETIMEDOUT);
	CHECK(pthread_mutex_timedlock(&a, &past) == ETIMEDOUT);
	step(2);
	pthread_join(holder, NULL);
	CHECK(pthread_mutex_lock(&a) == 0 && pthread_mutex_unlock(&a) == 0);
	CHECK(pthread_rwlock_rdlock(&table) == 0 && pthread_rwlock_unlock(&table) == 0);
	CHECK(mtx_lock(&c11) == thrd_success && mtx_unlock(&c11) == thrd_success);
	CHECK(sem_wait(&unit) == 0 && sem_post(&unit) == 0);
}

static void *wake_late(void *unused)
{
	usleep(400000);
	pthread_mutex_lock(&a);
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&a);
	sem_post(&unit);
	return unused;
}

/* Conditions, joins and semaphores that signal are how threads idle. */
static void waits_for_events(void)
{
	pthread_t waker;

	CHECK(sem_init(&unit, 0, 0) == 0);
	CHECK(pthread_mutex_lock(&a) == 0);
	CHECK(pthread_create(&waker, NULL, wake_late, NULL) == 0);
	CHECK(pthread_cond_wait(&cond, &a) == 0);
	CHECK(pthread_mutex_unlock(&a) == 0);
	CHECK(sem_wait(&unit) == 0);
	CHECK(pthread_join(waker, NULL) == 0);
}

/* A circle of one, of each kind. */
static void hold_already(void)
{
	CHECK(pthread_mutex_lock(&a) == 0 && pthread_mutex_lock(&a) == EDEADLK && pthread_mutex_unlock(&a) == 0);
	CHECK(mtx_init(&c11, mtx_plain) == thrd_success && mtx_lock(&c11) == thrd_success);
	CHECK(mtx_lock(&c11) == thrd_error && mtx_unlock(&c11) == thrd_success);
	CHECK(pthread_rwlock_rdlock(&table) == 0 && pthread_rwlock_wrlock(&table) == EDEADLK);
	CHECK(pthread_rwlock_unlock(&table) == 0);
}

CASES({"back-off", back_off}, {"hold-already", hold_already}, {"each-kind", each_kind}, {"events", waits_for_events})
