/* States of allocation, forced by steps that no detector sees; nothing hangs: who comes to ask for more asks when
 * it is there. `-safe` twins reach the like of the state from which all are sure to end. */
#include <semaphore.h>
#include <stdbool.h>

#include <detect/annotate.h>

#include "case.h"

static sem_t pool, other, types[3];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* One's turn: who has it does what it does, and then makes the step. */
static void await(int n)
{
	while (__atomic_load_n(&steps_made, __ATOMIC_ACQUIRE) != n)
		sched_yield();
}

static void take(sem_t *sem, int units)
{
	for (int i = 0; i < units; i++)
		CHECK(sem_wait(sem) == 0);
}
static void give(sem_t *sem, int units)
{
	for (int i = 0; i < units; i++)
		CHECK(sem_post(sem) == 0);
}

/* First alone, so that what it may want is seen; then with one unit each at the same time, and no more. */
static int seats;

static void work(void)
{
	take(&pool, 1);
	take(&pool, 1);
	give(&pool, 2);
}

static void *worker(void *argument)
{
	int seat = (int)(intptr_t)argument;

	await(seat);
	if (seat == 0)
		work();
	step(seat);
	await(seats + seat);
	take(&pool, 1);
	step(seats + seat);
	step(2 * seats + seat);
	give(&pool, 1);
	return NULL;
}

static void run(int threads, void *(*routine)(void *))
{
	pthread_t thread[8];

	seats = threads;
	for (int i = 0; i < threads; i++)
		CHECK(pthread_create(&thread[i], NULL, routine, (void *)(intptr_t)i) == 0);
	for (int i = 0; i < threads; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
}

static bool one_each;

/* The place is one: a second call of it may want a second unit. */
static void *same_place(void *argument)
{
	int seat = (int)(intptr_t)argument;

	for (int turn = 0; turn < 2; turn++) {
		await(turn * 2 * seats + seat);
		take(&pool, 1);
		if (turn == 0 && seat == 0 && !one_each) {
			take(&pool, 1);
			give(&pool, 1);
		}
		if (turn == 0)
			give(&pool, 1);
		step(turn * 2 * seats + seat);
		step(turn * 2 * seats + seats + seat);
		if (turn == 1)
			give(&pool, 1);
	}
	return NULL;
}

static void pool_of(int units, int threads)
{
	CHECK(sem_init(&pool, 0, (unsigned)units) == 0);
	run(threads, same_place);
}

static void pool_three(void) { pool_of(3, 3); }
static void pool_three_safe(void) { pool_of(4, 3); }
/* As pool-three, on a day when nobody takes a second one. */
static void pool_three_one_each(void)
{
	one_each = true;
	pool_of(3, 3);
}
static void pool_two(void) { pool_of(2, 2); }
static void pool_two_safe(void) { pool_of(3, 2); }
static void pool_five(void) { pool_of(5, 5); }
static void pool_five_safe(void) { pool_of(6, 5); }
static void never_second(void)
{
	CHECK(sem_init(&pool, 0, 3) == 0);
	run(3, worker);
}

/* Two pools of two, taken in both orders: each thread holds one of its first pool's. */
static void cross(int seat, sem_t *first, sem_t *second)
{
	for (int turn = 0; turn < 2; turn++) {
		await(turn * 2 * seats + seat);
		take(first, 1);
		if (turn == 0) {
			take(second, 1);
			give(second, 1);
			give(first, 1);
		}
		step(turn * 2 * seats + seat);
		step(turn * 2 * seats + seats + seat);
		if (turn == 1)
			give(first, 1);
	}
}
static void *crosses(void *argument)
{
	int seat = (int)(intptr_t)argument;

	if (seat % 2)
		cross(seat, &pool, &other);
	else
		cross(seat, &other, &pool);
	return NULL;
}
static void *goes_one_way(void *argument)
{
	cross((int)(intptr_t)argument, &pool, &other);
	return NULL;
}
static void two_pools(void)
{
	CHECK(sem_init(&pool, 0, 2) == 0 && sem_init(&other, 0, 2) == 0);
	run(4, crosses);
}
static void two_pools_safe(void)
{
	CHECK(sem_init(&pool, 0, 3) == 0 && sem_init(&other, 0, 3) == 0);
	run(4, crosses);
}
static void two_pools_one_way(void)
{
	CHECK(sem_init(&pool, 0, 4) == 0 && sem_init(&other, 0, 2) == 0);
	run(4, goes_one_way);
}

/* Gives the unit back before it asks again. */
static void *in_phases(void *argument)
{
	int seat = (int)(intptr_t)argument;

	for (int turn = 0; turn < 2; turn++) {
		await(turn * 2 * seats + seat);
		take(&pool, 1);
		step(turn * 2 * seats + seat);
		step(turn * 2 * seats + seats + seat);
		give(&pool, 1);
	}
	return NULL;
}
static void phases(void)
{
	CHECK(sem_init(&pool, 0, 3) == 0);
	run(3, in_phases);
}

/* Only tries for the second one. */
static void *tries(void *argument)
{
	int seat = (int)(intptr_t)argument;

	for (int turn = 0; turn < 2; turn++) {
		await(turn * 2 * seats + seat);
		take(&pool, 1);
		CHECK(sem_trywait(&other) == 0);
		give(&other, 1);
		step(turn * 2 * seats + seat);
		step(turn * 2 * seats + seats + seat);
		give(&pool, 1);
	}
	return NULL;
}
static void trying(void)
{
	CHECK(sem_init(&pool, 0, 2) == 0 && sem_init(&other, 0, 2) == 0);
	run(2, tries);
}

/* Nobody is ever seen with a second one; each has said that it may take so many. */
static unsigned declared;

static void *declares(void *argument)
{
	int seat = (int)(intptr_t)argument;

	detect_claim(&pool, declared);
	await(seat);
	take(&pool, 1);
	step(seat);
	step(seats + seat);
	give(&pool, 1);
	return NULL;
}
static void declare(unsigned units, int there_are)
{
	declared = units;
	CHECK(sem_init(&pool, 0, (unsigned)there_are) == 0);
	run(3, declares);
}
static void declared_two(void) { declare(2, 3); }
static void declared_one(void) { declare(1, 3); }
static void declared_two_safe(void) { declare(2, 4); }

/* Seen with two, and then it says that it will not again. */
static void *changes_its_mind(void *argument)
{
	int seat = (int)(intptr_t)argument;

	for (volatile int turn = 0; turn < 2; turn++) { /* volatile: not unrolled, the place is one */
		await(turn * 2 * seats + seat);
		if (turn == 1)
			detect_claim(&pool, declared);
		take(&pool, 1);
		if (turn == 0) {
			take(&pool, 1);
			give(&pool, 2);
		}
		step(turn * 2 * seats + seat);
		step(turn * 2 * seats + seats + seat);
		if (turn == 1)
			give(&pool, 1);
	}
	return NULL;
}
static void promise(unsigned units)
{
	declared = units;
	CHECK(sem_init(&pool, 0, 3) == 0);
	run(3, changes_its_mind);
}
static void promised(void) { promise(1); }
static void taken_back(void)
{
	detect_claim(&pool, 1);
	promise(0);
}

/* A gate lets one at a time take both units. */
static void *gated(void *argument)
{
	int seat = (int)(intptr_t)argument;

	step(seat);
	pthread_mutex_lock(&mutex);
	take(&pool, 2);
	pthread_mutex_unlock(&mutex);
	give(&pool, 2);
	return NULL;
}
static void gate(void)
{
	CHECK(sem_init(&pool, 0, 3) == 0);
	run(3, gated);
}

/* A semaphore that is a signal is no resource. */
static void *producer(void *unused)
{
	give(&pool, 6);
	return unused;
}
static void *consumer(void *unused)
{
	take(&pool, 3);
	return unused;
}
static void signals(void)
{
	pthread_t threads[3];

	CHECK(sem_init(&pool, 0, 2) == 0);
	take(&pool, 1);
	pthread_create(&threads[0], NULL, producer, NULL);
	pthread_create(&threads[1], NULL, consumer, NULL);
	pthread_create(&threads[2], NULL, consumer, NULL);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}

/* The textbook's five processes and three types of 10, 5 and 7 (Silberschatz, Galvin, Gagne, 7.5.3): what each claims
 * is seen when it is alone; then all hold what the book says. */
static const int claims[5][3] = {{7, 5, 3}, {3, 2, 2}, {9, 0, 2}, {2, 2, 2}, {4, 3, 3}};
static const int safe_state[5][3] = {{0, 1, 0}, {2, 0, 0}, {3, 0, 2}, {2, 1, 1}, {0, 0, 2}};
/* P0's request for (0, 2, 0) when P1 has (3, 0, 2), granted: the book's example of a state that is unsafe. */
static const int unsafe_state[5][3] = {{0, 3, 0}, {3, 0, 2}, {3, 0, 2}, {2, 1, 1}, {0, 0, 2}};
static const int (*state)[3];

#define PROCESS(n)                                                                                           \
	static __attribute__((noinline)) void process_##n(bool claim)                                        \
	{                                                                                                    \
		for (int r = 0; r < 3; r++)                                                                  \
			take(&types[r], state[n][r]);                                                        \
		for (int r = 0; claim && r < 3; r++)                                                         \
			take(&types[r], claims[n][r] - state[n][r]);                                         \
	}
static void give_back(int n, bool claim)
{
	for (int r = 3; r-- > 0;)
		give(&types[r], claim ? claims[n][r] : state[n][r]);
}
PROCESS(0)
PROCESS(1)
PROCESS(2)
PROCESS(3)
PROCESS(4)
static void (*const processes[])(bool) = {process_0, process_1, process_2, process_3, process_4};

static void *textbook_process(void *argument)
{
	int seat = (int)(intptr_t)argument;

	for (int turn = 0; turn < 2; turn++) {
		await(turn * 2 * seats + seat);
		processes[seat](turn == 0);
		if (turn == 0)
			give_back(seat, true);
		step(turn * 2 * seats + seat);
		step(turn * 2 * seats + seats + seat);
		if (turn == 1)
			give_back(seat, false);
	}
	return NULL;
}
static void textbook(const int (*what)[3])
{
	static const unsigned units[] = {10, 5, 7};

	state = what;
	for (int r = 0; r < 3; r++)
		CHECK(sem_init(&types[r], 0, units[r]) == 0);
	run(5, textbook_process);
}
static void textbook_safe(void) { textbook(safe_state); }
static void textbook_unsafe(void) { textbook(unsafe_state); }

CASES({"pool-three", pool_three}, {"pool-three-safe", pool_three_safe}, {"pool-three-one-each", pool_three_one_each},
      {"pool-two", pool_two},
      {"pool-two-safe", pool_two_safe}, {"pool-five", pool_five}, {"pool-five-safe", pool_five_safe},
      {"never-second", never_second}, {"two-pools", two_pools}, {"two-pools-safe", two_pools_safe},
      {"two-pools-one-way", two_pools_one_way}, {"phases", phases}, {"trying", trying}, {"gate", gate},
      {"signals", signals}, {"declared-two", declared_two}, {"declared-one", declared_one},
      {"declared-two-safe", declared_two_safe}, {"promised", promised}, {"taken-back", taken_back}, {"textbook-safe", textbook_safe}, {"textbook-unsafe", textbook_unsafe})
