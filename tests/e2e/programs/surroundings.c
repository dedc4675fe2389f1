/* What a program may do around the shim: threads whose handles vanish, the smallest stacks,
 * threads that the C library starts. */
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "case.h"

enum { VANISHING = 3000, AT_ONCE = 64, PAGE_BYTES = 4096 };

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;

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

/* A detached thread's object, and the pthread_t in it, may be gone before pthread_create returns. */
struct vanishing {
	pthread_t handle;
	void *page; /* that this is in */
};
static int vanished;

static void *vanish(void *page)
{
	CHECK(munmap(*(void **)page, PAGE_BYTES) == 0);
	forwards();
	__atomic_fetch_add(&vanished, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void create_vanishing(int count)
{
	pthread_attr_t detached;

	CHECK(pthread_attr_init(&detached) == 0);
	CHECK(pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED) == 0);
	for (int i = 0; i < count; i++) {
		void *page =
		    mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(page != MAP_FAILED);
		struct vanishing *thread = page;
		thread->page = page;
		CHECK(pthread_create(&thread->handle, &detached, vanish, &thread->page) == 0);
		while (i - __atomic_load_n(&vanished, __ATOMIC_ACQUIRE) > AT_ONCE)
			sched_yield();
	}
	while (__atomic_load_n(&vanished, __ATOMIC_ACQUIRE) < count)
		sched_yield();
}

static void vanishing(void)
{
	create_vanishing(VANISHING);
}

struct routine {
	void (*call)(void);
};

static void *run(void *routine)
{
	((const struct routine *)routine)->call();
	return NULL;
}

static void vanishing_then_backwards(void)
{
	static struct routine routine = {backwards};
	pthread_t thread;

	vanishing();
	CHECK(pthread_create(&thread, NULL, run, &routine) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
}

static void on_smallest_stack(const struct routine *routine)
{
	pthread_attr_t small;
	pthread_t thread;

	CHECK(pthread_attr_init(&small) == 0);
	CHECK(pthread_attr_setstacksize(&small, (size_t)PTHREAD_STACK_MIN) == 0);
	CHECK(pthread_create(&thread, &small, run, (void *)routine) == 0);
	/* Not joined: that would order them. */
	CHECK(pthread_detach(thread) == 0);
}

static void first_done(void)
{
	forwards();
	step(0);
}

static void then_forwards(void)
{
	step(1);
	forwards();
	step(2);
}

static void then_backwards(void)
{
	step(1);
	backwards();
	step(2);
}

static const struct routine forwards_first = {first_done}, forwards_too = {then_forwards},
                            inverted = {then_backwards};

static void small_stacks(void)
{
	on_smallest_stack(&forwards_first);
	on_smallest_stack(&forwards_too);
	step(3);
}

static void small_stacks_inverted(void)
{
	on_smallest_stack(&forwards_first);
	on_smallest_stack(&inverted);
	step(3);
}

/* Threads that the C library starts when a timer runs out. */
static int expired;

static void expire(union sigval unused)
{
	(void)unused;
	backwards();
	__atomic_fetch_add(&expired, 1, __ATOMIC_RELEASE);
}

static timer_t make_timer(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = expire};
	timer_t timer;

	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	return timer;
}

static void use_timer(timer_t timer)
{
	const struct itimerspec soon = {.it_value = {0, 1000000}};
	int before = __atomic_load_n(&expired, __ATOMIC_ACQUIRE);

	CHECK(timer_settime(timer, 0, &soon, NULL) == 0);
	while (__atomic_load_n(&expired, __ATOMIC_ACQUIRE) == before)
		sched_yield();
	CHECK(timer_delete(timer) == 0);
}

static void timer_after(void)
{
	forwards();
	use_timer(make_timer());
	use_timer(make_timer());
}

static void timer_beside(void)
{
	timer_t timer = make_timer();

	forwards();
	use_timer(timer);
}

/* The second call asks for the same, but the first timer's thread does not come after it. */
static void timer_beside_the_next(void)
{
	timer_t timer = make_timer();

	forwards();
	use_timer(make_timer());
	use_timer(timer);
}

/* Asked for by two threads: whose call a thread comes after is not known, so no order is claimed. */
static timer_t others;

static void make_others(void)
{
	others = make_timer();
}

static void use_others(void)
{
	use_timer(others);
}

static void forwards_and_use(void)
{
	forwards();
	use_timer(make_timer());
}

static void timers_of_two_threads(void)
{
	in_turn(make_others, forwards_and_use, use_others);
}

/* Locking is no cancellation point, also where it is the first thing that a process does. */
static void *fork_with_a_pending_cancel(void *unused)
{
	int status, before;

	CHECK(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before) == 0);
	CHECK(pthread_cancel(pthread_self()) == 0);
	pid_t child = _Fork();
	CHECK(child >= 0);
	if (child == 0) {
		CHECK(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before) == 0);
		forwards();
		_exit(5);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
	return unused;
}

static void pending_cancel(void)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, fork_with_a_pending_cancel, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
}

/* A recursive mutex knows its owner by the thread's id, and that is another in the child of a fork. */
static pthread_mutex_t again = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

static void lock_again(void)
{
	CHECK(pthread_mutex_lock(&again) == 0);
	CHECK(pthread_mutex_lock(&again) == 0);
	CHECK(pthread_mutex_unlock(&again) == 0);
	CHECK(pthread_mutex_unlock(&again) == 0);
}

static void lock_again_in_child(pid_t (*make)(void))
{
	int status;

	lock_again();
	pid_t child = make();
	CHECK(child >= 0);
	if (child == 0) {
		alarm(10);
		lock_again();
		_exit(5);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
}

static void again_in_child(void)
{
	lock_again_in_child(fork);
	lock_again_in_child(_Fork);
}

static void inverted_in_turn(void)
{
	in_turn(forwards, backwards);
}
static void ordered_in_turn(void)
{
	in_turn(forwards, forwards);
}

CASES({"inverted", inverted_in_turn}, {"ordered", ordered_in_turn}, {"pending-cancel", pending_cancel},
      {"again-in-child", again_in_child}, {"vanishing", vanishing},
      {"vanishing-then-backwards", vanishing_then_backwards}, {"small-stacks", small_stacks},
      {"small-stacks-inverted", small_stacks_inverted}, {"timer-after", timer_after},
      {"timer-beside", timer_beside}, {"timer-beside-the-next", timer_beside_the_next},
      {"timers-of-two-threads", timers_of_two_threads})
