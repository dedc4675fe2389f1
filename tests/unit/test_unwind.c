/* The unwinder against libgcc's, on every layout of frames and every way onto a stack. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../preload/unwind.h"
#include "../../preload/unwind_libgcc.h"
#include "unwind_asm.h"
#include "unwind_reference.h"
#include "unwind_shapes.h"

static const struct unwind_shapes *const all_shapes[] = {&unwind_shapes_O0, &unwind_shapes_O2,
                                                         &unwind_shapes_frame_pointer, &unwind_shapes_Os};
enum { SHAPES = sizeof all_shapes / sizeof *all_shapes };

static void forget_all(void)
{
	shim_unwind_forget(0, UINTPTR_MAX);
}

static void assert_same(const struct unwind_outcome *o)
{
	assert_true(o->comparisons > 0);
	assert_int_equal(o->mismatches, 0);
	assert_false(o->unfinished);
}

static void use_own_stack(void)
{
	extern void *__libc_stack_end;
	shim_unwind_set_stack((uintptr_t)__builtin_frame_address(0), (uintptr_t)__libc_stack_end);
}

static void run_shapes(const struct unwind_shapes *shapes, struct unwind_outcome *o)
{
	shapes->plain(1, unwind_compare, o);
	shapes->plain(40, unwind_compare, o);
	shapes->alloca_and_args(5, unwind_compare, o);
	shapes->over_aligned(5, unwind_compare, o);
	shapes->variadic(unwind_compare, o, 1.5, 3u);
	shapes->mixed(4, unwind_compare, o);
}

static void test_shapes(void **state)
{
	(void)state;
	for (int known = 1; known >= 0; known--) {
		use_own_stack();
		if (!known)
			shim_unwind_set_stack(0, 0);
		for (int i = 0; i < SHAPES; i++) {
			struct unwind_outcome o = {0};
			forget_all();
			run_shapes(all_shapes[i], &o);
			assert_same(&o);
			assert_true(o.deepest > 42);
		}
	}
	use_own_stack();
}

static void test_far_down_the_stack(void **state)
{
	(void)state;
	struct unwind_outcome o = {0};
	use_own_stack();
	unwind_shapes_O2.large_frame(6, unwind_compare, &o);
	unwind_shapes_O2.plain(400, unwind_compare, &o);
	assert_same(&o);
	assert_true(o.deepest > 400);
}

struct take {
	size_t max, count, libgcc_count;
	bool complete, libgcc_complete;
	struct shim_frame frames[UNWIND_FRAMES], libgcc_frames[UNWIND_FRAMES];
};

static __attribute__((noinline)) void take(void *argument)
{
	struct take *t = argument;
	t->count = shim_unwind(UNWIND_SLOT(), t->frames, t->max, &t->complete);
	t->libgcc_count = shim_unwind_libgcc(UNWIND_SLOT(), t->libgcc_frames, t->max, &t->libgcc_complete);
}

static void test_truncation(void **state)
{
	(void)state;
	static struct take whole = {.max = UNWIND_FRAMES}, part;
	unwind_shapes_O2.plain(100, take, &whole);
	assert_true(whole.complete && whole.libgcc_complete);
	assert_true(whole.count > 100 && whole.count == whole.libgcc_count);
	const size_t some[] = {0, 1, 2, 64, whole.count - 1, whole.count, whole.count + 1};
	for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
		part.max = some[i];
		unwind_shapes_O2.plain(100, take, &part);
		size_t expected = some[i] < whole.count ? some[i] : whole.count;
		assert_int_equal(part.count, expected);
		assert_int_equal(part.libgcc_count, expected);
		assert_int_equal(part.complete, some[i] >= whole.count);
		/* The place of this very call differs, further out. */
		size_t alike = expected < 90 ? expected : 90;
		assert_memory_equal(part.frames, whole.frames, alike * sizeof *whole.frames);
		assert_memory_equal(part.frames, part.libgcc_frames, expected * sizeof *whole.frames);
	}
}

/* Frames younger than the one asked for are not reported. */
static __attribute__((noinline)) void take_for(uintptr_t slot, struct take *t)
{
	take(t);
	t->count = shim_unwind(slot, t->frames, t->max, &t->complete);
}

static void test_slot_further_out(void **state)
{
	(void)state;
	static struct take t = {.max = UNWIND_FRAMES};
	uintptr_t slot = UNWIND_SLOT();
	take_for(slot, &t);
	assert_true(t.complete);
	assert_int_equal(t.frames[0].slot, slot);
	assert_int_equal(t.frames[0].pc, *(uintptr_t *)slot);
	assert_int_equal(t.libgcc_count, t.count + 2);
}

static struct unwind_outcome *callback_outcome;

static int compare_bytes(const void *a, const void *b)
{
	unwind_compare(callback_outcome);
	return *(const unsigned char *)a - *(const unsigned char *)b;
}

static void test_callbacks_of_libc(void **state)
{
	(void)state;
	unsigned char bytes[] = "the quick brown fox";
	struct unwind_outcome o = {0};
	callback_outcome = &o;
	qsort(bytes, sizeof bytes - 1, 1, compare_bytes);
	assert_non_null(bsearch("q", bytes, sizeof bytes - 1, 1, compare_bytes));
	assert_same(&o);
}

static void compare_at_exit(void)
{
	unwind_compare(callback_outcome);
	_exit(callback_outcome->mismatches || callback_outcome->unfinished ? 1 : 42);
}

static void test_exit_handler(void **state)
{
	(void)state;
	struct unwind_outcome o = {0};
	callback_outcome = &o;
	pid_t child = fork();
	if (child == 0) {
		atexit(compare_at_exit);
		exit(2);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
}

static struct unwind_outcome *handler_outcome;

static void on_signal(int number)
{
	(void)number;
	unwind_shapes_O2.mixed(1, unwind_compare, handler_outcome);
}

static void raise_it(void *argument)
{
	(void)argument;
	raise(SIGUSR1);
}

static void signalled(int flags)
{
	struct unwind_outcome o = {0};
	handler_outcome = &o;
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags}, old;
	sigaction(SIGUSR1, &action, &old);
	for (int i = 0; i < SHAPES; i++)
		all_shapes[i]->mixed(2, raise_it, NULL);
	sigaction(SIGUSR1, &old, NULL);
	assert_same(&o);
}

static void test_signal_handler(void **state)
{
	(void)state;
	signalled(0);
	signalled(SA_SIGINFO);
}

static void test_signal_handler_on_another_stack(void **state)
{
	(void)state;
	stack_t stack = {.ss_size = 1 << 18, .ss_sp = malloc(1 << 18)}, old;
	assert_int_equal(sigaltstack(&stack, &old), 0);
	signalled(SA_ONSTACK);
	shim_unwind_set_stack(0, 0);
	signalled(SA_ONSTACK);
	use_own_stack();
	sigaltstack(&old, NULL);
	free(stack.ss_sp);
}

/* The processor's trap flag: a handler between every two instructions. */
static size_t steps;
static bool stepping;

static void on_step(int number, siginfo_t *info, void *context)
{
	(void)number;
	ucontext_t *interrupted = context;
	if (info->si_code != TRAP_TRACE && info->si_code != TRAP_BRKPT)
		stepping = !stepping;
	if (stepping) {
		interrupted->uc_mcontext.gregs[REG_EFL] |= 0x100;
		steps++;
		unwind_compare(handler_outcome);
	} else {
		interrupted->uc_mcontext.gregs[REG_EFL] &= ~0x100L;
	}
}

static void do_nothing(void *argument)
{
	(void)argument;
}

static void breakpoint(void)
{
	__asm__ volatile("int3" ::: "memory");
}

static void test_between_any_two_instructions(void **state)
{
	(void)state;
	struct unwind_outcome o = {0};
	handler_outcome = &o;
	steps = 0;
	struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO}, old;
	sigaction(SIGTRAP, &action, &old);
	breakpoint();
	for (int i = 0; i < SHAPES; i++)
		all_shapes[i]->mixed(1, do_nothing, NULL);
	/* The first call of a function: lazy binding's stub, where the linker makes one. */
	volatile int order = strverscmp("item#99", "item#100");
	breakpoint();
	sigaction(SIGTRAP, &old, NULL);
	assert_true(order < 0);
	assert_true(steps > 500);
	assert_same(&o);
}

static void *thread_main(void *argument)
{
	shim_unwind_set_stack((uintptr_t)__builtin_frame_address(0), (uintptr_t)pthread_self());
	run_shapes(&unwind_shapes_O2, argument);
	return NULL;
}

static void test_thread(void **state)
{
	(void)state;
	struct unwind_outcome o = {0};
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, thread_main, &o), 0);
	pthread_join(thread, NULL);
	assert_same(&o);
}

enum { COROUTINE_BYTES = 1 << 17, PAGE = 4096 };
static ucontext_t main_context, coroutine_context;
static struct unwind_outcome *coroutine_outcome;

static void coroutine(void)
{
	unwind_shapes_O2.mixed(2, unwind_compare, coroutine_outcome);
	swapcontext(&coroutine_context, &main_context);
	unwind_shapes_O0.mixed(2, unwind_compare, coroutine_outcome);
}

static void run_coroutine(char *stack)
{
	struct unwind_outcome o = {0};
	coroutine_outcome = &o;
	getcontext(&coroutine_context);
	coroutine_context.uc_stack.ss_sp = stack;
	coroutine_context.uc_stack.ss_size = COROUTINE_BYTES;
	coroutine_context.uc_link = &main_context;
	makecontext(&coroutine_context, coroutine, 0);
	swapcontext(&main_context, &coroutine_context);
	swapcontext(&main_context, &coroutine_context);
	assert_same(&o);
}

/* Between unreadable pages: a walk that leaves the stack is a crash. */
static void test_coroutine(void **state)
{
	(void)state;
	char *area = mmap(NULL, COROUTINE_BYTES + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(area, MAP_FAILED);
	mprotect(area + PAGE, COROUTINE_BYTES, PROT_READ | PROT_WRITE);
	use_own_stack();
	run_coroutine(area + PAGE);
	/* First met on the coroutine: what is given as `lo` is not in the stack. */
	extern void *__libc_stack_end;
	shim_unwind_set_stack((uintptr_t)area + COROUTINE_BYTES, (uintptr_t)__libc_stack_end);
	run_coroutine(area + PAGE);
	char on_stack[COROUTINE_BYTES];
	use_own_stack();
	run_coroutine(on_stack);
	munmap(area, COROUTINE_BYTES + 2 * PAGE);
}

/* Where libgcc's would crash or loop. */
static __attribute__((noinline)) void take_ours(void *argument)
{
	struct take *t = argument;
	t->count = shim_unwind(UNWIND_SLOT(), t->frames, t->max, &t->complete);
}

static void test_unusual_descriptions(void **state)
{
	(void)state;
	struct unwind_outcome o = {0};
	use_own_stack();
	unwind_saved_sp(unwind_compare, &o, 0);
	unwind_remembering(unwind_compare, &o, 0);
	assert_same(&o);
	/* libgcc takes no rule for the CIE's rule here, and never ends. */
	static struct take t = {.max = UNWIND_FRAMES};
	unwind_restored(take_ours, &t, 0);
	assert_true(t.complete && t.count > 3);
}

static void assert_stops_at(unwind_caller *caller, uintptr_t word)
{
	static struct take t = {.max = UNWIND_FRAMES};
	caller(take_ours, &t, word);
	assert_int_equal(t.count, 1);
	assert_false(t.complete);
}

static void test_what_must_stop(void **state)
{
	(void)state;
	char *hole = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	use_own_stack();
	assert_stops_at(unwind_bare, 0);
	assert_stops_at(unwind_loop, 0);
	assert_stops_at(unwind_long_loop, 0);
	assert_stops_at(unwind_greedy, 0);
	assert_stops_at(unwind_stack_hog, 0);
	assert_stops_at(unwind_lost_saver, (uintptr_t)hole);
	assert_stops_at(unwind_lost_saver, (uintptr_t)hole + PAGE / 2);
	assert_stops_at(unwind_lost_saver, (uintptr_t)1 << 63);
	assert_stops_at(unwind_lost_saver, 0);
	munmap(hole, PAGE);
}

static void test_broken_chains(void **state)
{
	(void)state;
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	extern void *__libc_stack_end;
	uintptr_t end = (uintptr_t)__libc_stack_end & ~(uintptr_t)7;
	char *hole = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const uintptr_t lies[] = {0,
	                          8,
	                          1,
	                          UINTPTR_MAX,
	                          UINTPTR_MAX - 7,
	                          (uintptr_t)1 << 63,
	                          (uintptr_t)1 << 47,
	                          here - 8192,
	                          here + 1,
	                          (uintptr_t)hole,
	                          (uintptr_t)hole + 8};
	for (int known = 1; known >= 0; known--) {
		use_own_stack();
		if (!known)
			shim_unwind_set_stack(0, 0);
		for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
			assert_stops_at(unwind_liar, lies[i]);
			assert_stops_at(unwind_pointing_liar, lies[i]);
		}
	}
	use_own_stack();
	assert_stops_at(unwind_liar, end + 8);
	assert_stops_at(unwind_liar, end + 4096);
	munmap(hole, PAGE);
}

/* Readable words that look like a frame, but above the end of the thread's stack. */
static void *stack_with_a_top(void *argument)
{
	uintptr_t *area = argument;
	area[1] = (uintptr_t)__builtin_return_address(0);
	shim_unwind_set_stack((uintptr_t)__builtin_frame_address(0), (uintptr_t)area);
	static struct take t = {.max = UNWIND_FRAMES};
	unwind_liar(take_ours, &t, (uintptr_t)(area + 2));
	return &t;
}

static void test_does_not_leave_its_stack(void **state)
{
	(void)state;
	size_t bytes = 64 * PAGE;
	char *area = mmap(NULL, bytes + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	assert_int_equal(pthread_attr_setstack(&attributes, area, bytes), 0);
	pthread_t thread;
	void *result;
	assert_int_equal(pthread_create(&thread, &attributes, stack_with_a_top, area + bytes), 0);
	pthread_join(thread, &result);
	assert_int_equal(((struct take *)result)->count, 1);
	pthread_attr_destroy(&attributes);
	munmap(area, bytes + PAGE);
}

/* From a handler's stack, known and above, to the interrupted one, unknown and below. */
static void coroutine_that_raises(void)
{
	unwind_shapes_O2.plain(3, raise_it, NULL);
}

static void test_signal_stack_above(void **state)
{
	(void)state;
	struct unwind_outcome o = {0};
	static char coroutine_stack[COROUTINE_BYTES];
	char own[COROUTINE_BYTES];
	stack_t stack = {.ss_size = sizeof own, .ss_sp = own}, old;
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK}, old_action;
	handler_outcome = &o;
	use_own_stack();
	assert_int_equal(sigaltstack(&stack, &old), 0);
	sigaction(SIGUSR1, &action, &old_action);
	getcontext(&coroutine_context);
	coroutine_context.uc_stack.ss_sp = coroutine_stack;
	coroutine_context.uc_stack.ss_size = sizeof coroutine_stack;
	coroutine_context.uc_link = &main_context;
	makecontext(&coroutine_context, coroutine_that_raises, 0);
	swapcontext(&main_context, &coroutine_context);
	sigaction(SIGUSR1, &old_action, NULL);
	sigaltstack(&old, NULL);
	assert_same(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shapes),
	    cmocka_unit_test(test_far_down_the_stack),
	    cmocka_unit_test(test_truncation),
	    cmocka_unit_test(test_slot_further_out),
	    cmocka_unit_test(test_callbacks_of_libc),
	    cmocka_unit_test(test_exit_handler),
	    cmocka_unit_test(test_signal_handler),
	    cmocka_unit_test(test_signal_handler_on_another_stack),
	    cmocka_unit_test(test_between_any_two_instructions),
	    cmocka_unit_test(test_thread),
	    cmocka_unit_test(test_coroutine),
	    cmocka_unit_test(test_unusual_descriptions),
	    cmocka_unit_test(test_what_must_stop),
	    cmocka_unit_test(test_broken_chains),
	    cmocka_unit_test(test_does_not_leave_its_stack),
	    cmocka_unit_test(test_signal_stack_above),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
