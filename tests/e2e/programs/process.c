/* Processes: fork, exec and the ends that a process can come to. Every case that ends in an odd way
 * has made its inversion before. */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"

extern char **environ;

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;

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

static void invert(void)
{
	in_turn(forwards, backwards);
}

static void wait_for(pid_t child, int expected_status)
{
	int status;

	CHECK(child > 0);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == expected_status);
}

static pid_t fork_checked(void)
{
	fflush(NULL);
	pid_t child = fork();

	CHECK(child >= 0);
	return child;
}

/* The child has threads of its own, which disagree. */
static void child_inverts(void)
{
	pid_t child = fork_checked();

	if (child == 0) {
		invert();
		exit(5);
	}
	wait_for(child, 5);
}

static void parent_inverts(void)
{
	pid_t child = fork_checked();

	if (child == 0)
		_exit(0);
	wait_for(child, 0);
	invert();
}

/* Forked by a thread that is not the first, with others around. */
static void fork_in_thread(void)
{
	in_turn(forwards, child_inverts);
}

/* Each takes one order, in memory that is its own: they can't block each other. */
static void one_order_each(void)
{
	pid_t child = fork_checked();

	if (child == 0) {
		backwards();
		exit(0);
	}
	forwards();
	wait_for(child, 0);
}

/* The child starts with the lock held that the forking thread held. All its edges are its only
 * thread's. */
static void held_over_fork(void)
{
	CHECK(pthread_mutex_lock(&first) == 0);
	pid_t child = fork_checked();

	if (child == 0) {
		CHECK(pthread_mutex_lock(&second) == 0);
		CHECK(pthread_mutex_unlock(&second) == 0);
		CHECK(pthread_mutex_unlock(&first) == 0);
		backwards();
		exit(0);
	}
	CHECK(pthread_mutex_unlock(&first) == 0);
	wait_for(child, 0);
}

static void *second_after_fork(void *unused)
{
	step(1);
	backwards();
	return unused;
}

/* As above, and the other order comes from a thread that is not ordered after it. */
static void held_over_fork_unordered(void)
{
	CHECK(pthread_mutex_lock(&first) == 0);
	pid_t child = fork_checked();

	if (child == 0) {
		pthread_t thread;

		CHECK(pthread_create(&thread, NULL, second_after_fork, NULL) == 0);
		CHECK(pthread_mutex_lock(&second) == 0);
		CHECK(pthread_mutex_unlock(&second) == 0);
		CHECK(pthread_mutex_unlock(&first) == 0);
		step(0);
		CHECK(pthread_join(thread, NULL) == 0);
		exit(0);
	}
	CHECK(pthread_mutex_unlock(&first) == 0);
	wait_for(child, 0);
}

static char self[4096];

static char *const *self_with(const char *argument)
{
	static char name[64];
	static char *arguments[] = {self, name, NULL};
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	CHECK(length > 0);
	self[length] = 0;
	snprintf(name, sizeof(name), "%s", argument);
	return arguments;
}

static void exec_after_fork(void)
{
	char *const *arguments = self_with("invert");
	pid_t child = fork_checked();

	if (child == 0) {
		execv(arguments[0], arguments);
		_exit(127);
	}
	wait_for(child, 0);
}

static void exec_after_vfork(void)
{
	char *const *arguments = self_with("invert");
	pid_t child = vfork();

	if (child == 0) {
		execv(arguments[0], arguments);
		_exit(127);
	}
	wait_for(child, 0);
	forwards(); /* the parent goes on being followed */
}

/* A vfork child that can't exec ends with _exit, in its parent's memory. The parent goes on. */
static void failed_exec_after_vfork(void)
{
	pid_t child = vfork();

	if (child == 0) {
		execl("/nonexistent/program", "program", (char *)NULL);
		_exit(127);
	}
	wait_for(child, 127);
	invert();
}

static void spawn(void)
{
	char *const *arguments = self_with("invert");
	pid_t child;

	CHECK(posix_spawn(&child, arguments[0], NULL, NULL, arguments, environ) == 0);
	wait_for(child, 0);
}

/* What was found before an exec is kept, and the new program is followed. */
static void exec_after_inversion(void)
{
	char *const *arguments = self_with("ordered");

	invert();
	execv(arguments[0], arguments);
	CHECK(0);
}

static void exec_then_inversion(void)
{
	char *const *arguments = self_with("invert");

	forwards();
	execv(arguments[0], arguments);
	CHECK(0);
}

static void ordered(void)
{
	in_turn(forwards, forwards);
}

/* As a daemon does it: two forks, a session, and every descriptor closed. */
static void daemonise(void)
{
	int done[2];
	char byte;

	CHECK(pipe(done) == 0);
	pid_t child = fork_checked();
	if (child == 0) {
		setsid();
		pid_t grandchild = fork();
		if (grandchild != 0)
			_exit(grandchild < 0);
		CHECK(dup2(done[1], 0) == 0);
		close_range(1, ~0U, 0);
		invert();
		_exit(0); /* closes the pipe: the parent may go on */
	}
	close(done[1]);
	wait_for(child, 0);
	CHECK(read(done[0], &byte, 1) == 0);
}

static void close_all_then_invert(void)
{
	fflush(NULL);
	close_range(3, ~0U, 0);
	invert();
}

/* Ends. */
static void end_by_sigkill(void)
{
	invert();
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

static void end_by_abort(void)
{
	invert();
	abort();
}

static void end_by_fault(void)
{
	invert();
	raise(SIGSEGV);
}

static void end_by__exit(void)
{
	invert();
	_exit(7);
}

static void end_by_quick_exit(void)
{
	invert();
	quick_exit(8);
}

static void end_by_thread_exit(void)
{
	invert();
	pthread_exit(NULL);
}

static void *exit_in_thread(void *unused)
{
	(void)unused;
	invert();
	exit(9);
}

static void end_by_exit_in_thread(void)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, exit_in_thread, NULL) == 0);
	for (;;)
		pause();
}

static void *lock_for_ever(void *unused)
{
	(void)unused;
	forwards();
	step(0);
	step(3);
	for (;;)
		forwards();
	return NULL;
}

/* main returns while threads run on. */
static void end_with_threads_running(void)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, lock_for_ever, NULL) == 0);
	step(1);
	backwards();
	step(2);
}

static void *forwards_into_deadlock(void *unused)
{
	CHECK(pthread_mutex_lock(&first) == 0);
	step(0);
	step(2);
	CHECK(pthread_mutex_lock(&second) == 0);
	return unused;
}

static void *backwards_into_deadlock(void *unused)
{
	CHECK(pthread_mutex_lock(&second) == 0);
	step(1);
	step(3);
	CHECK(pthread_mutex_lock(&first) == 0);
	return unused;
}

/* A real one. Who runs this kills it. */
static void hang(void)
{
	pthread_t threads[2];

	puts("hanging");
	fflush(stdout);
	CHECK(pthread_create(&threads[0], NULL, forwards_into_deadlock, NULL) == 0);
	CHECK(pthread_create(&threads[1], NULL, backwards_into_deadlock, NULL) == 0);
	CHECK(pthread_join(threads[0], NULL) == 0);
}

CASES({"invert", invert}, {"ordered", ordered}, {"child-inverts", child_inverts},
      {"parent-inverts", parent_inverts}, {"fork-in-thread", fork_in_thread},
      {"one-order-each", one_order_each}, {"held-over-fork", held_over_fork},
      {"held-over-fork-unordered", held_over_fork_unordered}, {"exec-after-fork", exec_after_fork},
      {"exec-after-vfork", exec_after_vfork}, {"failed-exec-after-vfork", failed_exec_after_vfork},
      {"spawn", spawn}, {"exec-after-inversion", exec_after_inversion},
      {"exec-then-inversion", exec_then_inversion}, {"daemonise", daemonise},
      {"close-all", close_all_then_invert}, {"sigkill", end_by_sigkill}, {"abort", end_by_abort},
      {"fault", end_by_fault}, {"_exit", end_by__exit}, {"quick_exit", end_by_quick_exit},
      {"thread-exit", end_by_thread_exit}, {"exit-in-thread", end_by_exit_in_thread},
      {"threads-running", end_with_threads_running}, {"hang", hang})
