/* What makes an inversion harmless, and what only looks as if: gate locks and orders between threads. */
#include <semaphore.h>

#include "case.h"

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER, other_gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t table_gate = PTHREAD_RWLOCK_INITIALIZER;

static void forwards(void)
{
	CHECK(pthread_mutex_lock(&first) == 0);
	CHECK(pthread_mutex_lock(&second) == 0);
	CHECK(pthread_mutex_unlock(&second) == 0);
	CHECK(pthread_mutex_unlock(&first) == 0);
}

static void backwards(void)
{
	CHECK(pthread_mutex_lock(&second) == 0);
	CHECK(pthread_mutex_lock(&first) == 0);
	CHECK(pthread_mutex_unlock(&first) == 0);
	CHECK(pthread_mutex_unlock(&second) == 0);
}

static void *forwards_thread(void *unused)
{
	(void)unused;
	forwards();
	return NULL;
}

static void *backwards_thread(void *unused)
{
	(void)unused;
	backwards();
	return NULL;
}

static void start(pthread_t *thread, void *(*routine)(void *))
{
	CHECK(pthread_create(thread, NULL, routine, NULL) == 0);
}

static void end(pthread_t thread)
{
	CHECK(pthread_join(thread, NULL) == 0);
}

/* Gates. */
#define THROUGH(name, take, routine, give)                                                                   \
	static void name(void)                                                                               \
	{                                                                                                    \
		CHECK(take == 0);                                                                            \
		routine();                                                                                   \
		CHECK(give == 0);                                                                            \
	}

THROUGH(gated_forwards, pthread_mutex_lock(&gate), forwards, pthread_mutex_unlock(&gate))
THROUGH(gated_backwards, pthread_mutex_lock(&gate), backwards, pthread_mutex_unlock(&gate))
THROUGH(elsewhere_backwards, pthread_mutex_lock(&other_gate), backwards, pthread_mutex_unlock(&other_gate))
THROUGH(reading_forwards, pthread_rwlock_rdlock(&table_gate), forwards, pthread_rwlock_unlock(&table_gate))
THROUGH(reading_backwards, pthread_rwlock_rdlock(&table_gate), backwards, pthread_rwlock_unlock(&table_gate))
THROUGH(writing_backwards, pthread_rwlock_wrlock(&table_gate), backwards, pthread_rwlock_unlock(&table_gate))

/* The gate is given back in the middle: it does not cover the second lock. */
static void half_gated_backwards(void)
{
	CHECK(pthread_mutex_lock(&gate) == 0);
	CHECK(pthread_mutex_lock(&second) == 0);
	CHECK(pthread_mutex_unlock(&gate) == 0);
	CHECK(pthread_mutex_lock(&first) == 0);
	CHECK(pthread_mutex_unlock(&first) == 0);
	CHECK(pthread_mutex_unlock(&second) == 0);
}

static void no_gate(void)
{
	in_turn(forwards, backwards);
}
static void same_gate(void)
{
	in_turn(gated_forwards, gated_backwards);
}
static void one_sided_gate(void)
{
	in_turn(gated_forwards, backwards);
}
static void two_gates(void)
{
	in_turn(gated_forwards, elsewhere_backwards);
}
static void reading_gate(void)
{
	in_turn(reading_forwards, reading_backwards);
}
static void writing_gate(void)
{
	in_turn(reading_forwards, writing_backwards);
}
static void half_gate(void)
{
	in_turn(gated_forwards, half_gated_backwards);
}

/* Many threads: that the first ones met behind a gate must not hide the later ones that did not. */
static void gate_then_none(void)
{
	in_turn(gated_forwards, gated_backwards, forwards, backwards);
}

/* What came before a thread's creation is before all that it does. */
static void create(void)
{
	pthread_t later;

	forwards();
	start(&later, backwards_thread);
	end(later);
}

static void *backwards_when_told(void *unused)
{
	(void)unused;
	step(1);
	backwards();
	return NULL;
}

static void create_before(void)
{
	pthread_t earlier;

	start(&earlier, backwards_when_told);
	forwards();
	step(0);
	end(earlier);
}

/* What a joined thread did is before all that follows. */
static void join(void)
{
	pthread_t one, other;

	start(&one, forwards_thread);
	end(one);
	start(&other, backwards_thread);
	end(other);
}

/* Neither is before the other, although both are started and joined by one thread. */
static void *forwards_then_tell(void *unused)
{
	(void)unused;
	forwards();
	step(0);
	return NULL;
}

static void join_unordered(void)
{
	pthread_t one, other;

	start(&other, backwards_when_told);
	start(&one, forwards_then_tell);
	end(one);
	end(other);
}

/* The first pair is ordered, a later one is not: the later one counts. */
static void join_then_unordered(void)
{
	pthread_t one;

	start(&one, forwards_thread);
	end(one);
	backwards();
	join_unordered();
}

/* Through two others: a creates b, which creates c. */
static void *backwards_in_grandchild(void *unused)
{
	pthread_t grandchild;

	start(&grandchild, backwards_thread);
	end(grandchild);
	return unused;
}

static void grandchild(void)
{
	pthread_t child;

	forwards();
	start(&child, backwards_in_grandchild);
	end(child);
}

/* Barriers. */
static pthread_barrier_t barrier;

static void *forwards_then_meet(void *unused)
{
	forwards();
	pthread_barrier_wait(&barrier);
	return unused;
}

static void *meet_then_backwards(void *unused)
{
	pthread_barrier_wait(&barrier);
	backwards();
	return unused;
}

static void *meet_then_forwards_and_tell(void *unused)
{
	pthread_barrier_wait(&barrier);
	forwards();
	step(0);
	return unused;
}

static void *meet_then_backwards_when_told(void *unused)
{
	pthread_barrier_wait(&barrier);
	step(1);
	backwards();
	return unused;
}

static void meet(void *(*one)(void *), void *(*other)(void *))
{
	pthread_t threads[2];

	CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
	start(&threads[0], one);
	start(&threads[1], other);
	end(threads[0]);
	end(threads[1]);
	CHECK(pthread_barrier_destroy(&barrier) == 0);
}

static void barrier_between(void)
{
	meet(forwards_then_meet, meet_then_backwards);
}
static void barrier_before(void)
{
	meet(meet_then_forwards_and_tell, meet_then_backwards_when_told);
}

/* Later rounds order too: the second round is what lies between. */
static void *meet_forwards_meet(void *unused)
{
	pthread_barrier_wait(&barrier);
	forwards();
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return unused;
}

static void *meet_meet_backwards(void *unused)
{
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	backwards();
	pthread_barrier_wait(&barrier);
	return unused;
}

static void barrier_rounds(void)
{
	meet(meet_forwards_meet, meet_meet_backwards);
}

/* Once: what the routine did is before what follows any call. */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void run_once(void)
{
	pthread_once(&once, forwards);
}

static void once_then_backwards(void)
{
	pthread_once(&once, forwards);
	backwards();
}

/* Done by the caller of the routine after it: ordered before nobody. */
static void nothing(void)
{
}

static void once_then_forwards(void)
{
	pthread_once(&once, nothing);
	forwards();
}

static void empty_once_then_backwards(void)
{
	pthread_once(&once, nothing);
	backwards();
}

static void once_between(void)
{
	in_turn(run_once, once_then_backwards);
}
static void once_before(void)
{
	in_turn(once_then_forwards, empty_once_then_backwards);
}
static void once_without_call(void)
{
	in_turn(run_once, backwards);
}

/* Soft orders: they hold in this run and promise nothing for the next. */
static pthread_mutex_t baton_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t baton_passed = PTHREAD_COND_INITIALIZER;
static int baton;
static sem_t token;

static void *forwards_then_pass(void *unused)
{
	forwards();
	pthread_mutex_lock(&baton_lock);
	baton = 1;
	pthread_cond_signal(&baton_passed);
	pthread_mutex_unlock(&baton_lock);
	return unused;
}

static void *receive_then_backwards(void *unused)
{
	pthread_mutex_lock(&baton_lock);
	while (!baton)
		pthread_cond_wait(&baton_passed, &baton_lock);
	pthread_mutex_unlock(&baton_lock);
	backwards();
	return unused;
}

static void *forwards_then_post(void *unused)
{
	forwards();
	sem_post(&token);
	return unused;
}

static void *fetch_then_backwards(void *unused)
{
	sem_wait(&token);
	backwards();
	return unused;
}

static void run_both(void *(*one)(void *), void *(*other)(void *))
{
	pthread_t threads[2];

	start(&threads[0], one);
	start(&threads[1], other);
	end(threads[0]);
	end(threads[1]);
}

static void cond_handover(void)
{
	run_both(forwards_then_pass, receive_then_backwards);
}

static void sem_handover(void)
{
	CHECK(sem_init(&token, 0, 0) == 0);
	run_both(forwards_then_post, fetch_then_backwards);
}

/* Releasing a mutex before another thread takes it orders nothing: that is the very bug. */
static void forwards_then_lock(void)
{
	forwards();
	CHECK(pthread_mutex_lock(&gate) == 0);
	CHECK(pthread_mutex_unlock(&gate) == 0);
}

static void lock_then_backwards(void)
{
	CHECK(pthread_mutex_lock(&gate) == 0);
	CHECK(pthread_mutex_unlock(&gate) == 0);
	backwards();
}

static void mutex_handover(void)
{
	in_turn(forwards_then_lock, lock_then_backwards);
}

/* A then B, let go of A, then C; C then A elsewhere: no cycle through what was not held any more. */
static void first_second_release_gate(void)
{
	CHECK(pthread_mutex_lock(&first) == 0);
	CHECK(pthread_mutex_lock(&second) == 0);
	CHECK(pthread_mutex_unlock(&first) == 0);
	CHECK(pthread_mutex_lock(&gate) == 0);
	CHECK(pthread_mutex_unlock(&gate) == 0);
	CHECK(pthread_mutex_unlock(&second) == 0);
}

static void gate_then_first(void)
{
	CHECK(pthread_mutex_lock(&gate) == 0);
	CHECK(pthread_mutex_lock(&first) == 0);
	CHECK(pthread_mutex_unlock(&first) == 0);
	CHECK(pthread_mutex_unlock(&gate) == 0);
}

static void released_meanwhile(void)
{
	in_turn(first_second_release_gate, gate_then_first);
}

/* All of it seen more than once, by threads that come and go: a cycle of the same code places. */
static void again_and_again(void)
{
	for (int i = 0; i < 20; i++)
		in_turn(forwards, backwards);
}

CASES({"no-gate", no_gate}, {"same-gate", same_gate}, {"one-sided-gate", one_sided_gate},
      {"two-gates", two_gates}, {"reading-gate", reading_gate}, {"writing-gate", writing_gate},
      {"half-gate", half_gate}, {"gate-then-none", gate_then_none}, {"create", create},
      {"create-before", create_before}, {"join", join}, {"join-unordered", join_unordered},
      {"join-then-unordered", join_then_unordered}, {"grandchild", grandchild},
      {"barrier-between", barrier_between}, {"barrier-before", barrier_before},
      {"barrier-rounds", barrier_rounds}, {"once-between", once_between}, {"once-before", once_before},
      {"once-without-call", once_without_call}, {"cond-handover", cond_handover},
      {"sem-handover", sem_handover}, {"mutex-handover", mutex_handover},
      {"released-meanwhile", released_meanwhile}, {"again-and-again", again_and_again})
