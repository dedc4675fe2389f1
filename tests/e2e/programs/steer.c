/* Lock-order cycles that time alone keeps from closing, for detect confirm; and twins that can't close, since
 * the program orders its threads by a flag, a condition, a semaphore, a pipe: orders that a detector does not
 * take for one. A run without steering ends well: threads come to their locks one nap after the other. */
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "case.h"

enum { LOCKS = 8, NAP_MS = 15 };

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER,
                       outer = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t ring[LOCKS];
static pthread_mutex_t again_a = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP,
                       again_b = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER, index_lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin_a, spin_b;
static int ring_size;
static volatile long work;

static void nap(int ms)
{
	struct timespec time = {ms / 1000, ms % 1000 * 1000000L};

	while (nanosleep(&time, &time) != 0)
		;
}

static void run(int count, void *(*const routines[])(void *))
{
	pthread_t threads[LOCKS];

	for (intptr_t i = 0; i < count; i++)
		CHECK(pthread_create(&threads[i], NULL, routines[i], (void *)i) == 0);
	for (int i = 0; i < count; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

static void run_two(void *(*first)(void *), void *(*second)(void *))
{
	void *(*const both[])(void *) = {first, second};

	run(2, both);
}

static void both(pthread_mutex_t *first, pthread_mutex_t *second)
{
	pthread_mutex_lock(first);
	work++;
	pthread_mutex_lock(second);
	work++;
	pthread_mutex_unlock(second);
	pthread_mutex_unlock(first);
}

/* Two threads, each other's order. */
static void *a_then_b(void *unused)
{
	both(&a, &b);
	return unused;
}

static void *b_then_a(void *unused)
{
	nap(NAP_MS);
	both(&b, &a);
	return unused;
}

static void two(void)
{
	run_two(a_then_b, b_then_a);
}

/* One much later than the other: only a long pause makes them meet. */
static void *b_then_a_late(void *unused)
{
	nap(150);
	return b_then_a(unused);
}

static void late(void)
{
	run_two(a_then_b, b_then_a_late);
}

/* Rings of three and four. */
static void *in_ring(void *argument)
{
	int i = (int)(intptr_t)argument;

	nap(i * NAP_MS);
	both(&ring[i], &ring[(i + 1) % ring_size]);
	return NULL;
}

static void seat(int count)
{
	void *(*const routines[])(void *) = {in_ring, in_ring, in_ring, in_ring, in_ring, in_ring};

	ring_size = count;
	for (int i = 0; i < count; i++)
		pthread_mutex_init(&ring[i], NULL);
	run(count, routines);
}

static void three(void)
{
	seat(3);
}
static void four(void)
{
	seat(4);
}
static void six(void)
{
	seat(6);
}

/* Readers of one, writers of the other. */
static void *read_table(void *unused)
{
	pthread_rwlock_rdlock(&table);
	pthread_rwlock_wrlock(&index_lock);
	pthread_rwlock_unlock(&index_lock);
	pthread_rwlock_unlock(&table);
	return unused;
}

static void *read_index(void *unused)
{
	nap(NAP_MS);
	pthread_rwlock_rdlock(&index_lock);
	pthread_rwlock_wrlock(&table);
	pthread_rwlock_unlock(&table);
	pthread_rwlock_unlock(&index_lock);
	return unused;
}

static void rwlocks(void)
{
	run_two(read_table, read_index);
}

/* A mutex and an rwlock. */
static void *mutex_then_table(void *unused)
{
	pthread_mutex_lock(&a);
	pthread_rwlock_rdlock(&table);
	pthread_rwlock_unlock(&table);
	pthread_mutex_unlock(&a);
	return unused;
}

static void *table_then_mutex(void *unused)
{
	nap(NAP_MS);
	pthread_rwlock_wrlock(&table);
	pthread_mutex_lock(&a);
	pthread_mutex_unlock(&a);
	pthread_rwlock_unlock(&table);
	return unused;
}

static void mixed(void)
{
	run_two(mutex_then_table, table_then_mutex);
}

/* Held more than once. */
static void again(pthread_mutex_t *first, pthread_mutex_t *second)
{
	pthread_mutex_lock(first);
	pthread_mutex_lock(first);
	both(second, first);
	pthread_mutex_unlock(first);
	pthread_mutex_unlock(first);
}

static void *again_a_b(void *unused)
{
	again(&again_a, &again_b);
	return unused;
}

static void *again_b_a(void *unused)
{
	nap(NAP_MS);
	again(&again_b, &again_a);
	return unused;
}

static void recursive(void)
{
	run_two(again_a_b, again_b_a);
}

/* The first is only tried, the second waited for. */
static void try_then(pthread_mutex_t *first, pthread_mutex_t *second)
{
	while (pthread_mutex_trylock(first) != 0)
		nap(1);
	pthread_mutex_lock(second);
	pthread_mutex_unlock(second);
	pthread_mutex_unlock(first);
}

static void *try_a_then_b(void *unused)
{
	try_then(&a, &b);
	return unused;
}

static void tried(void)
{
	run_two(try_a_then_b, b_then_a);
}

/* Locks taken and left in functions of their own, the second one in a callback. */
struct account {
	pthread_mutex_t lock;
	long money;
};

static __attribute__((noinline)) void enter(struct account *account)
{
	pthread_mutex_lock(&account->lock);
	__asm__ volatile("" ::: "memory"); /* a frame of its own */
}

static __attribute__((noinline)) void leave(struct account *account)
{
	pthread_mutex_unlock(&account->lock);
	__asm__ volatile("" ::: "memory");
}

static void deposit(struct account *to)
{
	enter(to);
	to->money++;
	leave(to);
}

static __attribute__((noinline)) void transfer(struct account *from, struct account *to,
                                               void (*then)(struct account *))
{
	enter(from);
	from->money--;
	then(to);
	leave(from);
}

static struct account accounts[LOCKS] = {{PTHREAD_MUTEX_INITIALIZER, 0}, {PTHREAD_MUTEX_INITIALIZER, 0}};

static void *there(void *unused)
{
	transfer(&accounts[0], &accounts[1], deposit);
	return unused;
}

static void *back(void *unused)
{
	nap(NAP_MS);
	transfer(&accounts[1], &accounts[0], deposit);
	return unused;
}

static void functions(void)
{
	run_two(there, back);
}

/* Locks of the heap, all made at one place, taken at one place: which is which is seen only as it closes. */
static struct account *made[LOCKS];

static void *heap_round(void *argument)
{
	int i = (int)(intptr_t)argument;

	for (int turn = 0; turn < 5; turn++) {
		nap(4 * i + 1);
		transfer(made[i], made[(i + 1) % 3], deposit);
		nap(8 - 4 * i + 4);
	}
	return NULL;
}

static void heap(void)
{
	void *(*const routines[])(void *) = {heap_round, heap_round, heap_round};

	for (int i = 0; i < 3; i++) {
		made[i] = calloc(1, sizeof(*made[i]));
		CHECK(made[i] && pthread_mutex_init(&made[i]->lock, NULL) == 0);
	}
	run(3, routines);
	for (int i = 0; i < 3; i++)
		free(made[i]);
}

/* Very short holds, many of them, at other times. */
static void *short_there(void *unused)
{
	for (int turn = 0; turn < 100; turn++) {
		both(&a, &b);
		nap(1);
	}
	return unused;
}

static void *short_back(void *unused)
{
	for (int turn = 0; turn < 3; turn++) {
		nap(30);
		both(&b, &a);
	}
	return unused;
}

static void windows(void)
{
	run_two(short_there, short_back);
}

/* One side has a third lock, which the other needs on its way: who is held back at the wrong edge keeps it
 * out. */
static void *under_outer(void *unused)
{
	for (int turn = 0; turn < 10; turn++) {
		pthread_mutex_lock(&outer);
		both(&a, &b);
		pthread_mutex_unlock(&outer);
		nap(7);
	}
	return unused;
}

static void *through_outer(void *unused)
{
	for (int turn = 0; turn < 10; turn++) {
		nap(5);
		pthread_mutex_lock(&outer);
		work++;
		pthread_mutex_unlock(&outer);
		both(&b, &a);
	}
	return unused;
}

static void under_third(void)
{
	run_two(under_outer, through_outer);
}

/* Many bystanders who pass the same places with other locks. */
static struct account crowd[LOCKS];

static void *bystander(void *argument)
{
	int i = (int)(intptr_t)argument;

	for (int turn = 0; turn < 40; turn++) {
		transfer(&crowd[i], &crowd[i + 1], deposit);
		nap(1);
	}
	return NULL;
}

static void crowded(void)
{
	void *(*const routines[])(void *) = {bystander, bystander, bystander, there, back};

	for (int i = 0; i < LOCKS; i++)
		pthread_mutex_init(&crowd[i].lock, NULL);
	run(5, routines);
}

/* Spin locks. */
static void spin_both(pthread_spinlock_t *first, pthread_spinlock_t *second)
{
	pthread_spin_lock(first);
	pthread_spin_lock(second);
	pthread_spin_unlock(second);
	pthread_spin_unlock(first);
}

static void *spin_there(void *unused)
{
	spin_both(&spin_a, &spin_b);
	return unused;
}

static void *spin_back(void *unused)
{
	nap(NAP_MS);
	spin_both(&spin_b, &spin_a);
	return unused;
}

static void spins(void)
{
	pthread_spin_init(&spin_a, PTHREAD_PROCESS_PRIVATE);
	pthread_spin_init(&spin_b, PTHREAD_PROCESS_PRIVATE);
	run_two(spin_there, spin_back);
}

/* The one that is late in "late" comes first. */
static void *a_then_b_late(void *unused)
{
	nap(200);
	return a_then_b(unused);
}

static void early(void)
{
	run_two(b_then_a, a_then_b_late);
}

/* Both threads run the same code, with both orders in it. */
static void *both_orders(void *argument)
{
	nap((int)(intptr_t)argument * 2 * NAP_MS);
	both(&a, &b);
	nap(NAP_MS);
	both(&b, &a);
	return NULL;
}

static void same_code(void)
{
	run_two(both_orders, both_orders);
}

/* Any account to any other, by four threads. */
static void *random_transfers(void *argument)
{
	unsigned seed = (unsigned)(intptr_t)argument + 1;

	for (int turn = 0; turn < 60; turn++) {
		int from = rand_r(&seed) % LOCKS, to = (from + 1 + rand_r(&seed) % (LOCKS - 1)) % LOCKS;
		transfer(&accounts[from], &accounts[to], deposit);
		nap(1);
	}
	return NULL;
}

static void bank(void)
{
	void *(*const routines[])(void *) = {random_transfers, random_transfers, random_transfers,
	                                     random_transfers};

	for (int i = 0; i < LOCKS; i++)
		pthread_mutex_init(&accounts[i].lock, NULL);
	run(4, routines);
}

/* A pool that takes its jobs from a queue: who runs which is open. */
enum { JOBS = 12 };

static pthread_mutex_t queue = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t job_there = PTHREAD_COND_INITIALIZER;
static int jobs_put, jobs_taken;

static void *worker(void *unused)
{
	for (;;) {
		pthread_mutex_lock(&queue);
		while (jobs_taken == jobs_put)
			pthread_cond_wait(&job_there, &queue);
		int job = jobs_taken++;
		pthread_mutex_unlock(&queue);
		if (job >= JOBS)
			return unused;
		if (job % 4 == 3)
			both(&b, &a);
		else
			both(&a, &b);
	}
}

static void *boss(void *unused)
{
	for (int job = 0; job < JOBS + 3; job++) {
		nap(job < JOBS ? 4 : 0);
		pthread_mutex_lock(&queue);
		jobs_put++;
		pthread_cond_signal(&job_there);
		pthread_mutex_unlock(&queue);
	}
	return unused;
}

static void pool(void)
{
	void *(*const routines[])(void *) = {worker, worker, worker, boss};

	run(4, routines);
}

/* Five at a table, who eat at times of their own. */
static void *philosopher(void *argument)
{
	int i = (int)(intptr_t)argument;

	for (int meal = 0; meal < 10; meal++) {
		nap(1 + (i * 7 + meal * 3) % 11);
		both(&ring[i], &ring[(i + 1) % ring_size]);
	}
	return NULL;
}

static void dining(void)
{
	void *(*const routines[])(void *) = {philosopher, philosopher, philosopher, philosopher, philosopher};

	ring_size = 5;
	for (int i = 0; i < ring_size; i++)
		pthread_mutex_init(&ring[i], NULL);
	run(ring_size, routines);
}

/* Between the cycle's two a thread takes others. */
static void *a_c_then_b(void *unused)
{
	pthread_mutex_lock(&a);
	both(&outer, &b);
	pthread_mutex_unlock(&a);
	return unused;
}

static void between(void)
{
	run_two(a_c_then_b, b_then_a);
}

/* The first is waited for with a limit, the second without. */
static void *timed_a_then_b(void *unused)
{
	struct timespec limit;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += 10;
	CHECK(pthread_mutex_timedlock(&a, &limit) == 0);
	pthread_mutex_lock(&b);
	pthread_mutex_unlock(&b);
	pthread_mutex_unlock(&a);
	return unused;
}

static void timed(void)
{
	run_two(timed_a_then_b, b_then_a);
}

/* The second thread is made by the first, before its edge, with a lock of its own held. */
static pthread_t made_thread;

static void *makes_another(void *unused)
{
	pthread_mutex_lock(&outer);
	CHECK(pthread_create(&made_thread, NULL, b_then_a, NULL) == 0);
	pthread_mutex_unlock(&outer);
	return a_then_b(unused);
}

static void made_by_it(void)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, makes_another, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(pthread_join(made_thread, NULL) == 0);
}

/* A semaphore of one unit as a lock. */
static sem_t one_unit;

static void *unit_then_a(void *unused)
{
	sem_wait(&one_unit);
	pthread_mutex_lock(&a);
	pthread_mutex_unlock(&a);
	sem_post(&one_unit);
	return unused;
}

static void *a_then_unit(void *unused)
{
	nap(NAP_MS);
	pthread_mutex_lock(&a);
	sem_wait(&one_unit);
	sem_post(&one_unit);
	pthread_mutex_unlock(&a);
	return unused;
}

static void unit(void)
{
	sem_init(&one_unit, 0, 1);
	run_two(unit_then_a, a_then_unit);
}

/* Two processes that share two mutexes. */
static struct both_locks {
	pthread_mutex_t rows, entries;
} * shared;

static void processes(void)
{
	pthread_mutexattr_t attributes;
	int status;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&shared->rows, &attributes);
	pthread_mutex_init(&shared->entries, &attributes);
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		both(&shared->rows, &shared->entries);
		_exit(0);
	}
	nap(NAP_MS);
	both(&shared->entries, &shared->rows);
	CHECK(waitpid(child, &status, 0) == child);
}

/* In a child, and the parent waits for it. */
static void in_child(void)
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0);
	if (child == 0) {
		two();
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
}

/* Ends by itself only after a minute. */
static void endless(void)
{
	two();
	nap(60000);
}

/* Never ends. */
static void hangs(void)
{
	for (;;)
		nap(1000);
}

static void nothing(void)
{
	both(&a, &b);
}

/* What follows can't close: the second thread's part begins when the first's is over. */
static int flag;
static sem_t word;
static pthread_mutex_t word_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t word_given = PTHREAD_COND_INITIALIZER;
static int pipe_ends[2];

static void raise_flag(int to)
{
	__atomic_store_n(&flag, to, __ATOMIC_RELEASE);
}

static void wait_for_flag(int value)
{
	while (__atomic_load_n(&flag, __ATOMIC_ACQUIRE) < value)
		nap(1);
}

static void *flag_first(void *unused)
{
	both(&a, &b);
	raise_flag(1);
	return unused;
}

static void *flag_second(void *unused)
{
	wait_for_flag(1);
	both(&b, &a);
	return unused;
}

static void by_flag(void)
{
	run_two(flag_first, flag_second);
}

/* Two cycles, of which one can close. */
static void *one_of_each(void *unused)
{
	both(&ring[0], &ring[1]);
	raise_flag(1);
	return a_then_b(unused);
}

static void *other_of_each(void *unused)
{
	b_then_a(unused);
	wait_for_flag(1);
	both(&ring[1], &ring[0]);
	return unused;
}

static void two_cycles(void)
{
	pthread_mutex_init(&ring[0], NULL);
	pthread_mutex_init(&ring[1], NULL);
	run_two(one_of_each, other_of_each);
}

/* Also copies a line of its input. */
static void echo(void)
{
	char line[64];

	if (fgets(line, sizeof(line), stdin))
		fputs(line, stdout);
	by_flag();
}

static void *condition_first(void *unused)
{
	both(&a, &b);
	pthread_mutex_lock(&word_lock);
	flag = 1;
	pthread_cond_signal(&word_given);
	pthread_mutex_unlock(&word_lock);
	return unused;
}

static void *condition_second(void *unused)
{
	pthread_mutex_lock(&word_lock);
	while (!flag)
		pthread_cond_wait(&word_given, &word_lock);
	pthread_mutex_unlock(&word_lock);
	both(&b, &a);
	return unused;
}

static void by_condition(void)
{
	run_two(condition_first, condition_second);
}

static void *semaphore_first(void *unused)
{
	both(&a, &b);
	sem_post(&word);
	return unused;
}

static void *semaphore_second(void *unused)
{
	sem_wait(&word);
	both(&b, &a);
	return unused;
}

static void by_semaphore(void)
{
	sem_init(&word, 0, 0);
	run_two(semaphore_first, semaphore_second);
}

static void *pipe_first(void *unused)
{
	both(&a, &b);
	CHECK(write(pipe_ends[1], "x", 1) == 1);
	return unused;
}

static void *pipe_second(void *unused)
{
	char byte;

	CHECK(read(pipe_ends[0], &byte, 1) == 1);
	both(&b, &a);
	return unused;
}

static void by_pipe(void)
{
	CHECK(pipe(pipe_ends) == 0);
	run_two(pipe_first, pipe_second);
}

/* Many turns, one after the other. */
static void *turns_first(void *unused)
{
	for (int turn = 0; turn < 20; turn += 2) {
		wait_for_flag(turn);
		both(&a, &b);
		raise_flag(turn + 1);
	}
	return unused;
}

static void *turns_second(void *unused)
{
	for (int turn = 1; turn < 20; turn += 2) {
		wait_for_flag(turn);
		both(&b, &a);
		raise_flag(turn + 1);
	}
	return unused;
}

static void by_turns(void)
{
	run_two(turns_first, turns_second);
}

static void *table_first(void *unused)
{
	read_table(unused);
	raise_flag(1);
	return unused;
}

static void *index_second(void *unused)
{
	wait_for_flag(1);
	return read_index(unused);
}

static void rwlocks_by_flag(void)
{
	run_two(table_first, index_second);
}

/* Of three, only the first two may meet. */
static void *ring_by_flag(void *argument)
{
	int i = (int)(intptr_t)argument;

	if (i == 2)
		wait_for_flag(1);
	both(&ring[i], &ring[(i + 1) % 3]);
	if (i == 0)
		raise_flag(1);
	return NULL;
}

static void three_by_flag(void)
{
	void *(*const routines[])(void *) = {ring_by_flag, ring_by_flag, ring_by_flag};

	for (int i = 0; i < 3; i++)
		pthread_mutex_init(&ring[i], NULL);
	run(3, routines);
}

/* In the end: what is steered does not close. */
static void crashes(void)
{
	by_flag();
	abort();
}

CASES({"two", two}, {"late", late}, {"three", three}, {"four", four}, {"six", six}, {"rwlocks", rwlocks},
      {"mixed", mixed}, {"recursive", recursive}, {"tried", tried}, {"functions", functions}, {"heap", heap},
      {"windows", windows}, {"unit", unit}, {"processes", processes}, {"early", early},
      {"same-code", same_code}, {"bank", bank}, {"pool", pool}, {"dining", dining}, {"between", between},
      {"timed", timed}, {"made-by-it", made_by_it}, {"under-third", under_third}, {"crowded", crowded},
      {"spins", spins}, {"child", in_child}, {"two-cycles", two_cycles}, {"endless", endless},
      {"hangs", hangs}, {"nothing", nothing}, {"crashes", crashes}, {"echo", echo}, {"flag", by_flag}, {"condition", by_condition},
      {"semaphore", by_semaphore}, {"pipe", by_pipe}, {"turns", by_turns},
      {"rwlocks-by-flag", rwlocks_by_flag}, {"three-by-flag", three_by_flag})
