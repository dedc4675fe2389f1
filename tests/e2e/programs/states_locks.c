/* States of locks: each thread takes its first lock and, when it goes deep, its second. All go deep alone, one after
 * the other, and meet with nothing but their first: nobody asks for more then, so nothing hangs. The steps between
 * are seen by no detector. */
#include <semaphore.h>
#include <stdbool.h>

#include "case.h"

enum part { DEEP, MEET };

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER, c = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static sem_t connections;
static int meeting, met;

static void await(int *counter, int n)
{
	while (__atomic_load_n(counter, __ATOMIC_ACQUIRE) < n)
		sched_yield();
}

/* With the first lock held: wait for the others to be there too. */
static void meet(enum part part)
{
	if (part == DEEP)
		return;
	__atomic_fetch_add(&met, 1, __ATOMIC_ACQ_REL);
	await(&met, meeting);
}

#define GOES(name, first, first_back, second, second_back)                                                   \
	static void name(enum part part)                                                                     \
	{                                                                                                    \
		CHECK(first == 0);                                                                           \
		meet(part);                                                                                  \
		if (part == DEEP) {                                                                          \
			CHECK(second == 0);                                                                  \
			CHECK(second_back == 0);                                                             \
		}                                                                                            \
		CHECK(first_back == 0);                                                                      \
	}

#define LOCK(mutex) pthread_mutex_lock(&(mutex)), pthread_mutex_unlock(&(mutex))
#define TRY(mutex) pthread_mutex_trylock(&(mutex)), pthread_mutex_unlock(&(mutex))
#define READ(lock) pthread_rwlock_rdlock(&(lock)), pthread_rwlock_unlock(&(lock))
#define WRITE(lock) pthread_rwlock_wrlock(&(lock)), pthread_rwlock_unlock(&(lock))
#define UNIT(sem) sem_wait(&(sem)), sem_post(&(sem))
#define GO(name, ...) GOES(name, __VA_ARGS__)

GO(a_then_b, LOCK(a), LOCK(b))
GO(b_then_a, LOCK(b), LOCK(a))
GO(b_then_c, LOCK(b), LOCK(c))
GO(c_then_a, LOCK(c), LOCK(a))
GO(c_then_b, LOCK(c), LOCK(b))
GO(a_tries_b, LOCK(a), TRY(b))
GO(reads_then_a, READ(table), LOCK(a))
GO(a_then_reads, LOCK(a), READ(table))
GO(a_then_writes, LOCK(a), WRITE(table))
GO(unit_then_a, UNIT(connections), LOCK(a))
GO(a_then_unit, LOCK(a), UNIT(connections))

struct worker {
	void (*go)(enum part);
	int seat;
	bool meets, meets_first;
};

static int workers_count, deep_done, meet_done;

static __attribute__((noinline)) enum part await_part(const struct worker *w, int turn)
{
	enum part part = (turn == 0) == w->meets_first ? MEET : DEEP;

	if (part == DEEP)
		await(&deep_done, w->seat);
	if (part == DEEP && w->meets_first)
		await(&meet_done, meeting);
	if (part == MEET && !w->meets_first)
		await(&deep_done, workers_count);
	return part;
}

/* Both times from one place: the loop is not unrolled. */
static void *work(void *argument)
{
	const struct worker *w = argument;

	for (volatile int turn = 0; turn < 1 + w->meets; turn++) {
		enum part part = await_part(w, turn);
		w->go(part);
		__atomic_fetch_add(part == DEEP ? &deep_done : &meet_done, 1, __ATOMIC_ACQ_REL);
	}
	return NULL;
}

enum { WORKERS_MAX = 3 };

static void together(struct worker *workers, int count)
{
	pthread_t threads[WORKERS_MAX];

	workers_count = count;
	for (int i = 0; i < count; i++) {
		workers[i].seat = i;
		meeting += workers[i].meets;
	}
	for (int i = 0; i < count; i++)
		CHECK(pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
	for (int i = 0; i < count; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

#define CASE(name, ...)                                                                                      \
	static void name(void)                                                                               \
	{                                                                                                    \
		struct worker workers[] = {__VA_ARGS__};                                                     \
		together(workers, (int)(sizeof workers / sizeof *workers));                                  \
	}
#define MEETS(routine) {.go = routine, .meets = true}
#define MEETS_FIRST(routine) {.go = routine, .meets = true, .meets_first = true}
#define STAYS(routine) {.go = routine}

CASE(crossed, MEETS(a_then_b), MEETS(b_then_a))
CASE(crossed_first, MEETS_FIRST(a_then_b), MEETS_FIRST(b_then_a))
CASE(same_way, MEETS(a_then_b), MEETS(c_then_b))
CASE(tried, MEETS(a_tries_b), MEETS(b_then_a))
CASE(around, MEETS(a_then_b), MEETS(b_then_c), MEETS(c_then_a))
CASE(around_two_met, MEETS(a_then_b), MEETS(b_then_c), STAYS(c_then_a))
CASE(reader_and_writer, MEETS(reads_then_a), MEETS(a_then_writes))
CASE(reader_and_reader, MEETS(reads_then_a), MEETS(a_then_reads))

static void unit_of(unsigned units)
{
	struct worker workers[] = {MEETS(unit_then_a), MEETS(a_then_unit)};

	CHECK(sem_init(&connections, 0, units) == 0);
	together(workers, 2);
}
static void last_unit(void) { unit_of(1); }
static void spare_unit(void) { unit_of(2); }

/* Ever new pairs beside what another holds: more sets than are kept. A look comes with what is wanted under them
 * for the first time, with every sixteenth of that. */
static void *holds_a(void *unused)
{
	pthread_mutex_lock(&a);
	step(0);
	step(3);
	pthread_mutex_unlock(&a);
	return unused;
}

enum { MUTEXES = 130, WANTED = 16 };
static pthread_mutex_t mutexes[MUTEXES];

static void wants_more(int from)
{
	for (int i = from; i < from + WANTED && i < MUTEXES; i++) {
		pthread_mutex_lock(&mutexes[i]);
		pthread_mutex_unlock(&mutexes[i]);
	}
}

static void many(void)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, holds_a, NULL) == 0);
	step(1);
	for (int i = 0; i < MUTEXES; i++)
		pthread_mutex_init(&mutexes[i], NULL);
	for (int outer = 0; outer < MUTEXES; outer++) {
		for (int inner = outer + 1; inner < MUTEXES; inner++) {
			pthread_mutex_lock(&mutexes[outer]);
			pthread_mutex_lock(&mutexes[inner]);
			wants_more(inner + 1);
			pthread_mutex_unlock(&mutexes[inner]);
			pthread_mutex_unlock(&mutexes[outer]);
		}
	}
	step(2);
	CHECK(pthread_join(thread, NULL) == 0);
}

CASES({"many", many}, {"crossed", crossed}, {"crossed-first", crossed_first}, {"same-way", same_way}, {"tried", tried},
      {"around", around}, {"around-two-met", around_two_met}, {"reader-and-writer", reader_and_writer},
      {"reader-and-reader", reader_and_reader}, {"last-unit", last_unit}, {"spare-unit", spare_unit})
