/* What pthreads forbids, each with a twin that is allowed. */
#include <errno.h>
#include <semaphore.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "case.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t sem;
static pthread_barrier_t barrier;
static bool ready;

static pthread_t start(void *(*routine)(void *))
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, routine, NULL) == 0);
	return thread;
}

static void run(void *(*routine)(void *))
{
	CHECK(pthread_join(start(routine), NULL) == 0);
}

static void *locks_mutex(void *unused)
{
	pthread_mutex_lock(&mutex);
	return unused;
}

static void *unlocks_mutex(void *unused)
{
	pthread_mutex_unlock(&mutex);
	return unused;
}

static void *unlocks_table(void *unused)
{
	pthread_rwlock_unlock(&table);
	return unused;
}

static void *uses_mutex(void *unused)
{
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	return unused;
}

/* Releases. */
static __attribute__((noinline)) void unlock_twice(void)
{
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	pthread_mutex_unlock(&mutex);
}
static void unlock_once(void) { uses_mutex(NULL); }
static void unlock_rwlock_free(void) { pthread_rwlock_unlock(&table); }
static void unlock_spin_free(void)
{
	pthread_spin_init(&spin, 0);
	pthread_spin_unlock(&spin);
}
static void unlock_others(void)
{
	pthread_mutex_lock(&mutex);
	run(unlocks_mutex);
}
static void unlock_others_rwlock(void)
{
	pthread_rwlock_wrlock(&table);
	run(unlocks_table);
}
static void unlock_after_wait(void)
{
	struct timespec past = {1, 0};

	pthread_mutex_lock(&mutex);
	CHECK(pthread_cond_timedwait(&cond, &mutex, &past) == ETIMEDOUT);
	pthread_mutex_unlock(&mutex);
}
static void post_by_another(void)
{
	sem_init(&sem, 0, 1);
	sem_wait(&sem);
	sem_post(&sem);
	sem_post(&sem);
}

/* Ends of objects. */
static void destroy_held(void)
{
	pthread_mutex_lock(&mutex);
	pthread_mutex_destroy(&mutex);
	pthread_mutex_unlock(&mutex);
}
static void destroy_free(void)
{
	uses_mutex(NULL);
	CHECK(pthread_mutex_destroy(&mutex) == 0);
}
static void destroy_read_rwlock(void)
{
	pthread_rwlock_rdlock(&table);
	pthread_rwlock_destroy(&table);
}

static void *waits(void *unused)
{
	pthread_mutex_lock(&mutex);
	while (!ready)
		pthread_cond_wait(&cond, &mutex);
	pthread_mutex_unlock(&mutex);
	return unused;
}

/* glibc's destroy itself waits for the waiter; another thread ends that. */
static void *wakes_late(void *unused)
{
	usleep(300000);
	pthread_mutex_lock(&mutex);
	ready = true;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&mutex);
	return unused;
}
static void destroy_waited_cond(void)
{
	pthread_t waiter = start(waits), waker = start(wakes_late);

	usleep(100000);
	pthread_cond_destroy(&cond);
	pthread_join(waiter, NULL);
	pthread_join(waker, NULL);
}
static void destroy_after_broadcast(void)
{
	pthread_t waiter = start(waits);

	usleep(100000);
	pthread_mutex_lock(&mutex);
	ready = true;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&mutex);
	CHECK(pthread_cond_destroy(&cond) == 0);
	pthread_join(waiter, NULL);
}
static void *waits_sem(void *unused)
{
	sem_wait(&sem);
	return unused;
}
static void destroy_waited_sem(void)
{
	sem_init(&sem, 0, 0);
	pthread_t waiter = start(waits_sem);
	usleep(100000);
	sem_destroy(&sem);
	sem_post(&sem);
	pthread_join(waiter, NULL);
}
static void *at_barrier(void *unused)
{
	pthread_barrier_wait(&barrier);
	return unused;
}
static void destroy_used_barrier(void)
{
	pthread_barrier_init(&barrier, NULL, 2);
	pthread_t thread = start(at_barrier);
	pthread_barrier_wait(&barrier);
	CHECK(pthread_barrier_destroy(&barrier) == 0);
	pthread_join(thread, NULL);
}

static void use_destroyed_mutex(void)
{
	uses_mutex(NULL);
	CHECK(pthread_mutex_destroy(&mutex) == 0);
	pthread_mutex_lock(&mutex);
}
static void use_renewed_mutex(void)
{
	uses_mutex(NULL);
	CHECK(pthread_mutex_destroy(&mutex) == 0);
	CHECK(pthread_mutex_init(&mutex, NULL) == 0);
	uses_mutex(NULL);
	CHECK(pthread_mutex_destroy(&mutex) == 0);
	mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	uses_mutex(NULL);
}
static void use_destroyed_rwlock(void)
{
	CHECK(pthread_rwlock_init(&table, NULL) == 0);
	pthread_rwlock_rdlock(&table);
	pthread_rwlock_unlock(&table);
	CHECK(pthread_rwlock_destroy(&table) == 0);
	pthread_rwlock_rdlock(&table);
	pthread_rwlock_unlock(&table);
}
static void use_renewed_rwlock(void)
{
	pthread_rwlock_rdlock(&table);
	pthread_rwlock_unlock(&table);
	CHECK(pthread_rwlock_destroy(&table) == 0);
	table = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
	pthread_rwlock_rdlock(&table);
	pthread_rwlock_unlock(&table);
}
static void heap_reused(void)
{
	for (int i = 0; i < 100; i++) {
		pthread_rwlock_t *lock = malloc(sizeof *lock);
		CHECK(pthread_rwlock_init(lock, NULL) == 0);
		pthread_rwlock_wrlock(lock);
		pthread_rwlock_unlock(lock);
		CHECK(pthread_rwlock_destroy(lock) == 0);
		free(lock);
		pthread_rwlock_t *again = calloc(1, sizeof *again);
		pthread_rwlock_wrlock(again);
		pthread_rwlock_unlock(again);
		free(again);
	}
}
static void destroy_twice(void)
{
	CHECK(pthread_mutex_destroy(&mutex) == 0);
	pthread_mutex_destroy(&mutex);
}

static void init_held(void)
{
	pthread_mutex_lock(&mutex);
	pthread_mutex_init(&mutex, NULL);
}
static void init_free(void)
{
	uses_mutex(NULL);
	CHECK(pthread_mutex_init(&mutex, NULL) == 0);
	uses_mutex(NULL);
}

/* Ends of threads. */
static void exit_holding(void) { run(locks_mutex); }
static void exit_released(void) { run(uses_mutex); }
static void *locks_robust(void *unused)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&mutex, &attributes);
	pthread_mutex_lock(&mutex);
	return unused;
}
static void exit_holding_robust(void)
{
	run(locks_robust);
	CHECK(pthread_mutex_lock(&mutex) == EOWNERDEAD);
	CHECK(pthread_mutex_consistent(&mutex) == 0);
	CHECK(pthread_mutex_unlock(&mutex) == 0);
}
static pthread_key_t key;
static void unlock_at_end(void *lock) { pthread_mutex_unlock(lock); }
static void *unlocks_in_destructor(void *unused)
{
	pthread_mutex_lock(&mutex);
	pthread_setspecific(key, &mutex);
	return unused;
}
static void exit_unlocks_in_destructor(void)
{
	CHECK(pthread_key_create(&key, unlock_at_end) == 0);
	run(unlocks_in_destructor);
}

/* Conditions. */
static void *waits_with_other(void *unused)
{
	pthread_mutex_lock(&other);
	while (!ready)
		pthread_cond_wait(&cond, &other);
	pthread_mutex_unlock(&other);
	return unused;
}
static void wake_all(void)
{
	pthread_mutex_lock(&mutex);
	pthread_mutex_lock(&other);
	ready = true;
	pthread_mutex_unlock(&other);
	pthread_mutex_unlock(&mutex);
	pthread_cond_broadcast(&cond);
}
static void two_mutexes_at_once(void)
{
	pthread_t a = start(waits);
	usleep(100000);
	pthread_t b = start(waits_with_other);
	usleep(100000);
	wake_all();
	pthread_join(a, NULL);
	pthread_join(b, NULL);
}
static void two_mutexes_in_turn(void)
{
	pthread_t a = start(waits);
	usleep(100000);
	wake_all();
	pthread_join(a, NULL);
	ready = false;
	pthread_t b = start(waits_with_other);
	usleep(100000);
	wake_all();
	pthread_join(b, NULL);
}
static void wait_unlocked(void)
{
	struct timespec past = {1, 0};

	pthread_cond_timedwait(&cond, &mutex, &past);
}

/* Forks: `mutex` is held by another thread when main forks; the child gives up after a moment. */
static pthread_barrier_t forking;

static void *holds_at_fork(void *unused)
{
	pthread_mutex_lock(&mutex);
	pthread_barrier_wait(&forking);
	pthread_barrier_wait(&forking);
	pthread_mutex_unlock(&mutex);
	return unused;
}

static void fork_and(void (*in_child)(void))
{
	pthread_barrier_init(&forking, NULL, 2);
	pthread_t thread = start(holds_at_fork);
	pthread_barrier_wait(&forking);
	pid_t child = fork();
	if (child == 0) {
		in_child();
		_exit(0);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	pthread_barrier_wait(&forking);
	pthread_join(thread, NULL);
}

static void lock_for_a_moment(void)
{
	struct timespec soon;

	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_sec++;
	if (pthread_mutex_timedlock(&mutex, &soon) == 0)
		pthread_mutex_unlock(&mutex);
}

static void init_then_lock(void)
{
	pthread_mutex_init(&mutex, NULL);
	lock_for_a_moment();
}

static void lock_another(void)
{
	pthread_mutex_lock(&other);
	pthread_mutex_unlock(&other);
}

static void before_fork(void) { pthread_mutex_lock(&mutex); }
static void after_fork(void) { pthread_mutex_unlock(&mutex); }

static void *locks_now_and_then(void *unused)
{
	for (int i = 0; i < 200; i++) {
		uses_mutex(NULL);
		usleep(100);
	}
	return unused;
}

/* Six times by the program, once by each of four children: all at one place. */
static void unlock_twice_in_children(void)
{
	for (int i = 0; i < 10; i++) {
		pid_t child = i < 6 ? 0 : fork();
		if (child == 0)
			unlock_twice();
		if (child == 0 && i >= 6)
			_exit(0);
		int status = 0;
		CHECK(child == 0 || (waitpid(child, &status, 0) == child && status == 0));
	}
}

static void fork_lock_held(void) { fork_and(lock_for_a_moment); }
static void fork_lock_renewed(void) { fork_and(init_then_lock); }
static void fork_lock_another(void) { fork_and(lock_another); }
static void fork_with_handlers(void)
{
	CHECK(pthread_atfork(before_fork, after_fork, after_fork) == 0);
	pthread_t thread = start(locks_now_and_then);
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();
		if (child == 0) {
			lock_for_a_moment();
			_exit(0);
		}
		int status;
		CHECK(waitpid(child, &status, 0) == child && status == 0);
	}
	pthread_join(thread, NULL);
}

CASES({"unlock-twice-in-children", unlock_twice_in_children}, {"fork-lock-held", fork_lock_held}, {"fork-lock-renewed", fork_lock_renewed},
      {"fork-lock-another", fork_lock_another}, {"fork-with-handlers", fork_with_handlers}, {"unlock-twice", unlock_twice}, {"unlock-once", unlock_once}, {"unlock-rwlock-free", unlock_rwlock_free},
      {"unlock-spin-free", unlock_spin_free}, {"unlock-others", unlock_others},
      {"unlock-others-rwlock", unlock_others_rwlock}, {"unlock-after-wait", unlock_after_wait},
      {"post-by-another", post_by_another}, {"destroy-held", destroy_held}, {"destroy-free", destroy_free},
      {"destroy-read-rwlock", destroy_read_rwlock}, {"destroy-waited-cond", destroy_waited_cond},
      {"destroy-after-broadcast", destroy_after_broadcast}, {"destroy-waited-sem", destroy_waited_sem},
      {"destroy-used-barrier", destroy_used_barrier}, {"use-destroyed-mutex", use_destroyed_mutex},
      {"use-renewed-mutex", use_renewed_mutex}, {"use-destroyed-rwlock", use_destroyed_rwlock},
      {"use-renewed-rwlock", use_renewed_rwlock}, {"heap-reused", heap_reused}, {"destroy-twice", destroy_twice},
      {"init-held", init_held}, {"init-free", init_free}, {"exit-holding", exit_holding},
      {"exit-released", exit_released}, {"exit-holding-robust", exit_holding_robust},
      {"exit-unlocks-in-destructor", exit_unlocks_in_destructor}, {"two-mutexes-at-once", two_mutexes_at_once},
      {"two-mutexes-in-turn", two_mutexes_in_turn}, {"wait-unlocked", wait_unlocked})
