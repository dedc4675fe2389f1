/* Before main and after it: constructors (of the program; early_library.c has a library's), exit
 * handlers, destructors and the destructors of thread-specific data. EARLY says where the order is
 * wrong; everywhere else it is right. */
#include "case.h"

void early_library_use(void);

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t key;

static int wrong_in(const char *place)
{
	const char *where = getenv("EARLY");

	return where && strcmp(where, place) == 0;
}

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

static void run_in(const char *place)
{
	if (wrong_in(place))
		in_turn(forwards, backwards);
	else
		in_turn(forwards, forwards);
}

/* Before all constructors, also the C library's: as sanitizers' runtimes do. */
static void before_all(void)
{
	pthread_mutex_lock(&first);
	pthread_mutex_unlock(&first);
}

__attribute__((used, section(".preinit_array"))) static void (*const preinit)(void) = before_all;

__attribute__((constructor)) static void before_main(void)
{
	run_in("constructor");
}

__attribute__((destructor)) static void after_main(void)
{
	run_in("destructor");
}

static void at_exit(void)
{
	run_in("atexit");
}

/* Runs when a thread ends, after its start function has returned. */
static void leave(void *turn)
{
	int second_one = *(int *)turn == 2;

	if (second_one && wrong_in("key"))
		backwards();
	else
		forwards();
	__atomic_fetch_add((int *)turn, 2, __ATOMIC_RELEASE);
}

static int turns[2] = {1, 2};

static void *end_first(void *unused)
{
	CHECK(pthread_setspecific(key, &turns[0]) == 0);
	return unused;
}

static void *end_second(void *unused)
{
	CHECK(pthread_setspecific(key, &turns[1]) == 0);
	while (__atomic_load_n(&turns[0], __ATOMIC_ACQUIRE) != 3) /* the first one's destructor has run */
		sched_yield();
	return unused;
}

int main(void)
{
	pthread_t threads[2];

	early_library_use();
	CHECK(atexit(at_exit) == 0);
	CHECK(pthread_key_create(&key, leave) == 0);
	CHECK(pthread_create(&threads[0], NULL, end_first, NULL) == 0);
	CHECK(pthread_create(&threads[1], NULL, end_second, NULL) == 0);
	CHECK(pthread_join(threads[0], NULL) == 0);
	CHECK(pthread_join(threads[1], NULL) == 0);
	return 0;
}
