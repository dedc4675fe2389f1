/* Calls every function that the shim interposes, each in a way that shows in the findings whether the
 * shim saw the call.
 *
 *   coverage --list      one line a case: SYMBOL CASE EXPECTED
 *   coverage SYMBOL CASE
 *
 * EXPECTED is what `detect run` must find: "cycle" (of subject and marker, or of the locks that the
 * case is about), "none", or a word that the test knows what to look for. For what takes a lock the
 * case "held" takes it by SYMBOL and then locks a marker, which another thread has in the other order:
 * no cycle without the acquisition. For what gives a lock back, the marker comes after it: a cycle
 * without the release. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <mqueue.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "case.h"

static pthread_mutex_t marker = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static sem_t sem, *named_sem;
static mtx_t mtx;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static cnd_t cnd;
static pthread_barrier_t barrier;
static const struct timespec past = {1, 0};

static struct timespec later(clockid_t clock)
{
	struct timespec deadline;

	clock_gettime(clock, &deadline);
	deadline.tv_sec += 60;
	return deadline;
}

static void touch_marker(void)
{
	CHECK(pthread_mutex_lock(&marker) == 0);
	CHECK(pthread_mutex_unlock(&marker) == 0);
}

/* Marker first, then the lock: the other half of the cycle. */
static void marker_then_mutex(void)
{
	CHECK(pthread_mutex_lock(&marker) == 0);
	CHECK(pthread_mutex_lock(&mutex) == 0);
	CHECK(pthread_mutex_unlock(&mutex) == 0);
	CHECK(pthread_mutex_unlock(&marker) == 0);
}

static void marker_then_table(void)
{
	CHECK(pthread_mutex_lock(&marker) == 0);
	CHECK(pthread_rwlock_wrlock(&table) == 0);
	CHECK(pthread_rwlock_unlock(&table) == 0);
	CHECK(pthread_mutex_unlock(&marker) == 0);
}

static void marker_then_table_read(void)
{
	CHECK(pthread_mutex_lock(&marker) == 0);
	CHECK(pthread_rwlock_rdlock(&table) == 0);
	CHECK(pthread_rwlock_unlock(&table) == 0);
	CHECK(pthread_mutex_unlock(&marker) == 0);
}

static void marker_then_spin(void)
{
	CHECK(pthread_mutex_lock(&marker) == 0);
	CHECK(pthread_spin_lock(&spin) == 0);
	CHECK(pthread_spin_unlock(&spin) == 0);
	CHECK(pthread_mutex_unlock(&marker) == 0);
}

static void marker_then_mtx(void)
{
	CHECK(pthread_mutex_lock(&marker) == 0);
	CHECK(mtx_lock(&mtx) == thrd_success);
	CHECK(mtx_unlock(&mtx) == thrd_success);
	CHECK(pthread_mutex_unlock(&marker) == 0);
}

static void marker_then_sem(void)
{
	CHECK(pthread_mutex_lock(&marker) == 0);
	CHECK(sem_wait(&sem) == 0);
	CHECK(sem_post(&sem) == 0);
	CHECK(pthread_mutex_unlock(&marker) == 0);
}

static void marker_then_named_sem(void)
{
	CHECK(pthread_mutex_lock(&marker) == 0);
	CHECK(sem_wait(named_sem) == 0);
	CHECK(sem_post(named_sem) == 0);
	CHECK(pthread_mutex_unlock(&marker) == 0);
}

/* take, then the marker inside (held) or after the release (given). */
#define LOCKING(name, take, give, backwards)                                                                 \
	static void name##_nest(void)                                                                        \
	{                                                                                                    \
		CHECK(take == 0);                                                                            \
		touch_marker();                                                                              \
		CHECK(give == 0);                                                                            \
	}                                                                                                    \
	static void name##_part(void)                                                                        \
	{                                                                                                    \
		CHECK(take == 0);                                                                            \
		CHECK(give == 0);                                                                            \
		touch_marker();                                                                              \
	}                                                                                                    \
	static void name##_held(void)                                                                        \
	{                                                                                                    \
		in_turn(name##_nest, backwards);                                                             \
	}                                                                                                    \
	static void name##_given(void)                                                                       \
	{                                                                                                    \
		in_turn(name##_part, backwards);                                                             \
	}

static int mutex_timedlock(void)
{
	struct timespec deadline = later(CLOCK_REALTIME);
	return pthread_mutex_timedlock(&mutex, &deadline);
}

static int mutex_clocklock(void)
{
	struct timespec deadline = later(CLOCK_MONOTONIC);
	return pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &deadline);
}

static int timedrdlock(void)
{
	struct timespec deadline = later(CLOCK_REALTIME);
	return pthread_rwlock_timedrdlock(&table, &deadline);
}

static int timedwrlock(void)
{
	struct timespec deadline = later(CLOCK_REALTIME);
	return pthread_rwlock_timedwrlock(&table, &deadline);
}

static int clockrdlock(void)
{
	struct timespec deadline = later(CLOCK_MONOTONIC);
	return pthread_rwlock_clockrdlock(&table, CLOCK_MONOTONIC, &deadline);
}

static int clockwrlock(void)
{
	struct timespec deadline = later(CLOCK_MONOTONIC);
	return pthread_rwlock_clockwrlock(&table, CLOCK_MONOTONIC, &deadline);
}

static int semaphore_timedwait(void)
{
	struct timespec deadline = later(CLOCK_REALTIME);
	return sem_timedwait(&sem, &deadline);
}

static int semaphore_clockwait(void)
{
	struct timespec deadline = later(CLOCK_MONOTONIC);
	return sem_clockwait(&sem, CLOCK_MONOTONIC, &deadline);
}

static int c11_timedlock(void)
{
	struct timespec deadline = later(CLOCK_REALTIME);
	return mtx_timedlock(&mtx, &deadline);
}

LOCKING(mutex_lock, pthread_mutex_lock(&mutex), pthread_mutex_unlock(&mutex), marker_then_mutex)
LOCKING(mutex_trylock, pthread_mutex_trylock(&mutex), pthread_mutex_unlock(&mutex), marker_then_mutex)
LOCKING(mutex_timedlock, mutex_timedlock(), pthread_mutex_unlock(&mutex), marker_then_mutex)
LOCKING(mutex_clocklock, mutex_clocklock(), pthread_mutex_unlock(&mutex), marker_then_mutex)
LOCKING(rdlock, pthread_rwlock_rdlock(&table), pthread_rwlock_unlock(&table), marker_then_table)
LOCKING(wrlock, pthread_rwlock_wrlock(&table), pthread_rwlock_unlock(&table), marker_then_table_read)
LOCKING(tryrdlock, pthread_rwlock_tryrdlock(&table), pthread_rwlock_unlock(&table), marker_then_table)
LOCKING(trywrlock, pthread_rwlock_trywrlock(&table), pthread_rwlock_unlock(&table), marker_then_table_read)
LOCKING(timedrdlock, timedrdlock(), pthread_rwlock_unlock(&table), marker_then_table)
LOCKING(timedwrlock, timedwrlock(), pthread_rwlock_unlock(&table), marker_then_table_read)
LOCKING(clockrdlock, clockrdlock(), pthread_rwlock_unlock(&table), marker_then_table)
LOCKING(clockwrlock, clockwrlock(), pthread_rwlock_unlock(&table), marker_then_table_read)
LOCKING(spin_lock, pthread_spin_lock(&spin), pthread_spin_unlock(&spin), marker_then_spin)
LOCKING(spin_trylock, pthread_spin_trylock(&spin), pthread_spin_unlock(&spin), marker_then_spin)
LOCKING(sem_wait, sem_wait(&sem), sem_post(&sem), marker_then_sem)
LOCKING(sem_trywait, sem_trywait(&sem), sem_post(&sem), marker_then_sem)
LOCKING(sem_timedwait, semaphore_timedwait(), sem_post(&sem), marker_then_sem)
LOCKING(sem_clockwait, semaphore_clockwait(), sem_post(&sem), marker_then_sem)
LOCKING(named_sem, sem_wait(named_sem), sem_post(named_sem), marker_then_named_sem)
LOCKING(mtx_lock, mtx_lock(&mtx), mtx_unlock(&mtx), marker_then_mtx)
LOCKING(mtx_trylock, mtx_trylock(&mtx), mtx_unlock(&mtx), marker_then_mtx)
LOCKING(mtx_timedlock, c11_timedlock(), mtx_unlock(&mtx), marker_then_mtx)

/* Read modes: against readers on the other side there is nothing to find. */
static void rdlock_shares(void)
{
	in_turn(rdlock_nest, marker_then_table_read);
}
static void tryrdlock_shares(void)
{
	in_turn(tryrdlock_nest, marker_then_table_read);
}
static void timedrdlock_shares(void)
{
	in_turn(timedrdlock_nest, marker_then_table_read);
}
static void clockrdlock_shares(void)
{
	in_turn(clockrdlock_nest, marker_then_table_read);
}

/* A new life in the middle: what came before is another lock. */
static void renew_mutex(void)
{
	CHECK(pthread_mutex_init(&mutex, NULL) == 0);
}
static void renew_table(void)
{
	CHECK(pthread_rwlock_init(&table, NULL) == 0);
}
static void renew_spin(void)
{
	CHECK(pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE) == 0);
}
static void renew_mtx(void)
{
	CHECK(mtx_init(&mtx, mtx_plain) == thrd_success);
}
static void renew_sem(void)
{
	CHECK(sem_init(&sem, 0, 1) == 0);
}
static void sem_born(void)
{
	in_turn(sem_wait_nest, renew_sem, marker_then_sem);
}
static void sem_end(void)
{
	CHECK(sem_destroy(&sem) == 0);
}
static void sem_ended(void)
{
	in_turn(sem_wait_nest, sem_end, marker_then_sem);
}

static void open_sem(void)
{
	char name[64];

	snprintf(name, sizeof name, "/detect-test-%d", (int)getpid());
	named_sem = sem_open(name, O_CREAT, 0600, 1);
	CHECK(named_sem != SEM_FAILED);
	CHECK(sem_unlink(name) == 0);
}
static void close_sem(void)
{
	CHECK(sem_close(named_sem) == 0);
}
static void sem_opened(void)
{
	open_sem();
	named_sem_held();
	close_sem();
}
static void sem_opened_given(void)
{
	open_sem();
	named_sem_given();
	close_sem();
}
static void reopen_sem(void)
{
	close_sem();
	open_sem();
}
static void sem_closed(void)
{
	open_sem();
	in_turn(named_sem_nest, reopen_sem, marker_then_named_sem);
	close_sem();
}
static void mutex_born(void)
{
	in_turn(mutex_lock_nest, renew_mutex, marker_then_mutex);
}
static void table_born(void)
{
	in_turn(wrlock_nest, renew_table, marker_then_table);
}
static void spin_born(void)
{
	in_turn(spin_lock_nest, renew_spin, marker_then_spin);
}
static void mtx_born(void)
{
	in_turn(mtx_lock_nest, renew_mtx, marker_then_mtx);
}

/* Destroyed, and the memory reused as it is: a static initialiser's bytes are all zero. */
#define ENDING(name, nest, destroy, object, backwards)                                                       \
	static void name##_end(void)                                                                         \
	{                                                                                                    \
		destroy;                                                                                     \
		memset(&object, 0, sizeof(object));                                                          \
	}                                                                                                    \
	static void name##_ended(void)                                                                       \
	{                                                                                                    \
		in_turn(nest, name##_end, backwards);                                                        \
	}

ENDING(mutex, mutex_lock_nest, CHECK(pthread_mutex_destroy(&mutex) == 0), mutex, marker_then_mutex)
ENDING(table, wrlock_nest, CHECK(pthread_rwlock_destroy(&table) == 0), table, marker_then_table)
ENDING(mtx, mtx_lock_nest, mtx_destroy(&mtx), mtx, marker_then_mtx)

/* A spinlock's value when unlocked is 1 here. */
static void spin_end(void)
{
	CHECK(pthread_spin_destroy(&spin) == 0);
	*(volatile int *)&spin = 1;
}

static void spin_ended(void)
{
	renew_spin();
	in_turn(spin_lock_nest, spin_end, marker_then_spin);
}

/* Waits: the mutex is held again after them. Without the wait's hook the held stack would be right
 * too; what shows the hook is the order of the re-acquisition: under the marker. */
static void mutex_marker_around(int (*wait)(void), pthread_mutex_t *held)
{
	CHECK(pthread_mutex_lock(held) == 0);
	CHECK(pthread_mutex_lock(&marker) == 0);
	wait();
	CHECK(pthread_mutex_unlock(&marker) == 0);
	CHECK(pthread_mutex_unlock(held) == 0);
}

static int signalled;

static int wait_signalled(void)
{
	step(1);
	while (!signalled)
		pthread_cond_wait(&cond, &mutex);
	return 0;
}

static int c11_wait_signalled(void)
{
	step(1);
	while (!signalled)
		cnd_wait(&cnd, &mtx);
	return 0;
}

static int wait_timed(void)
{
	return pthread_cond_timedwait(&cond, &mutex, &past);
}
static int wait_clock(void)
{
	return pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &past);
}

static void cond_timed_nest(void)
{
	mutex_marker_around(wait_timed, &mutex);
}
static void cond_clock_nest(void)
{
	mutex_marker_around(wait_clock, &mutex);
}

static void cnd_timed_nest(void)
{
	CHECK(mtx_lock(&mtx) == thrd_success);
	CHECK(pthread_mutex_lock(&marker) == 0);
	CHECK(cnd_timedwait(&cnd, &mtx, &past) == thrd_timedout);
	CHECK(pthread_mutex_unlock(&marker) == 0);
	CHECK(mtx_unlock(&mtx) == thrd_success);
}

static void mutex_then_marker(void)
{
	CHECK(pthread_mutex_lock(&mutex) == 0);
	touch_marker();
	CHECK(pthread_mutex_unlock(&mutex) == 0);
}

static void mtx_then_marker(void)
{
	CHECK(mtx_lock(&mtx) == thrd_success);
	touch_marker();
	CHECK(mtx_unlock(&mtx) == thrd_success);
}

static void cond_timedwait_retaken(void)
{
	in_turn(cond_timed_nest, mutex_then_marker);
}
static void cond_clockwait_retaken(void)
{
	in_turn(cond_clock_nest, mutex_then_marker);
}
static void cnd_timedwait_retaken(void)
{
	in_turn(cnd_timed_nest, mtx_then_marker);
}

static void *cond_waiter(void *unused)
{
	step(0);
	mutex_marker_around(wait_signalled, &mutex);
	step(4);
	return unused;
}

static void *cnd_waiter(void *unused)
{
	step(0);
	CHECK(mtx_lock(&mtx) == thrd_success);
	CHECK(pthread_mutex_lock(&marker) == 0);
	c11_wait_signalled();
	CHECK(pthread_mutex_unlock(&marker) == 0);
	CHECK(mtx_unlock(&mtx) == thrd_success);
	step(4);
	return unused;
}

static void *cond_waker(void *unused)
{
	step(2);
	CHECK(pthread_mutex_lock(&mutex) == 0);
	signalled = 1;
	CHECK(pthread_cond_signal(&cond) == 0);
	CHECK(pthread_mutex_unlock(&mutex) == 0);
	step(3);
	step(5);
	mutex_then_marker();
	return unused;
}

static void *cnd_waker(void *unused)
{
	step(2);
	CHECK(mtx_lock(&mtx) == thrd_success);
	signalled = 1;
	CHECK(cnd_signal(&cnd) == thrd_success);
	CHECK(mtx_unlock(&mtx) == thrd_success);
	step(3);
	step(5);
	mtx_then_marker();
	return unused;
}

static void run_two(void *(*one)(void *), void *(*other)(void *))
{
	pthread_t threads[2];

	CHECK(pthread_create(&threads[0], NULL, one, NULL) == 0);
	CHECK(pthread_create(&threads[1], NULL, other, NULL) == 0);
	CHECK(pthread_join(threads[0], NULL) == 0);
	CHECK(pthread_join(threads[1], NULL) == 0);
}

static void cond_wait_retaken(void)
{
	run_two(cond_waiter, cond_waker);
}
static void cnd_wait_retaken(void)
{
	run_two(cnd_waiter, cnd_waker);
}

/* Signals: seen in that a waiter that holds the marker waits for a signaller that needs it. The
 * signal comes before the wait; the program ends while the waiter waits. */
static int (*signal_call)(void);
static void (*renew_condition)(void);

static int signal_cond(void)
{
	return pthread_cond_signal(&cond);
}
static int broadcast_cond(void)
{
	return pthread_cond_broadcast(&cond);
}
static int signal_cnd(void)
{
	return cnd_signal(&cnd);
}
static int broadcast_cnd(void)
{
	return cnd_broadcast(&cnd);
}

static void *wait_with_marker(void *unused)
{
	step(1);
	CHECK(pthread_mutex_lock(&marker) == 0);
	CHECK(pthread_mutex_lock(&mutex) == 0);
	step(2);
	for (;;)
		pthread_cond_wait(&cond, &mutex);
	return unused;
}

static void *wait_with_marker_c11(void *unused)
{
	step(1);
	CHECK(pthread_mutex_lock(&marker) == 0);
	CHECK(mtx_lock(&mtx) == thrd_success);
	step(2);
	for (;;)
		cnd_wait(&cnd, &mtx);
	return unused;
}

static void *signal_with_marker(void *unused)
{
	CHECK(pthread_mutex_lock(&marker) == 0);
	CHECK(signal_call() == 0);
	CHECK(pthread_mutex_unlock(&marker) == 0);
	if (renew_condition)
		renew_condition();
	step(0);
	return unused;
}

static void leave_waiting(void *(*waiter)(void *), int (*signal)(void), void (*renew)(void))
{
	pthread_t waiting, signalling;

	signal_call = signal;
	renew_condition = renew;
	CHECK(pthread_create(&waiting, NULL, waiter, NULL) == 0);
	CHECK(pthread_create(&signalling, NULL, signal_with_marker, NULL) == 0);
	CHECK(pthread_join(signalling, NULL) == 0);
	step(3);
	if (waiter == wait_with_marker) { /* in the wait by now: it has let go of its mutex */
		CHECK(pthread_mutex_lock(&mutex) == 0);
		CHECK(pthread_mutex_unlock(&mutex) == 0);
	} else {
		CHECK(mtx_lock(&mtx) == thrd_success);
		CHECK(mtx_unlock(&mtx) == thrd_success);
	}
}

static void renew_cond(void)
{
	CHECK(pthread_cond_init(&cond, NULL) == 0);
}

static void end_cond(void)
{
	CHECK(pthread_cond_destroy(&cond) == 0);
	memset(&cond, 0, sizeof(cond));
}

static void end_cnd(void)
{
	cnd_destroy(&cnd);
	memset(&cnd, 0, sizeof(cnd));
}

static void signal_waited_for(void)
{
	leave_waiting(wait_with_marker, signal_cond, NULL);
}
static void broadcast_waited_for(void)
{
	leave_waiting(wait_with_marker, broadcast_cond, NULL);
}
static void cnd_signal_waited_for(void)
{
	leave_waiting(wait_with_marker_c11, signal_cnd, NULL);
}
static void cnd_broadcast_waited_for(void)
{
	leave_waiting(wait_with_marker_c11, broadcast_cnd, NULL);
}
static void cond_born(void)
{
	leave_waiting(wait_with_marker, signal_cond, renew_cond);
}
static void cond_ended(void)
{
	leave_waiting(wait_with_marker, signal_cond, end_cond);
}
static void cnd_ended(void)
{
	leave_waiting(wait_with_marker_c11, signal_cnd, end_cnd);
}

/* Orders: both halves of an inversion, with the call between them. */
static void *mutex_then_marker_thread(void *unused)
{
	mutex_then_marker();
	return unused;
}

static int mutex_then_marker_c11(void *unused)
{
	(void)unused;
	mutex_then_marker();
	return 0;
}

static int marker_then_mutex_c11(void *unused)
{
	(void)unused;
	marker_then_mutex();
	return 0;
}

static void created(void)
{
	pthread_t thread;

	marker_then_mutex();
	CHECK(pthread_create(&thread, NULL, mutex_then_marker_thread, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
}

static void c11_created(void)
{
	thrd_t thread;

	marker_then_mutex();
	CHECK(thrd_create(&thread, mutex_then_marker_c11, NULL) == thrd_success);
	CHECK(thrd_join(thread, NULL) == thrd_success);
}

static int join_plainly(pthread_t thread)
{
	return pthread_join(thread, NULL);
}
static int join_timed(pthread_t thread)
{
	struct timespec deadline = later(CLOCK_REALTIME);
	return pthread_timedjoin_np(thread, NULL, &deadline);
}

static int join_clock(pthread_t thread)
{
	struct timespec deadline = later(CLOCK_MONOTONIC);
	return pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &deadline);
}

static int join_try(pthread_t thread)
{
	int result;

	while ((result = pthread_tryjoin_np(thread, NULL)) == EBUSY)
		sched_yield();
	return result;
}

static void join_by(int (*join)(pthread_t))
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, mutex_then_marker_thread, NULL) == 0);
	CHECK(join(thread) == 0);
	marker_then_mutex();
}

static void joined(void)
{
	join_by(join_plainly);
}
static void timed_joined(void)
{
	join_by(join_timed);
}
static void clock_joined(void)
{
	join_by(join_clock);
}
static void try_joined(void)
{
	join_by(join_try);
}

static void c11_joined(void)
{
	thrd_t thread;

	CHECK(thrd_create(&thread, marker_then_mutex_c11, NULL) == thrd_success);
	CHECK(thrd_join(thread, NULL) == thrd_success);
	mutex_then_marker();
}

/* A thread that the C library starts comes after the call that asked for it. */
static int notified;

static void notify(union sigval unused)
{
	(void)unused;
	marker_then_mutex();
	__atomic_store_n(&notified, 1, __ATOMIC_RELEASE);
}

static void await_notification(void)
{
	while (!__atomic_load_n(&notified, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void timer_ordered(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = notify};
	const struct itimerspec soon = {.it_value = {0, 1000000}};
	timer_t timer;

	mutex_then_marker();
	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	CHECK(timer_settime(timer, 0, &soon, NULL) == 0);
	await_notification();
	CHECK(timer_delete(timer) == 0);
}

static void queue_ordered(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = notify};
	struct mq_attr one = {.mq_maxmsg = 1, .mq_msgsize = 1};
	char name[64];

	mutex_then_marker();
	snprintf(name, sizeof(name), "/detect-coverage-%d", (int)getpid());
	mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &one);
	if (queue == (mqd_t)-1) {
		CHECK(errno == ENOSYS || errno == EACCES || errno == EMFILE); /* not in every sandbox */
		CHECK(mq_notify(queue, &event) == -1);
		return;
	}
	CHECK(mq_unlink(name) == 0);
	CHECK(mq_notify(queue, &event) == 0);
	CHECK(mq_send(queue, "m", 1, 0) == 0);
	await_notification();
	CHECK(mq_close(queue) == 0);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static once_flag c11_once = ONCE_FLAG_INIT;

static void once_forwards(void)
{
	CHECK(pthread_once(&once, mutex_then_marker) == 0);
}
static void c11_once_forwards(void)
{
	call_once(&c11_once, mutex_then_marker);
}

static void once_then_backwards(void)
{
	once_forwards();
	marker_then_mutex();
}

static void c11_once_then_backwards(void)
{
	c11_once_forwards();
	marker_then_mutex();
}

static void once_ordered(void)
{
	in_turn(once_forwards, once_then_backwards);
}
static void c11_once_ordered(void)
{
	in_turn(c11_once_forwards, c11_once_then_backwards);
}

static void *meet_after(void *unused)
{
	mutex_then_marker();
	pthread_barrier_wait(&barrier);
	return unused;
}

static void *meet_before(void *unused)
{
	pthread_barrier_wait(&barrier);
	marker_then_mutex();
	return unused;
}

static void barrier_ordered(void)
{
	CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
	run_two(meet_after, meet_before);
	CHECK(pthread_barrier_destroy(&barrier) == 0);
}

/* All wait for ever, and it would be a stall if the one that was cancelled could not be on its way out. Here it
 * keeps cancellation off, and a handler wakes it. */
static void *wait_uncancelled(void *unused)
{
	int before;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	step(1);
	CHECK(pthread_mutex_lock(&mutex) == 0);
	CHECK(pthread_cond_wait(&cond, &mutex) == 0);
	CHECK(pthread_mutex_unlock(&mutex) == 0);
	return unused;
}

static void wake_up(int signal)
{
	(void)signal;
	pthread_cond_broadcast(&cond);
}

static void cancelled(void)
{
	pthread_t thread;

	signal(SIGALRM, wake_up);
	CHECK(pthread_create(&thread, NULL, wait_uncancelled, NULL) == 0);
	CHECK(pthread_cancel(thread) == 0);
	alarm(1);
	step(0);
	CHECK(pthread_join(thread, NULL) == 0);
}

/* Memory: a lock that is locked before its memory goes and after it is there again is two locks. */
static struct heap_lock {
	pthread_mutex_t lock;
	char more[200];
} * heap_lock;

static void heap_then_marker(void)
{
	CHECK(pthread_mutex_lock(&heap_lock->lock) == 0);
	touch_marker();
	CHECK(pthread_mutex_unlock(&heap_lock->lock) == 0);
}

static void marker_then_heap(void)
{
	CHECK(pthread_mutex_lock(&marker) == 0);
	CHECK(pthread_mutex_lock(&heap_lock->lock) == 0);
	CHECK(pthread_mutex_unlock(&heap_lock->lock) == 0);
	CHECK(pthread_mutex_unlock(&marker) == 0);
}

/* Initialised where it was allocated, as one does. */
static struct heap_lock *initialised(struct heap_lock *made)
{
	CHECK(made);
	CHECK(pthread_mutex_init(&made->lock, NULL) == 0);
	return made;
}

#define ALLOCATING(name, call)                                                                               \
	static __attribute__((noinline)) struct heap_lock *name(void)                                        \
	{                                                                                                    \
		return initialised(call);                                                                    \
	}

static void *by_posix_memalign(void)
{
	void *block = NULL;

	CHECK(posix_memalign(&block, 64, sizeof(*heap_lock)) == 0);
	return block;
}

ALLOCATING(alloc_malloc, malloc(sizeof(*heap_lock)))
ALLOCATING(alloc_calloc, calloc(1, sizeof(*heap_lock)))
ALLOCATING(alloc_realloc, realloc(NULL, sizeof(*heap_lock)))
ALLOCATING(alloc_aligned, aligned_alloc(64, 256))
ALLOCATING(alloc_memalign, memalign(64, sizeof(*heap_lock)))
ALLOCATING(alloc_posix_memalign, by_posix_memalign())

/* The name of the lock says where it was allocated. */
static void name_by(struct heap_lock *(*allocate)(void))
{
	heap_lock = allocate();
	in_turn(heap_then_marker, marker_then_heap);
}

static void named_malloc(void)
{
	name_by(alloc_malloc);
}
static void named_calloc(void)
{
	name_by(alloc_calloc);
}
static void named_realloc(void)
{
	name_by(alloc_realloc);
}
static void named_aligned_alloc(void)
{
	name_by(alloc_aligned);
}
static void named_memalign(void)
{
	name_by(alloc_memalign);
}
static void named_posix_memalign(void)
{
	name_by(alloc_posix_memalign);
}

/* Two threads that stay alive; the one that owns the block frees it and gets it again. */
static void (*again)(void);

static void *heap_backwards_later(void *unused)
{
	step(1);
	marker_then_heap();
	step(2);
	return unused;
}

static void *heap_forwards_and_renew(void *unused)
{
	heap_then_marker();
	again();
	step(0);
	return unused;
}

static void free_and_malloc(void)
{
	uintptr_t old = (uintptr_t)heap_lock;

	free(heap_lock);
	heap_lock = malloc(sizeof(*heap_lock));
	CHECK((uintptr_t)heap_lock == old);
	memset(heap_lock, 0, sizeof(*heap_lock));
}

static void realloc_and_malloc(void)
{
	uintptr_t old = (uintptr_t)heap_lock;
	void *moved = realloc(heap_lock, 500000);

	CHECK(moved && (uintptr_t)moved != old);
	heap_lock = malloc(sizeof(*heap_lock));
	CHECK((uintptr_t)heap_lock == old);
	memset(heap_lock, 0, sizeof(*heap_lock));
	free(moved);
}

static void *fill_after;

static void unmap_and_map(void)
{
	void *old = heap_lock;

	CHECK(munmap(heap_lock, 4096) == 0);
	heap_lock =
	    mmap(old, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	CHECK(heap_lock == old);
}

static void heap_freed(void (*renew)(void))
{
	again = renew;
	heap_lock = malloc(sizeof(*heap_lock));
	fill_after = malloc(sizeof(*heap_lock)); /* no growing in place */
	CHECK(heap_lock && fill_after);
	memset(heap_lock, 0, sizeof(*heap_lock));
	run_two(heap_forwards_and_renew, heap_backwards_later);
}

static void ended_free(void)
{
	heap_freed(free_and_malloc);
}
static void ended_realloc(void)
{
	heap_freed(realloc_and_malloc);
}

static void ended_munmap(void)
{
	again = unmap_and_map;
	heap_lock = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(heap_lock != MAP_FAILED);
	run_two(heap_forwards_and_renew, heap_backwards_later);
}

/* Processes. */
static void fork_logs(void)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

static void exit_17(void)
{
	_exit(17);
}
static void exit_18(void)
{
	_Exit(18);
}

static void *named_thread(void *unused)
{
	step(1);
	mutex_then_marker();
	step(2);
	return unused;
}

static void *unnamed_thread(void *unused)
{
	step(3);
	marker_then_mutex();
	return unused;
}

static void thread_named(void)
{
	pthread_t named, unnamed;

	CHECK(pthread_create(&named, NULL, named_thread, NULL) == 0);
	CHECK(pthread_create(&unnamed, NULL, unnamed_thread, NULL) == 0);
	CHECK(pthread_setname_np(named, "a-name") == 0);
	step(0);
	CHECK(pthread_join(named, NULL) == 0);
	CHECK(pthread_join(unnamed, NULL) == 0);
}

/* Unloaded and loaded again: another lock, if it comes to lie at the same address. */
static void *plugin_place;

static void with_plugin(int plugin_first)
{
	void *plugin = dlopen("libe2e_plugin.so", RTLD_NOW);
	CHECK(plugin);
	void (*run)(pthread_mutex_t *, int) =
	    (void (*)(pthread_mutex_t *, int))(uintptr_t)dlsym(plugin, "plugin_run");

	CHECK(run);
	CHECK(!plugin_place || plugin_place == (void *)(uintptr_t)run);
	plugin_place = (void *)(uintptr_t)run;
	run(&marker, plugin_first);
	CHECK(dlclose(plugin) == 0);
}

static void plugin_inside(void)
{
	with_plugin(0);
}
static void plugin_outside(void)
{
	with_plugin(1);
}
static void unloaded(void)
{
	in_turn(plugin_inside, plugin_outside);
}

/* Handlers and masks. What installs a handler: it takes the mutex, and so does its thread. */
static void lock_in_handler(int number)
{
	(void)number;
	CHECK(pthread_mutex_lock(&mutex) == 0);
	CHECK(pthread_mutex_unlock(&mutex) == 0);
}

static void handled(void)
{
	lock_in_handler(0);
	CHECK(raise(SIGUSR1) == 0);
}

static void by_sigaction(void)
{
	struct sigaction action = {.sa_handler = lock_in_handler};

	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	handled();
}

typedef void handler_fn(int);
extern handler_fn *bsd_signal(int number, handler_fn *handler);
extern handler_fn *__sysv_signal(int number, handler_fn *handler);

#define INSTALLS(name)                                              \
	static void by_##name(void)                                 \
	{                                                           \
		CHECK(name(SIGUSR1, lock_in_handler) != SIG_ERR);   \
		handled();                                          \
	}
INSTALLS(signal)
INSTALLS(bsd_signal)
INSTALLS(ssignal)
INSTALLS(sysv_signal)
INSTALLS(__sysv_signal)
INSTALLS(sigset)

static sigset_t usr1(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	return set;
}

static void raised(void)
{
	struct sigaction action = {.sa_handler = lock_in_handler};

	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	CHECK(raise(SIGUSR1) == 0);
}

#define BLOCKS(name, call)                    \
	static void name##_blocks(void)       \
	{                                     \
		sigset_t set = usr1();        \
		raised();                     \
		CHECK((call) != -1);          \
		sigdelset(&set, SIGUSR1);     \
		lock_in_handler(0);           \
	}
BLOCKS(pthread_sigmask, pthread_sigmask(SIG_BLOCK, &set, NULL))
BLOCKS(sigprocmask, sigprocmask(SIG_BLOCK, &set, NULL))
BLOCKS(sighold, sighold(SIGUSR1))
BLOCKS(sigblock, sigblock(1 << (SIGUSR1 - 1)))
BLOCKS(sigsetmask, sigsetmask(1 << (SIGUSR1 - 1)))

static void unblocked(void)
{
	sigset_t set = usr1();

	raised();
	CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	lock_in_handler(0);
	CHECK(sigrelse(SIGUSR1) == 0);
	lock_in_handler(0);
}

/* A jump puts back the mask that was saved. */
static sigjmp_buf place;
extern void __longjmp_chk(struct __jmp_buf_tag to[1], int value) __attribute__((noreturn));

#define JUMPS(name)                                                             \
	static void by_##name(void)                                             \
	{                                                                       \
		sigset_t set = usr1();                                          \
		raised();                                                       \
		if (sigsetjmp(place, 1)) {                                      \
			lock_in_handler(0);                                     \
			return;                                                 \
		}                                                               \
		CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);             \
		lock_in_handler(0);                                             \
		name(place, 1);                                                 \
	}
JUMPS(longjmp)
JUMPS(_longjmp)
JUMPS(siglongjmp)
JUMPS(__longjmp_chk)

struct coverage_case {
	const char *symbol, *name, *expected;
	void (*run)(void);
};

#define LOCKS(symbol, name)                                                                                  \
	{symbol, "held", "cycle", name##_held},                                                              \
	{                                                                                                    \
		symbol, "given", "none", name##_given                                                        \
	}

static const struct coverage_case cases[] = {
    {"sigaction", "handled", "handler", by_sigaction},
    {"signal", "handled", "handler", by_signal},
    {"bsd_signal", "handled", "handler", by_bsd_signal},
    {"ssignal", "handled", "handler", by_ssignal},
    {"sysv_signal", "handled", "handler", by_sysv_signal},
    {"__sysv_signal", "handled", "handler", by___sysv_signal},
    {"sigset", "handled", "handler", by_sigset},
    {"pthread_sigmask", "blocks", "none", pthread_sigmask_blocks},
    {"sigprocmask", "blocks", "none", sigprocmask_blocks},
    {"sighold", "blocks", "none", sighold_blocks},
    {"sigblock", "blocks", "none", sigblock_blocks},
    {"sigsetmask", "blocks", "none", sigsetmask_blocks},
    {"sigrelse", "unblocks", "handler", unblocked},
    {"longjmp", "unblocks", "handler", by_longjmp},
    {"_longjmp", "unblocks", "handler", by__longjmp},
    {"siglongjmp", "unblocks", "handler", by_siglongjmp},
    {"__longjmp_chk", "unblocks", "handler", by___longjmp_chk},
    LOCKS("pthread_mutex_lock", mutex_lock),
    LOCKS("pthread_mutex_trylock", mutex_trylock),
    LOCKS("pthread_mutex_timedlock", mutex_timedlock),
    LOCKS("pthread_mutex_clocklock", mutex_clocklock),
    {"pthread_mutex_unlock", "given", "none", mutex_lock_given},
    {"pthread_mutex_init", "born", "none", mutex_born},
    {"pthread_mutex_destroy", "ended", "none", mutex_ended},
    LOCKS("pthread_rwlock_rdlock", rdlock),
    {"pthread_rwlock_rdlock", "shares", "none", rdlock_shares},
    LOCKS("pthread_rwlock_wrlock", wrlock),
    LOCKS("pthread_rwlock_tryrdlock", tryrdlock),
    {"pthread_rwlock_tryrdlock", "shares", "none", tryrdlock_shares},
    LOCKS("pthread_rwlock_trywrlock", trywrlock),
    LOCKS("pthread_rwlock_timedrdlock", timedrdlock),
    {"pthread_rwlock_timedrdlock", "shares", "none", timedrdlock_shares},
    LOCKS("pthread_rwlock_timedwrlock", timedwrlock),
    LOCKS("pthread_rwlock_clockrdlock", clockrdlock),
    {"pthread_rwlock_clockrdlock", "shares", "none", clockrdlock_shares},
    LOCKS("pthread_rwlock_clockwrlock", clockwrlock),
    {"pthread_rwlock_unlock", "given", "none", wrlock_given},
    {"pthread_rwlock_init", "born", "none", table_born},
    {"pthread_rwlock_destroy", "ended", "none", table_ended},
    LOCKS("pthread_spin_lock", spin_lock),
    LOCKS("pthread_spin_trylock", spin_trylock),
    {"pthread_spin_unlock", "given", "none", spin_lock_given},
    {"pthread_spin_init", "born", "none", spin_born},
    {"pthread_spin_destroy", "ended", "destroyed", spin_ended},
    LOCKS("sem_wait", sem_wait),
    LOCKS("sem_trywait", sem_trywait),
    LOCKS("sem_timedwait", sem_timedwait),
    LOCKS("sem_clockwait", sem_clockwait),
    {"sem_post", "given", "none", sem_wait_given},
    {"sem_init", "born", "none", sem_born},
    {"sem_destroy", "ended", "destroyed", sem_ended},
    {"sem_open", "opened", "cycle", sem_opened},
    {"sem_open", "given", "none", sem_opened_given},
    {"sem_close", "closed", "none", sem_closed},
    LOCKS("mtx_lock", mtx_lock),
    LOCKS("mtx_trylock", mtx_trylock),
    LOCKS("mtx_timedlock", mtx_timedlock),
    {"mtx_unlock", "given", "none", mtx_lock_given},
    {"mtx_init", "born", "none", mtx_born},
    {"mtx_destroy", "ended", "none", mtx_ended},
    {"pthread_cond_wait", "retaken", "cycle", cond_wait_retaken},
    {"pthread_cond_timedwait", "retaken", "cycle", cond_timedwait_retaken},
    {"pthread_cond_clockwait", "retaken", "cycle", cond_clockwait_retaken},
    {"pthread_cond_signal", "waited-for", "wait", signal_waited_for},
    {"pthread_cond_broadcast", "waited-for", "wait", broadcast_waited_for},
    {"pthread_cond_init", "born", "none", cond_born},
    {"pthread_cond_destroy", "ended", "none", cond_ended},
    {"cnd_wait", "retaken", "cycle", cnd_wait_retaken},
    {"cnd_timedwait", "retaken", "cycle", cnd_timedwait_retaken},
    {"cnd_signal", "waited-for", "wait", cnd_signal_waited_for},
    {"cnd_broadcast", "waited-for", "wait", cnd_broadcast_waited_for},
    {"cnd_destroy", "ended", "none", cnd_ended},
    {"pthread_create", "ordered", "none", created},
    {"pthread_join", "ordered", "none", joined},
    {"pthread_timedjoin_np", "ordered", "none", timed_joined},
    {"pthread_clockjoin_np", "ordered", "none", clock_joined},
    {"pthread_tryjoin_np", "ordered", "none", try_joined},
    {"thrd_create", "ordered", "none", c11_created},
    {"thrd_join", "ordered", "none", c11_joined},
    {"timer_create", "ordered", "none", timer_ordered},
    {"mq_notify", "ordered", "none", queue_ordered},
    {"pthread_once", "ordered", "none", once_ordered},
    {"call_once", "ordered", "none", c11_once_ordered},
    {"pthread_barrier_init", "ordered", "none", barrier_ordered},
    {"pthread_barrier_wait", "ordered", "none", barrier_ordered},
    {"pthread_barrier_destroy", "ordered", "none", barrier_ordered},
    {"pthread_cancel", "cancelled", "none", cancelled},
    {"pthread_setname_np", "named", "thread-name", thread_named},
    {"malloc", "named", "alloc_malloc", named_malloc},
    {"calloc", "named", "alloc_calloc", named_calloc},
    {"realloc", "named", "alloc_realloc", named_realloc},
    {"realloc", "ended", "none", ended_realloc},
    {"aligned_alloc", "named", "alloc_aligned", named_aligned_alloc},
    {"memalign", "named", "alloc_memalign", named_memalign},
    {"posix_memalign", "named", "by_posix_memalign", named_posix_memalign},
    {"free", "ended", "none", ended_free},
    {"munmap", "ended", "none", ended_munmap},
    {"dlclose", "unloaded", "none", unloaded},
    {"fork", "logged", "two-processes", fork_logs},
    {"_exit", "logged", "exit-17", exit_17},
    {"_Exit", "logged", "exit-18", exit_18},
};
enum { CASES_COUNT = sizeof(cases) / sizeof(*cases) };

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (int i = 0; i < CASES_COUNT; i++)
			printf("%s %s %s\n", cases[i].symbol, cases[i].name, cases[i].expected);
		return 0;
	}
	CHECK(argc == 3);
	CHECK(pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE) == 0);
	CHECK(mtx_init(&mtx, mtx_plain) == thrd_success);
	CHECK(cnd_init(&cnd) == thrd_success);
	CHECK(sem_init(&sem, 0, 1) == 0);
	for (int i = 0; i < CASES_COUNT; i++) {
		if (strcmp(cases[i].symbol, argv[1]) == 0 && strcmp(cases[i].name, argv[2]) == 0) {
			cases[i].run();
			return 0;
		}
	}
	return 2;
}
