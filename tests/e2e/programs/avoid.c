/* avoid.c: programs that deadlock more often than not, for --avoid: THING THREADS ROUNDS.
 *
 *   abba        two locks, even threads one way, odd ones the other
 *   philosophers  THREADS forks, one between two
 *   heap-philosophers  the same, each fork a block of its own
 *   tables      two rwlocks: each thread reads one, and then writes the other
 *   forks-and-waits  abba, in a program that forks, and waits on a condition
 *   pool        three units of a semaphore; each takes two, one at a time
 *   one-lock    the work of abba under one lock
 *   ordered-philosophers, lone-philosophers  mended by an order; by one lock around it all
 *   staged      two threads hold one lock each before either wants the other's: without help, it hangs
 *   exceeds     takes more than a run with `exceeds-not` has shown
 *   stubborn    holds what another's section may need until that other has come on: only patience helps (2 2)
 */
#include <sched.h>
#include <semaphore.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "case.h"

enum { THREADS_MAX = 64 };

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER,
                       c = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t big = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t forks[THREADS_MAX], *heap_forks[THREADS_MAX];
static pthread_rwlock_t tables[2] = {PTHREAD_RWLOCK_INITIALIZER, PTHREAD_RWLOCK_INITIALIZER};
static pthread_cond_t conds[2] = {PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER};
static sem_t pool;
static int threads, rounds, effort = 1; /* effort: of what is done with both locks, from the environment */
static long done;

static void work(int turns)
{
	for (volatile int i = 0; i < turns; i++)
		;
}

/* Long enough for another thread to come between. */
static void dawdle(int round)
{
	if (round % 8 == 0)
		sched_yield();
	work(200);
}

static void take_two(pthread_mutex_t *first, pthread_mutex_t *second, int round)
{
	CHECK(pthread_mutex_lock(first) == 0);
	dawdle(round);
	CHECK(pthread_mutex_lock(second) == 0);
	done++;
	work(100);
	CHECK(pthread_mutex_unlock(second) == 0);
	CHECK(pthread_mutex_unlock(first) == 0);
}

static void abba(int me, int round)
{
	if (me % 2)
		take_two(&a, &b, round);
	else
		take_two(&b, &a, round);
}

static void one_lock(int me, int round)
{
	(void)me;
	CHECK(pthread_mutex_lock(&big) == 0);
	dawdle(round);
	done++;
	work(100);
	CHECK(pthread_mutex_unlock(&big) == 0);
}

static void take_both(pthread_mutex_t *first, pthread_mutex_t *second, int round)
{
	CHECK(pthread_mutex_lock(first) == 0);
	dawdle(round);
	CHECK(pthread_mutex_lock(second) == 0);
	work(100 * effort);
	CHECK(pthread_mutex_unlock(second) == 0);
	CHECK(pthread_mutex_unlock(first) == 0);
}

static void dine(int me, int round)
{
	take_both(&forks[me], &forks[(me + 1) % threads], round);
}

/* The mended program: the lower fork first. */
static void dine_in_order(int me, int round)
{
	int left = me, right = (me + 1) % threads, low = left < right ? left : right;

	take_both(&forks[low], &forks[left + right - low], round);
}

/* The other way to mend it: one may eat at a time. */
static void dine_alone(int me, int round)
{
	CHECK(pthread_mutex_lock(&big) == 0);
	dine(me, round);
	CHECK(pthread_mutex_unlock(&big) == 0);
}

static void dine_on_heap(int me, int round)
{
	take_both(heap_forks[me], heap_forks[(me + 1) % threads], round);
}

/* Each reads one and writes the other. */
static void read_one_write_other(int me, int round)
{
	pthread_rwlock_t *read = &tables[me % 2], *write = &tables[1 - me % 2];

	CHECK(pthread_rwlock_rdlock(read) == 0);
	dawdle(round);
	CHECK(pthread_rwlock_wrlock(write) == 0);
	work(100);
	CHECK(pthread_rwlock_unlock(write) == 0);
	CHECK(pthread_rwlock_unlock(read) == 0);
}

/* A child of its own in each round, which goes on as its parent does; and a condition waited on in a section.
 */
static void fork_and_wait(int me, int round)
{
	struct timespec soon;

	abba(me, round);
	if (round % 10 == 0) {
		pid_t child = fork();
		CHECK(child >= 0);
		if (child == 0) {
			CHECK(pthread_mutex_lock(&c) == 0);
			CHECK(pthread_mutex_lock(&big) == 0);
			_exit(0);
		}
		CHECK(waitpid(child, NULL, 0) == child);
	}
	CHECK(pthread_mutex_lock(me % 2 ? &a : &b) == 0);
	clock_gettime(CLOCK_REALTIME, &soon);
	pthread_cond_timedwait(&conds[me % 2], me % 2 ? &a : &b, &soon);
	CHECK(pthread_mutex_unlock(me % 2 ? &a : &b) == 0);
}

static void take_units(int me, int round)
{
	(void)me;
	for (int i = 0; i < 2; i++) {
		CHECK(sem_wait(&pool) == 0);
		dawdle(round);
	}
	work(100);
	for (int i = 0; i < 2; i++)
		CHECK(sem_post(&pool) == 0);
}

static void meet(int of)
{
	__atomic_fetch_add(&steps_made, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&steps_made, __ATOMIC_SEQ_CST) < of)
		sched_yield();
}

/* Waits for the other a bounded time: held back, it does not come. */
static void meet_for_a_while(void)
{
	static int met;

	__atomic_fetch_add(&met, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 200 && __atomic_load_n(&met, __ATOMIC_SEQ_CST) < 2; i++)
		usleep(1000);
}

static void staged(int me, int round)
{
	(void)round;
	CHECK(pthread_mutex_lock(me % 2 ? &a : &b) == 0);
	meet_for_a_while();
	CHECK(pthread_mutex_lock(me % 2 ? &b : &a) == 0);
	CHECK(pthread_mutex_unlock(me % 2 ? &b : &a) == 0);
	CHECK(pthread_mutex_unlock(me % 2 ? &a : &b) == 0);
}

static int exceeding;

static void exceeds(int me, int round)
{
	(void)me;
	(void)round;
	CHECK(pthread_mutex_lock(&a) == 0);
	CHECK(pthread_mutex_lock(&b) == 0);
	if (exceeding) {
		CHECK(pthread_mutex_lock(&c) == 0);
		CHECK(pthread_mutex_unlock(&c) == 0);
	}
	CHECK(pthread_mutex_unlock(&b) == 0);
	CHECK(pthread_mutex_unlock(&a) == 0);
}

static int turn;

static void await(int wanted)
{
	while (__atomic_load_n(&turn, __ATOMIC_SEQ_CST) != wanted)
		sched_yield();
}

static void pass_on(int next)
{
	__atomic_store_n(&turn, next, __ATOMIC_SEQ_CST);
}

/* In the second round the first has a, and keeps it until the other has b: which avoidance does not give it,
 * since either may want what the other has. */
static void stubborn(int me, int round)
{
	pthread_mutex_t *first = me ? &b : &a, *second = me ? &a : &b;

	await(round == 0 ? me : 2 + me);
	CHECK(pthread_mutex_lock(first) == 0);
	if (round == 1)
		pass_on(3 + me);
	if (round == 1 && me == 0)
		await(4);
	if (round == 0 || me == 1) {
		CHECK(pthread_mutex_lock(second) == 0);
		CHECK(pthread_mutex_unlock(second) == 0);
	}
	CHECK(pthread_mutex_unlock(first) == 0);
	if (round == 0)
		pass_on(1 + me);
}

static const struct thing {
	const char *name;
	void (*round)(int me, int round);
	int exceeding;
} things[] = {
    {"abba", abba, 0},
    {"one-lock", one_lock, 0},
    {"philosophers", dine, 0},
    {"heap-philosophers", dine_on_heap, 0},
    {"ordered-philosophers", dine_in_order, 0},
    {"lone-philosophers", dine_alone, 0},
    {"tables", read_one_write_other, 0},
    {"forks-and-waits", fork_and_wait, 0},
    {"pool", take_units, 0},
    {"staged", staged, 0},
    {"exceeds-not", exceeds, 0},
    {"exceeds", exceeds, 1},
    {"stubborn", stubborn, 0},
};
static const struct thing *thing;

static void *run_thread(void *argument)
{
	int me = (int)(intptr_t)argument;

	meet(threads);
	for (int round = 0; round < rounds; round++)
		thing->round(me, round);
	return NULL;
}

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	pthread_t ids[THREADS_MAX];

	for (size_t i = 0; argc == 4 && i < sizeof things / sizeof *things; i++)
		if (strcmp(argv[1], things[i].name) == 0)
			thing = &things[i];
	threads = argc == 4 ? atoi(argv[2]) : 0;
	rounds = argc == 4 ? atoi(argv[3]) : 0;
	if (!thing || threads < 1 || threads > THREADS_MAX || rounds < 1) {
		fputs("usage: avoid THING THREADS ROUNDS\n", stderr);
		return 2;
	}
	exceeding = thing->exceeding;
	if (getenv("EFFORT"))
		effort = atoi(getenv("EFFORT"));
	CHECK(sem_init(&pool, 0, 3) == 0);
	for (int i = 0; i < threads; i++) {
		CHECK(pthread_mutex_init(&forks[i], NULL) == 0);
		CHECK((heap_forks[i] = malloc(sizeof *heap_forks[i])) != NULL);
		CHECK(pthread_mutex_init(heap_forks[i], NULL) == 0);
	}
	double begin = now();
	for (int i = 0; i < threads; i++)
		CHECK(pthread_create(&ids[i], NULL, run_thread, (void *)(intptr_t)i) == 0);
	for (int i = 0; i < threads; i++)
		CHECK(pthread_join(ids[i], NULL) == 0);
	printf("%.6f\n", now() - begin);
	return 0;
}
