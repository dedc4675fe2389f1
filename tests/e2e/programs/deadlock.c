/* Actual deadlocks, stalls, and their twins that end. By barrier all are staged but "race", which lets chance
 * decide whether it hangs. */
#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "case.h"

enum { RING_MAX = 64 };

static pthread_mutex_t ring[RING_MAX];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t meeting;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static sem_t sem;
static int ring_size, races;
static pthread_t main_thread;

static void run(int count, void *(*routine)(void *))
{
	pthread_t threads[RING_MAX];

	for (intptr_t i = 0; i < count; i++)
		CHECK(pthread_create(&threads[i], NULL, routine, (void *)i) == 0);
	for (int i = 0; i < count; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

static void run_two(void *(*first)(void *), void *(*second)(void *))
{
	pthread_t a, b;

	CHECK(pthread_create(&a, NULL, first, NULL) == 0);
	CHECK(pthread_create(&b, NULL, second, NULL) == 0);
	CHECK(pthread_join(a, NULL) == 0);
	CHECK(pthread_join(b, NULL) == 0);
}

/* Philosophers: each has its left fork when all reach for their right ones. */
static void *philosopher(void *argument)
{
	int i = (int)(intptr_t)argument;

	CHECK(pthread_mutex_lock(&ring[i]) == 0);
	pthread_barrier_wait(&meeting);
	if (pthread_mutex_lock(&ring[(i + 1) % ring_size]) == 0)
		pthread_mutex_unlock(&ring[(i + 1) % ring_size]);
	CHECK(pthread_mutex_unlock(&ring[i]) == 0);
	return NULL;
}

static void seat(int count)
{
	ring_size = count;
	pthread_barrier_init(&meeting, NULL, (unsigned)count);
	for (int i = 0; i < count; i++)
		pthread_mutex_init(&ring[i], NULL);
	run(count, philosopher);
}

static void two(void) { seat(2); }
static void three(void) { seat(3); }
static void eight(void) { seat(8); }
static void fifty(void) { seat(50); }

/* The same by chance: many turns, no barrier. With PAUSE, holders stay for up to so many microseconds, so that also
 * many threads now and then have all got their first lock. */
static int pause_us;

static void stay(unsigned *seed)
{
	if (pause_us)
		usleep((unsigned)rand_r(seed) % (unsigned)pause_us);
}

static int from_environment(const char *name, int otherwise)
{
	return getenv(name) ? atoi(getenv(name)) : otherwise;
}

static void *racer(void *argument)
{
	int i = (int)(intptr_t)argument;
	unsigned seed = (unsigned)i + (unsigned)getpid();

	for (int turn = 0; turn < races; turn++) {
		stay(&seed);
		pthread_mutex_lock(&ring[i]);
		stay(&seed);
		pthread_mutex_lock(&ring[(i + 1) % ring_size]);
		pthread_mutex_unlock(&ring[(i + 1) % ring_size]);
		pthread_mutex_unlock(&ring[i]);
	}
	return NULL;
}

static void race(int count)
{
	ring_size = count;
	races = from_environment("RACES", 200);
	pause_us = from_environment("PAUSE", 0);
	for (int i = 0; i < count; i++)
		pthread_mutex_init(&ring[i], NULL);
	run(count, racer);
}

static void race_two(void) { race(2); }
static void race_three(void) { race(3); }
static void race_eight(void) { race(8); }

/* All in one order: contended, and never a deadlock. */
static void *orderly(void *argument)
{
	int i = (int)(intptr_t)argument, a = i, b = (i + 1) % ring_size;

	if (a > b) {
		a = b;
		b = i;
	}
	for (int turn = 0; turn < 2000; turn++) {
		pthread_mutex_lock(&ring[a]);
		pthread_mutex_lock(&ring[b]);
		pthread_mutex_unlock(&ring[b]);
		pthread_mutex_unlock(&ring[a]);
	}
	return NULL;
}

static void ordered(void)
{
	ring_size = 8;
	for (int i = 0; i < ring_size; i++)
		pthread_mutex_init(&ring[i], NULL);
	run(ring_size, orderly);
}

/* Kinds mixed. */
static void *reads_then_mutex(void *unused)
{
	pthread_rwlock_rdlock(&table);
	pthread_barrier_wait(&meeting);
	pthread_mutex_lock(&mutex);
	return unused;
}

static void *mutex_then_writes(void *unused)
{
	pthread_mutex_lock(&mutex);
	pthread_barrier_wait(&meeting);
	pthread_rwlock_wrlock(&table);
	return unused;
}

static void *mutex_then_reads(void *unused)
{
	pthread_mutex_lock(&mutex);
	pthread_barrier_wait(&meeting);
	CHECK(pthread_rwlock_rdlock(&table) == 0);
	pthread_rwlock_unlock(&table);
	pthread_mutex_unlock(&mutex);
	return unused;
}

static void *reads_then_mutex_back(void *unused)
{
	pthread_rwlock_rdlock(&table);
	pthread_barrier_wait(&meeting);
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	pthread_rwlock_unlock(&table);
	return unused;
}

static void reader_writer(void)
{
	pthread_barrier_init(&meeting, NULL, 2);
	run_two(reads_then_mutex, mutex_then_writes);
}

static void readers(void)
{
	pthread_barrier_init(&meeting, NULL, 2);
	run_two(reads_then_mutex_back, mutex_then_reads);
}

static void *upgrade(void *unused)
{
	pthread_rwlock_rdlock(&table);
	pthread_barrier_wait(&meeting);
	pthread_rwlock_wrlock(&table);
	return unused;
}

static void upgrades(void)
{
	pthread_barrier_init(&meeting, NULL, 2);
	run_two(upgrade, upgrade);
}

static void upgrade_alone(void)
{
	pthread_rwlock_rdlock(&table);
	pthread_rwlock_wrlock(&table);
}

/* A reader that comes back while a writer waits. */
static void *write_once(void *unused)
{
	pthread_rwlock_wrlock(&table);
	pthread_rwlock_unlock(&table);
	return unused;
}

static void read_twice_around_a_writer(bool writers_first)
{
	pthread_rwlockattr_t attributes;
	pthread_t writer;

	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, writers_first ? PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP
	                                                         : PTHREAD_RWLOCK_PREFER_READER_NP);
	pthread_rwlock_init(&table, &attributes);
	pthread_rwlock_rdlock(&table);
	pthread_create(&writer, NULL, write_once, NULL);
	usleep(100000);
	pthread_rwlock_rdlock(&table);
	pthread_rwlock_unlock(&table);
	pthread_rwlock_unlock(&table);
	pthread_join(writer, NULL);
}

static void writer_between(void) { read_twice_around_a_writer(true); }
static void writer_between_readers_first(void) { read_twice_around_a_writer(false); }

static void *spin_then_mutex(void *unused)
{
	pthread_spin_lock(&spin);
	pthread_barrier_wait(&meeting);
	pthread_mutex_lock(&mutex);
	return unused;
}

static void *mutex_then_spin(void *unused)
{
	pthread_mutex_lock(&mutex);
	pthread_barrier_wait(&meeting);
	pthread_spin_lock(&spin);
	return unused;
}

static void spinlock(void)
{
	pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
	pthread_barrier_init(&meeting, NULL, 2);
	run_two(spin_then_mutex, mutex_then_spin);
}

static void *takes_mutex(void *unused)
{
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	return unused;
}

static void join_under_lock(void)
{
	pthread_t thread;

	pthread_mutex_lock(&mutex);
	CHECK(pthread_create(&thread, NULL, takes_mutex, NULL) == 0);
	pthread_join(thread, NULL);
}

static void join_after_unlock(void)
{
	pthread_t thread;

	pthread_mutex_lock(&mutex);
	CHECK(pthread_create(&thread, NULL, takes_mutex, NULL) == 0);
	usleep(50000);
	pthread_mutex_unlock(&mutex);
	pthread_join(thread, NULL);
}

static void *joins_main(void *unused)
{
	pthread_join(main_thread, NULL);
	return unused;
}

static void join_each_other(void)
{
	pthread_t thread;

	main_thread = pthread_self();
	CHECK(pthread_create(&thread, NULL, joins_main, NULL) == 0);
	pthread_join(thread, NULL);
}

static void init_takes_mutex(void)
{
	pthread_barrier_wait(&meeting);
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
}

static void *calls_once(void *unused)
{
	pthread_once(&once, init_takes_mutex);
	return unused;
}

static void *mutex_then_once(void *unused)
{
	pthread_mutex_lock(&mutex);
	pthread_barrier_wait(&meeting);
	pthread_once(&once, init_takes_mutex);
	pthread_mutex_unlock(&mutex);
	return unused;
}

static void once_routine(void)
{
	pthread_barrier_init(&meeting, NULL, 2);
	run_two(calls_once, mutex_then_once);
}

static void init_again(void)
{
	pthread_once(&once, init_again);
}

static void once_in_itself(void)
{
	pthread_once(&once, init_again);
}

/* The same with more locks held than the board has room for beside it, and a mutex among those. */
static void *calls_once_with_many(void *unused)
{
	for (int i = 0; i < 20; i++)
		CHECK(pthread_mutex_lock(&ring[i]) == 0);
	pthread_once(&once, init_takes_mutex);
	return unused;
}

static void init_takes_ring(void)
{
	pthread_barrier_wait(&meeting);
	pthread_mutex_lock(&ring[15]);
}

static void *runs_once(void *unused)
{
	pthread_once(&once, init_takes_ring);
	return unused;
}

static void *many_then_once(void *unused)
{
	for (int i = 0; i < 20; i++)
		CHECK(pthread_mutex_lock(&ring[i]) == 0);
	pthread_barrier_wait(&meeting);
	pthread_once(&once, init_takes_ring);
	return unused;
}

static void init_ring(void)
{
	for (int i = 0; i < 20; i++)
		pthread_mutex_init(&ring[i], NULL);
	pthread_barrier_init(&meeting, NULL, 2);
}

static void once_with_many_held(void)
{
	init_ring();
	run_two(calls_once_with_many, mutex_then_once);
}

static void many_held_then_once(void)
{
	init_ring();
	run_two(runs_once, many_then_once);
}

/* A time limit: late, and no deadlock. */
static void *mutex_then_other_timed(void *unused)
{
	struct timespec soon;

	pthread_mutex_lock(&mutex);
	pthread_barrier_wait(&meeting);
	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_nsec += 200000000;
	soon.tv_sec += soon.tv_nsec / 1000000000;
	soon.tv_nsec %= 1000000000;
	CHECK(pthread_mutex_timedlock(&other, &soon) == ETIMEDOUT);
	pthread_mutex_unlock(&mutex);
	return unused;
}

static void *other_then_mutex(void *unused)
{
	pthread_mutex_lock(&other);
	pthread_barrier_wait(&meeting);
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	pthread_mutex_unlock(&other);
	return unused;
}

static void timed(void)
{
	pthread_barrier_init(&meeting, NULL, 2);
	run_two(mutex_then_other_timed, other_then_mutex);
}

static void *holds_for_a_while(void *unused)
{
	pthread_mutex_lock(&mutex);
	pthread_barrier_wait(&meeting);
	sleep(2);
	pthread_mutex_unlock(&mutex);
	return unused;
}

static void *meets_then_locks(void *unused)
{
	pthread_barrier_wait(&meeting);
	return takes_mutex(unused);
}

static void long_wait(void)
{
	pthread_barrier_init(&meeting, NULL, 2);
	run_two(holds_for_a_while, meets_then_locks);
}

/* Runs for ever with two locks held. */
static void spin_holding(void)
{
	pthread_mutex_lock(&mutex);
	pthread_rwlock_rdlock(&table);
	puts("held");
	fflush(stdout);
	for (;;)
		sched_yield();
}

static void lock_twice(void)
{
	pthread_mutex_lock(&mutex);
	if (pthread_mutex_lock(&mutex) == EDEADLK)
		puts("refused");
}

static void of_type(int type)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, type);
	pthread_mutex_init(&mutex, &attributes);
	lock_twice();
	pthread_mutex_unlock(&mutex);
}

static void twice_recursive(void)
{
	of_type(PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_unlock(&mutex);
}
static void twice_errorcheck(void) { of_type(PTHREAD_MUTEX_ERRORCHECK); }

static void spin_twice(void)
{
	pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
	pthread_spin_lock(&spin);
	pthread_spin_lock(&spin);
}

/* Stalls. */
static void *waits_for_nobody(void *unused)
{
	pthread_mutex_lock(&mutex);
	pthread_cond_wait(&cond, &mutex);
	pthread_mutex_unlock(&mutex);
	return unused;
}

static void lost_wakeup(void)
{
	pthread_cond_signal(&cond);
	run_two(waits_for_nobody, takes_mutex);
}

/* A wait takes off one lock of a recursive mutex, so one that was locked twice stays locked: nobody can wake it. */
static void make_recursive(void)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&mutex, &attributes);
}
static int locked_times, asleep, woken;

static void *waits_locked(void *unused)
{
	for (int i = 0; i < locked_times; i++)
		pthread_mutex_lock(&mutex);
	__atomic_store_n(&asleep, 1, __ATOMIC_RELEASE);
	while (!woken)
		pthread_cond_wait(&cond, &mutex);
	for (int i = 0; i < locked_times; i++)
		pthread_mutex_unlock(&mutex);
	return unused;
}
static void *wakes_under_mutex(void *unused)
{
	while (!__atomic_load_n(&asleep, __ATOMIC_ACQUIRE))
		sched_yield();
	pthread_mutex_lock(&mutex);
	woken = 1;
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&mutex);
	return unused;
}
static void wait_locked(int times)
{
	make_recursive();
	locked_times = times;
	run_two(waits_locked, wakes_under_mutex);
}
static void wait_locked_once(void) { wait_locked(1); }
static void wait_locked_twice(void) { wait_locked(2); }

/* More threads than one report has room for. */
static void lost_wakeup_of_many(void)
{
	enum { MANY = 300 };
	pthread_attr_t attributes;
	pthread_t thread = 0;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 1 << 16);
	for (int i = 0; i < MANY; i++)
		CHECK(pthread_create(&thread, &attributes, waits_for_nobody, NULL) == 0);
	pthread_join(thread, NULL);
}

static void *sleeps_and_wakes(void *unused)
{
	usleep(200000);
	pthread_mutex_lock(&mutex);
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&mutex);
	return unused;
}

static void woken_late(void)
{
	run_two(waits_for_nobody, sleeps_and_wakes);
}

static void no_post(void)
{
	sem_init(&sem, 0, 0);
	sem_wait(&sem);
}

static void post_in_handler(int signal)
{
	(void)signal;
	sem_post(&sem);
}

static void post_by_signal(void)
{
	sem_init(&sem, 0, 0);
	signal(SIGALRM, post_in_handler);
	alarm(1);
	while (sem_wait(&sem) != 0)
		CHECK(errno == EINTR);
}

static void *at_barrier(void *unused)
{
	pthread_barrier_wait(&meeting);
	return unused;
}

static void barrier_of_too_many(void)
{
	pthread_barrier_init(&meeting, NULL, 3);
	run_two(at_barrier, at_barrier);
}

static void *ping(void *unused)
{
	for (int i = 0; i < 5000; i++) {
		pthread_mutex_lock(&mutex);
		races++;
		pthread_cond_signal(&cond);
		while (races % 2)
			pthread_cond_wait(&cond, &mutex);
		pthread_mutex_unlock(&mutex);
	}
	return unused;
}

static void *pong(void *unused)
{
	for (int i = 0; i < 5000; i++) {
		pthread_mutex_lock(&mutex);
		while (races % 2 == 0)
			pthread_cond_wait(&cond, &mutex);
		races++;
		pthread_cond_signal(&cond);
		pthread_mutex_unlock(&mutex);
	}
	return unused;
}

/* All but one wait, again and again, and each wait ends. */
static void ping_pong(void)
{
	races = 0;
	run_two(ping, pong);
}

static sem_t there, back;

static void *sem_ping(void *unused)
{
	for (int i = 0; i < 5000; i++) {
		sem_post(&there);
		sem_wait(&back);
	}
	return unused;
}

static void *sem_pong(void *unused)
{
	for (int i = 0; i < 5000; i++) {
		sem_wait(&there);
		sem_post(&back);
	}
	return unused;
}

static void sem_ping_pong(void)
{
	sem_init(&there, 0, 0);
	sem_init(&back, 0, 0);
	run_two(sem_ping, sem_pong);
}

/* A time limit by alarm, or by a timer, and a jump. Without a handler it is only a watchdog. */
static sigjmp_buf limit;

static void out_of_wait(int signal)
{
	(void)signal;
	siglongjmp(limit, 1);
}

static void *waits_for_word(void *unused)
{
	pthread_mutex_lock(&mutex);
	while (!races)
		pthread_cond_wait(&cond, &mutex);
	pthread_mutex_unlock(&mutex);
	return unused;
}

static void set_timer(int signal)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = signal};
	struct itimerspec once_later = {.it_value = {.tv_nsec = 500000000}};
	timer_t timer;

	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	CHECK(timer_settime(timer, 0, &once_later, NULL) == 0);
}

static void join_until(void (*arm)(void))
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, waits_for_word, NULL) == 0);
	if (sigsetjmp(limit, 1) == 0) {
		arm();
		pthread_join(thread, NULL);
	}
	pthread_mutex_lock(&mutex);
	races = 1;
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&mutex);
	CHECK(pthread_join(thread, NULL) == 0);
}

static void by_alarm(void)
{
	CHECK(signal(SIGALRM, out_of_wait) != SIG_ERR);
	alarm(1);
}

static void by_timer(void)
{
	CHECK(signal(SIGUSR2, out_of_wait) != SIG_ERR);
	set_timer(SIGUSR2);
}

static void by_watchdog(void) { alarm(20); }

static void jump_by_alarm(void) { join_until(by_alarm); }
static void jump_by_timer(void) { join_until(by_timer); }
static void watchdog(void) { join_until(by_watchdog); }

static void join_itself(void)
{
	CHECK(pthread_join(pthread_self(), NULL) == EDEADLK);
}

static pthread_t joiners[3];

static void *joins_next(void *argument)
{
	pthread_barrier_wait(&meeting);
	pthread_join(joiners[((intptr_t)argument + 1) % 3], NULL);
	return NULL;
}

static void join_ring(void)
{
	pthread_barrier_init(&meeting, NULL, 4);
	for (intptr_t i = 0; i < 3; i++)
		CHECK(pthread_create(&joiners[i], NULL, joins_next, (void *)i) == 0);
	pthread_barrier_wait(&meeting);
	pause();
}

/* Two processes, two mutexes in shared memory. */
static pthread_mutex_t *shared;
static pthread_barrier_t *both;

static void share(void)
{
	pthread_mutexattr_t attributes;
	pthread_barrierattr_t barrier_attributes;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	both = (void *)(shared + 2);
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_barrierattr_init(&barrier_attributes);
	pthread_barrierattr_setpshared(&barrier_attributes, PTHREAD_PROCESS_SHARED);
	CHECK(pthread_mutex_init(&shared[0], &attributes) == 0 && pthread_mutex_init(&shared[1], &attributes) == 0);
	CHECK(pthread_barrier_init(both, &barrier_attributes, 2) == 0);
}

static void take_shared(int first, int turns, bool meet)
{
	unsigned seed = (unsigned)getpid();

	for (int i = 0; i < turns; i++) {
		stay(&seed);
		pthread_mutex_lock(&shared[first]);
		stay(&seed);
		if (meet)
			pthread_barrier_wait(both);
		if (pthread_mutex_lock(&shared[!first]) == 0)
			pthread_mutex_unlock(&shared[!first]);
		pthread_mutex_unlock(&shared[first]);
	}
}

static void in_two_processes(bool inverted, int turns, bool meet)
{
	share();
	pid_t child = fork();
	take_shared(inverted && child == 0, turns, meet);
	if (child == 0)
		_exit(0);
	int status;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void two_processes(void) { in_two_processes(true, 1, true); }
static void two_processes_in_order(void) { in_two_processes(false, 2000, false); }
static void race_two_processes(void)
{
	pause_us = from_environment("PAUSE", 0);
	in_two_processes(true, from_environment("RACES", 200), false);
}

CASES({"two", two}, {"three", three}, {"eight", eight}, {"fifty", fifty}, {"race-two", race_two},
      {"race-three", race_three}, {"race-eight", race_eight}, {"ordered", ordered}, {"reader-writer", reader_writer},
      {"readers", readers}, {"upgrades", upgrades}, {"upgrade-alone", upgrade_alone},
      {"writer-between", writer_between}, {"writer-between-readers-first", writer_between_readers_first},
      {"spin", spinlock}, {"join-under-lock", join_under_lock}, {"join-after-unlock", join_after_unlock},
      {"join-each-other", join_each_other}, {"join-itself", join_itself}, {"jump-by-alarm", jump_by_alarm},
      {"jump-by-timer", jump_by_timer}, {"watchdog", watchdog}, {"join-ring", join_ring}, {"once", once_routine}, {"once-in-itself", once_in_itself},
      {"timed", timed}, {"lock-twice", lock_twice}, {"twice-recursive", twice_recursive},
      {"twice-errorcheck", twice_errorcheck}, {"spin-twice", spin_twice}, {"lost-wakeup", lost_wakeup},
      {"wait-locked-once", wait_locked_once},
      {"wait-locked-twice", wait_locked_twice}, {"woken-late", woken_late}, {"no-post", no_post}, {"post-by-signal", post_by_signal},
      {"barrier-of-too-many", barrier_of_too_many}, {"ping-pong", ping_pong}, {"sem-ping-pong", sem_ping_pong},
      {"once-with-many-held", once_with_many_held}, {"many-held-then-once", many_held_then_once},
      {"lost-wakeup-of-many", lost_wakeup_of_many}, {"long-wait", long_wait}, {"spin-holding", spin_holding}, {"two-processes", two_processes},
      {"two-processes-in-order", two_processes_in_order}, {"race-two-processes", race_two_processes})
