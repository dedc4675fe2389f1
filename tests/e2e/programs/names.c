/* Names of threads, of their start functions, and of locks. */
#include "case.h"

struct account {
	pthread_mutex_t lock;
	long balance;
};

static struct account accounts[3] = {
    {PTHREAD_MUTEX_INITIALIZER, 0},
    {PTHREAD_MUTEX_INITIALIZER, 0},
    {PTHREAD_MUTEX_INITIALIZER, 0},
};
static struct {
	int version;
	struct {
		pthread_mutex_t guards[2];
	} inside;
} nested = {1, {{PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER}}};

pthread_mutex_t *library_lock(void);
int library_start(pthread_t *thread, void (*routine)(void));

static void both(pthread_mutex_t *held, pthread_mutex_t *wanted)
{
	CHECK(pthread_mutex_lock(held) == 0);
	CHECK(pthread_mutex_lock(wanted) == 0);
	CHECK(pthread_mutex_unlock(wanted) == 0);
	CHECK(pthread_mutex_unlock(held) == 0);
}

static void *teller_main(void *unused)
{
	CHECK(pthread_setname_np(pthread_self(), "teller") == 0);
	both(&accounts[0].lock, &accounts[2].lock);
	step(1);
	return unused;
}

static void *auditor_main(void *unused)
{
	step(2);
	both(&accounts[2].lock, &accounts[0].lock);
	return unused;
}

/* One names itself, the other is named by its maker. */
static void threads(void)
{
	pthread_t teller, auditor;

	CHECK(pthread_create(&teller, NULL, teller_main, NULL) == 0);
	CHECK(pthread_create(&auditor, NULL, auditor_main, NULL) == 0);
	CHECK(pthread_setname_np(auditor, "auditor") == 0);
	step(0);
	CHECK(pthread_join(teller, NULL) == 0);
	CHECK(pthread_join(auditor, NULL) == 0);
}

static void nested_forwards(void)
{
	both(&nested.inside.guards[0], &nested.inside.guards[1]);
}
static void nested_backwards(void)
{
	both(&nested.inside.guards[1], &nested.inside.guards[0]);
}
static void members(void)
{
	in_turn(nested_forwards, nested_backwards);
}

static void from_library(void)
{
	step(0);
	both(library_lock(), &accounts[1].lock);
	step(1);
}

static void *into_library(void *unused)
{
	step(2);
	both(&accounts[1].lock, library_lock());
	return unused;
}

/* A thread that a library starts. */
static void library(void)
{
	pthread_t theirs, ours;

	CHECK(pthread_create(&ours, NULL, into_library, NULL) == 0);
	CHECK(library_start(&theirs, from_library) == 0);
	CHECK(pthread_join(theirs, NULL) == 0);
	CHECK(pthread_join(ours, NULL) == 0);
}

/* A wrapper with a frame of its own that has returned when the lock is reported as held. */
static __attribute__((noinline)) int my_lock(pthread_mutex_t *mutex)
{
	int result = pthread_mutex_lock(mutex);

	__asm__ volatile(""); /* no tail call */
	return result;
}

static __attribute__((noinline)) void my_unlock(pthread_mutex_t *mutex)
{
	pthread_mutex_unlock(mutex);
}

static __attribute__((noinline)) void wrapped_forwards(void)
{
	my_lock(&accounts[0].lock); /* line: forwards-hold */
	my_lock(&accounts[1].lock); /* line: forwards-want */
	my_unlock(&accounts[1].lock);
	my_unlock(&accounts[0].lock);
}

static __attribute__((noinline)) void wrapped_backwards(void)
{
	my_lock(&accounts[1].lock); /* line: backwards-hold */
	my_lock(&accounts[0].lock); /* line: backwards-want */
	my_unlock(&accounts[0].lock);
	my_unlock(&accounts[1].lock);
}

static void wrapper(void)
{
	in_turn(wrapped_forwards, wrapped_backwards);
}

/* Recursion: the same code at many heights of the stack. */
static __attribute__((noinline)) void descend(int depth, void (*routine)(void))
{
	if (depth == 0)
		routine();
	else
		descend(depth - 1, routine);
	__asm__ volatile(""); /* no tail call */
}

static void deep_forwards(void)
{
	descend(3, wrapped_forwards);
}
static void deep_backwards(void)
{
	descend(12, wrapped_backwards);
}
static void recursion(void)
{
	in_turn(deep_forwards, deep_backwards);
}

struct cache {
	int entries;
	pthread_mutex_t lock;
};

static struct cache *left, *right;

static __attribute__((noinline)) struct cache *cache_new(void)
{
	struct cache *cache = malloc(sizeof(*cache)); /* line: allocation */

	CHECK(cache);
	CHECK(pthread_mutex_init(&cache->lock, NULL) == 0);
	return cache;
}

static void left_right(void)
{
	both(&left->lock, &right->lock);
}
static void right_left(void)
{
	both(&right->lock, &left->lock);
}

static void heap(void)
{
	left = cache_new();
	right = cache_new();
	in_turn(left_right, right_left);
	free(left);
	free(right);
}

/* Freed and allocated again at the same addresses: others. */
static void renew(void)
{
	struct cache *old_left = left, *old_right = right;

	free(left);
	free(right);
	right = cache_new();
	left = cache_new();
	CHECK(left == old_left && right == old_right);
}

static void *forwards_on_heap(void *unused)
{
	left_right();
	step(0);
	return unused;
}

static void *backwards_on_heap(void *unused)
{
	step(3);
	right_left();
	return unused;
}

static void heap_reused(void)
{
	pthread_t one, other;

	left = cache_new();
	right = cache_new();
	CHECK(pthread_create(&one, NULL, forwards_on_heap, NULL) == 0);
	CHECK(pthread_create(&other, NULL, backwards_on_heap, NULL) == 0);
	step(1);
	renew();
	step(2);
	CHECK(pthread_join(one, NULL) == 0);
	CHECK(pthread_join(other, NULL) == 0);
}

CASES({"threads", threads}, {"members", members}, {"library", library}, {"wrapper", wrapper},
      {"recursion", recursion}, {"heap", heap}, {"heap-reused", heap_reused})
