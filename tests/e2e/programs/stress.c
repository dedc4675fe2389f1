/* Much of everything: threads, locks, held locks, loaded libraries. Right orders, and one wrong. */
#include <dlfcn.h>
#include <setjmp.h>

#include "case.h"

enum {
	HAMMERERS = 64,
	ROUNDS = 2000,
	SHORT_LIVED = 10000,
	DEEP = 200,
	LIST = 1000,
	LOADS = 200,
	HEAP = 100000
};

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t many[LIST];

static void both(pthread_mutex_t *held, pthread_mutex_t *wanted)
{
	CHECK(pthread_mutex_lock(held) == 0);
	CHECK(pthread_mutex_lock(wanted) == 0);
	CHECK(pthread_mutex_unlock(wanted) == 0);
	CHECK(pthread_mutex_unlock(held) == 0);
}

static void forwards(void)
{
	both(&first, &second);
}
static void backwards(void)
{
	both(&second, &first);
}

static void init_many(void)
{
	for (int i = 0; i < LIST; i++)
		CHECK(pthread_mutex_init(&many[i], NULL) == 0);
}

/* Each takes pairs in rising order, its own sequence of them. */
static long counter;

static void *hammer(void *seed)
{
	unsigned state = (unsigned)(uintptr_t)seed * 2654435761u + 1;

	for (int i = 0; i < ROUNDS; i++) {
		state = state * 1664525u + 1013904223u;
		int low = (int)(state >> 16) % 30, high = low + 1 + (int)(state >> 24) % 30;
		CHECK(pthread_mutex_lock(&many[low]) == 0);
		CHECK(pthread_mutex_lock(&many[high]) == 0);
		CHECK(pthread_mutex_lock(&many[100]) == 0);
		counter++;
		CHECK(pthread_mutex_unlock(&many[100]) == 0);
		CHECK(pthread_mutex_unlock(&many[high]) == 0);
		CHECK(pthread_mutex_unlock(&many[low]) == 0);
	}
	return NULL;
}

static void hammer_in_threads(void)
{
	pthread_t threads[HAMMERERS];

	init_many();
	for (uintptr_t i = 0; i < HAMMERERS; i++)
		CHECK(pthread_create(&threads[i], NULL, hammer, (void *)i) == 0);
	for (int i = 0; i < HAMMERERS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(counter == (long)HAMMERERS * ROUNDS);
}

static void hammer_and_invert(void)
{
	pthread_t threads[HAMMERERS];

	init_many();
	for (uintptr_t i = 0; i < HAMMERERS; i++)
		CHECK(pthread_create(&threads[i], NULL, hammer, (void *)i) == 0);
	in_turn(forwards, backwards);
	for (int i = 0; i < HAMMERERS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

static void *nest_once(void *unused)
{
	forwards();
	return unused;
}

static void short_lived(void)
{
	for (int i = 0; i < SHORT_LIVED / 4; i++) {
		pthread_t threads[4];
		for (int j = 0; j < 4; j++)
			CHECK(pthread_create(&threads[j], NULL, nest_once, NULL) == 0);
		for (int j = 0; j < 4; j++)
			CHECK(pthread_join(threads[j], NULL) == 0);
	}
}

/* After all of them, two more that disagree. */
static void short_lived_then_invert(void)
{
	short_lived();
	in_turn(forwards, backwards);
}

static void hold_deep(void)
{
	for (int i = 0; i < DEEP; i++)
		CHECK(pthread_mutex_lock(&many[i]) == 0);
	for (int i = DEEP; i-- > 0;)
		CHECK(pthread_mutex_unlock(&many[i]) == 0);
}

static void last_then_first(void)
{
	both(&many[DEEP - 1], &many[0]);
}
static void first_then_last(void)
{
	both(&many[0], &many[DEEP - 1]);
}

static void deep_inverted(void)
{
	init_many();
	in_turn(hold_deep, last_then_first);
}

static void deep_ordered(void)
{
	init_many();
	in_turn(hold_deep, first_then_last);
}

/* Never more than two held: the next before the last is let go. */
static void walk_list(void)
{
	CHECK(pthread_mutex_lock(&many[0]) == 0);
	for (int i = 1; i < LIST; i++) {
		CHECK(pthread_mutex_lock(&many[i]) == 0);
		CHECK(pthread_mutex_unlock(&many[i - 1]) == 0);
	}
	CHECK(pthread_mutex_unlock(&many[LIST - 1]) == 0);
}

static void hand_over_hand(void)
{
	init_many();
	in_turn(walk_list, walk_list);
}

static void back_a_step(void)
{
	both(&many[500], &many[499]);
}

static void hand_over_hand_inverted(void)
{
	init_many();
	in_turn(walk_list, back_a_step);
}

typedef void plugin_run_function(pthread_mutex_t *mutex, int plugin_first);

static void with_plugin(int plugin_first)
{
	void *plugin = dlopen("libe2e_plugin.so", RTLD_NOW);
	if (!plugin)
		fprintf(stderr, "%s\n", dlerror());
	CHECK(plugin);
	plugin_run_function *run = (plugin_run_function *)(uintptr_t)dlsym(plugin, "plugin_run");

	CHECK(run);
	run(&first, plugin_first);
	CHECK(dlclose(plugin) == 0);
}

static void with_plugin_inside(void)
{
	with_plugin(0);
}
static void with_plugin_outside(void)
{
	with_plugin(1);
}

static void load_again_and_again(void)
{
	for (int i = 0; i < LOADS; i++)
		with_plugin_inside();
}

/* Another mutex each time it is loaded, wherever it comes to lie. */
static void reloaded(void)
{
	in_turn(with_plugin_inside, with_plugin_outside);
}

static void kept_loaded(void)
{
	void *plugin = dlopen("libe2e_plugin.so", RTLD_NOW);

	CHECK(plugin);
	in_turn(with_plugin_inside, with_plugin_outside);
	CHECK(dlclose(plugin) == 0);
}

/* Out of the frames that took the locks, with them held; given back by the frame that is left. */
static jmp_buf away;

static __attribute__((noinline)) void lock_and_jump(void)
{
	CHECK(pthread_mutex_lock(&first) == 0);
	CHECK(pthread_mutex_lock(&second) == 0);
	longjmp(away, 1);
}

static void jump_with_locks(void)
{
	for (volatile int i = 0; i < 100; i++) {
		if (setjmp(away) == 0)
			lock_and_jump();
		CHECK(pthread_mutex_unlock(&second) == 0);
		CHECK(pthread_mutex_unlock(&first) == 0);
	}
}

static void jump(void)
{
	in_turn(jump_with_locks, forwards);
}
static void jump_inverted(void)
{
	in_turn(jump_with_locks, backwards);
}

static pthread_mutex_t *heap_locks[HEAP];

static void use_heap_locks(void)
{
	for (int i = 0; i + 1 < HEAP; i++)
		both(heap_locks[i], heap_locks[i + 1]);
}

static void heap_backwards(void)
{
	both(heap_locks[HEAP / 2], heap_locks[HEAP / 2 - 1]);
}

static void make_heap_locks(void)
{
	for (int i = 0; i < HEAP; i++) {
		heap_locks[i] = malloc(sizeof(pthread_mutex_t));
		CHECK(heap_locks[i] && pthread_mutex_init(heap_locks[i], NULL) == 0);
	}
}

static void heap_ordered(void)
{
	make_heap_locks();
	in_turn(use_heap_locks);
}

static void heap_inverted(void)
{
	make_heap_locks();
	in_turn(use_heap_locks, heap_backwards);
}

/* On the stack of a function that returns; the next one has its own at the same address. */
static pthread_mutex_t *on_stack[2];

static __attribute__((noinline)) void local_then_global(void)
{
	pthread_mutex_t local = PTHREAD_MUTEX_INITIALIZER;

	on_stack[0] = &local;
	both(&local, &first);
	__asm__ volatile("" : : "r"(&local) : "memory");
}

static __attribute__((noinline)) void global_then_local(void)
{
	pthread_mutex_t local = PTHREAD_MUTEX_INITIALIZER;

	on_stack[1] = &local;
	both(&first, &local);
	__asm__ volatile("" : : "r"(&local) : "memory");
}

/* One thread, one address, two mutexes: no order between them, not even a note. */
static void local_locks(void)
{
	local_then_global();
	global_then_local();
	CHECK(on_stack[0] == on_stack[1]);
}

static void global_then_shown(void)
{
	both(&first, on_stack[1]);
}

/* The second one is shown to another thread while it lives; the first is gone by then. */
static void *two_locals(void *unused)
{
	local_then_global();
	pthread_mutex_t local = PTHREAD_MUTEX_INITIALIZER;
	CHECK(pthread_mutex_lock(&local) == 0);
	CHECK(pthread_mutex_unlock(&local) == 0);
	on_stack[1] = &local;
	step(0);
	step(3); /* lives until it was used */
	return unused;
}

static void *use_shown(void *unused)
{
	step(1);
	global_then_shown();
	step(2);
	return unused;
}

/* One that lives, and is used in both orders by two threads. */
static void *one_local(void *unused)
{
	pthread_mutex_t local = PTHREAD_MUTEX_INITIALIZER;

	on_stack[1] = &local;
	both(&local, &first);
	step(0);
	step(3); /* lives until it was used */
	return unused;
}

static __attribute__((noinline)) void enter(void *(*routine)(void *))
{
	routine(NULL);
	__asm__ volatile("");
}

static void *enter_one_local(void *unused)
{
	enter(one_local);
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

static void local_shown(void)
{
	run_two(enter_one_local, use_shown);
}
static void local_gone(void)
{
	run_two(two_locals, use_shown);
}

CASES({"hammer", hammer_in_threads}, {"hammer-and-invert", hammer_and_invert}, {"short-lived", short_lived},
      {"short-lived-then-invert", short_lived_then_invert}, {"deep", deep_ordered},
      {"deep-inverted", deep_inverted}, {"hand-over-hand", hand_over_hand},
      {"hand-over-hand-inverted", hand_over_hand_inverted}, {"load", load_again_and_again},
      {"reloaded", reloaded}, {"kept-loaded", kept_loaded}, {"jump", jump}, {"jump-inverted", jump_inverted},
      {"heap", heap_ordered}, {"heap-inverted", heap_inverted}, {"local", local_locks},
      {"local-shown", local_shown}, {"local-gone", local_gone})
