/* Signal handlers that lock, and everything that a program may do with handlers and masks. Signals are
 * sent by the threads to themselves at points where their handlers can't block. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "case.h"

static pthread_mutex_t journal = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t unrelated = PTHREAD_MUTEX_INITIALIZER;
static volatile sig_atomic_t runs;

static __attribute__((noinline)) void write_line(void)
{
	CHECK(pthread_mutex_lock(&journal) == 0);
	CHECK(pthread_mutex_unlock(&journal) == 0);
}

static void locks(int number)
{
	(void)number;
	runs++;
	write_line();
}

static void tries(int number)
{
	(void)number;
	runs++;
	if (pthread_mutex_trylock(&journal) == 0)
		CHECK(pthread_mutex_unlock(&journal) == 0);
}

static void counts(int number)
{
	(void)number;
	runs++;
}

static void install(int number, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	CHECK(sigaction(number, &action, NULL) == 0);
}

static void block(int how, int number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	CHECK(pthread_sigmask(how, &set, NULL) == 0);
}

static void plain(void)
{
	install(SIGUSR1, locks, 0);
	write_line();
	raise(SIGUSR1);
	CHECK(runs == 1);
}

/* signal, as most programs have it. */
static void by_signal(void)
{
	CHECK(signal(SIGUSR1, locks) == SIG_DFL);
	raise(SIGUSR1);
	write_line();
	CHECK(signal(SIGUSR1, SIG_DFL) == locks && runs == 1);
}

static void by_sigset(void)
{
	CHECK(sigset(SIGUSR1, locks) == SIG_DFL);
	raise(SIGUSR1);
	CHECK(sigset(SIGUSR1, SIG_HOLD) == locks);
	CHECK(sighold(SIGUSR1) == 0);
	CHECK(sigrelse(SIGUSR1) == 0);
	write_line();
}

static void only_tries(void)
{
	install(SIGUSR1, tries, 0);
	write_line();
	raise(SIGUSR1);
}

static void *lock_blocked(void *unused)
{
	sigset_t now;

	CHECK(pthread_sigmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, SIGUSR1));
	write_line();
	return unused;
}

static void in_thread(void *(*routine)(void *))
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, routine, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
}

/* By pthread_sigmask around it, by sigprocmask, and in a thread that inherits the mask. */
static void blocked(void)
{
	sigset_t set, old, *volatile same = &set;

	install(SIGUSR1, locks, 0);
	raise(SIGUSR1);
	for (int i = 0; i < 3; i++) {
		block(SIG_BLOCK, SIGUSR1);
		write_line();
		in_thread(lock_blocked);
		block(SIG_UNBLOCK, SIGUSR1);
	}
	sigfillset(&set);
	CHECK(sigprocmask(SIG_SETMASK, &set, same) == 0);
	write_line();
	CHECK(sigprocmask(SIG_SETMASK, &set, &old) == 0 && sigismember(&old, SIGUSR2));
}

static void *lock_unblocked(void *unused)
{
	block(SIG_UNBLOCK, SIGUSR1);
	write_line();
	return unused;
}

static void blocked_in_one(void)
{
	install(SIGUSR1, locks, 0);
	raise(SIGUSR1);
	block(SIG_BLOCK, SIGUSR1);
	write_line();
	in_thread(lock_unblocked);
}

/* Another lock than the threads'. */
static void *take_unrelated(void *unused)
{
	CHECK(pthread_mutex_lock(&unrelated) == 0);
	CHECK(pthread_mutex_unlock(&unrelated) == 0);
	return unused;
}

static void other_lock(void)
{
	install(SIGUSR1, locks, 0);
	raise(SIGUSR1);
	in_thread(take_unrelated);
	raise(SIGUSR1);
}

/* Before there is a handler, and after it has gone: nothing interrupts. */
static void not_installed(void)
{
	for (int i = 0; i < 5; i++) {
		write_line();
		install(SIGUSR1, locks, 0);
		raise(SIGUSR1);
		CHECK(signal(SIGUSR1, SIG_IGN) == locks);
		write_line();
		CHECK(signal(SIGUSR1, SIG_DFL) == SIG_IGN);
		write_line();
	}
	install(SIGUSR1, locks, (int)SA_RESETHAND);
	raise(SIGUSR1);
	write_line();
	CHECK(runs == 6);
}

/* The same place and the same thread, first without a handler and then with one. */
static void installed_later(void)
{
	for (int i = 0; i < 3; i++) {
		if (i == 2)
			install(SIGUSR1, locks, 0);
		write_line();
	}
	raise(SIGUSR1);
}

static sigjmp_buf back;

static void jumps(int number)
{
	(void)number;
	write_line();
	siglongjmp(back, 1);
}

/* Out of a handler: what follows is in no handler, and the mask is what it was. */
static void jump_out(void)
{
	block(SIG_BLOCK, SIGUSR2);
	install(SIGUSR1, jumps, 0);
	install(SIGUSR2, locks, 0);
	if (sigsetjmp(back, 1) == 0)
		raise(SIGUSR1);
	block(SIG_BLOCK, SIGUSR1);
	/* Were this still the handler of SIGUSR1, it would be a finding with the one below. */
	CHECK(pthread_mutex_lock(&unrelated) == 0);
	CHECK(pthread_mutex_unlock(&unrelated) == 0);
	block(SIG_UNBLOCK, SIGUSR1);
	in_thread(take_unrelated);
}

static void jump_out_and_lock(void)
{
	install(SIGUSR1, jumps, 0);
	if (sigsetjmp(back, 1) == 0)
		raise(SIGUSR1);
	write_line();
}

/* On a stack of its own. */
static void own_stack(void)
{
	stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};

	CHECK(stack.ss_sp && sigaltstack(&stack, NULL) == 0);
	install(SIGUSR1, locks, SA_ONSTACK);
	raise(SIGUSR1);
	write_line();
}

static void own_stack_jump(void)
{
	stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536}, none = {.ss_flags = SS_DISABLE};

	CHECK(stack.ss_sp && sigaltstack(&stack, NULL) == 0);
	install(SIGUSR1, jumps, SA_ONSTACK);
	if (sigsetjmp(back, 1) == 0)
		raise(SIGUSR1);
	CHECK(sigaltstack(&none, NULL) == 0);
	free(stack.ss_sp);
	block(SIG_BLOCK, SIGUSR1);
	write_line();
}

/* One handler interrupted by another. */
static void locks_and_is_interrupted(int number)
{
	locks(number);
	raise(SIGUSR2);
}

static void nested(void)
{
	block(SIG_BLOCK, SIGUSR1);
	install(SIGUSR1, locks_and_is_interrupted, 0);
	install(SIGUSR2, locks, 0);
	block(SIG_UNBLOCK, SIGUSR1);
	raise(SIGUSR1);
	CHECK(runs == 2);
}

/* The same, with the second one blocked while the first runs. */
static void nested_masked(void)
{
	struct sigaction action = {.sa_handler = locks_and_is_interrupted};

	sigaddset(&action.sa_mask, SIGUSR2);
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	action.sa_handler = locks;
	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGUSR1);
	CHECK(sigaction(SIGUSR2, &action, NULL) == 0);
	raise(SIGUSR1);
	CHECK(runs == 2);
}

/* A handler that blocks its signal for good, by the context that it returns to. */
static void blocks_for_good(int number, siginfo_t *info, void *context)
{
	ucontext_t *to = context;

	CHECK(info->si_signo == number && info->si_pid == getpid());
	sigaddset(&to->uc_sigmask, number);
	locks(number);
}

static void mask_by_context(void)
{
	struct sigaction action = {.sa_sigaction = blocks_for_good, .sa_flags = SA_SIGINFO}, old;

	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	raise(SIGUSR1);
	write_line();
	CHECK(sigaction(SIGUSR1, NULL, &old) == 0);
	CHECK(old.sa_sigaction == blocks_for_good && old.sa_flags & SA_SIGINFO);
}

static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;

static void reads(int number)
{
	(void)number;
	CHECK(pthread_rwlock_rdlock(&table) == 0);
	CHECK(pthread_rwlock_unlock(&table) == 0);
}

static void readers(void)
{
	install(SIGUSR1, reads, 0);
	reads(0);
	raise(SIGUSR1);
}

/* What a program reads back is what it installed, whatever it does. */
static void actions(void)
{
	struct sigaction action = {.sa_handler = counts, .sa_flags = SA_RESTART | SA_NODEFER}, old;
	struct sigaction *volatile same = &action;

	sigaddset(&action.sa_mask, SIGHUP);
	CHECK(sigaction(SIGUSR1, &action, same) == 0 && action.sa_handler == SIG_DFL);
	CHECK(sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_handler == counts);
	CHECK((old.sa_flags & ~0x04000000) == (SA_RESTART | SA_NODEFER) && sigismember(&old.sa_mask, SIGHUP));
	same = &old;
	CHECK(sigaction(SIGUSR1, &old, same) == 0 && old.sa_handler == counts);
	CHECK(siginterrupt(SIGUSR1, 1) == 0);
	CHECK(sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_handler == counts && !(old.sa_flags & SA_RESTART));
	raise(SIGUSR1);
	CHECK(runs == 1);
	errno = 0;
	CHECK(signal(SIGKILL, counts) == SIG_ERR && errno == EINVAL);
	errno = 0;
	CHECK(sigaction(0, NULL, &old) == -1 && errno == EINVAL);
	errno = 0;
	CHECK(sigaction(65, &old, NULL) == -1 && errno == EINVAL);
	errno = 0;
	CHECK(signal(-1, counts) == SIG_ERR && errno == EINVAL);
	CHECK(signal(SIGUSR1, SIG_IGN) == counts && signal(SIGUSR1, SIG_DFL) == SIG_IGN);
	CHECK(sysv_signal(SIGUSR1, counts) == SIG_DFL);
	raise(SIGUSR1);
	CHECK(runs == 2 && signal(SIGUSR1, counts) == SIG_DFL);
	pid_t child = vfork();
	if (child == 0) {
		/* The child's own actions, in its parent's memory. */
		_exit(signal(SIGUSR1, SIG_DFL) == counts ? 0 : 1);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	raise(SIGUSR1);
	CHECK(runs == 3);
}

/* More handlers of one signal than anybody installs. */
#define HANDLER(n)                         \
	static void handler_##n(int number) \
	{                                  \
		(void)number;              \
		runs += (n);               \
	}
HANDLER(1) HANDLER(2) HANDLER(3) HANDLER(4) HANDLER(5) HANDLER(6) HANDLER(7) HANDLER(8) HANDLER(9) HANDLER(10)
HANDLER(11) HANDLER(12) HANDLER(13) HANDLER(14) HANDLER(15) HANDLER(16) HANDLER(17) HANDLER(18)

static void many_handlers(void)
{
	static void (*const all[])(int) = {handler_1,  handler_2,  handler_3,  handler_4,  handler_5,  handler_6,
	                                   handler_7,  handler_8,  handler_9,  handler_10, handler_11, handler_12,
	                                   handler_13, handler_14, handler_15, handler_16, handler_17, handler_18};
	int expected = 0;

	for (int i = 0; i < 36; i++) {
		void (*old)(int) = signal(SIGUSR1, all[i % 18]);
		CHECK(i ? old == all[(i - 1) % 18] : old == SIG_DFL);
		raise(SIGUSR1);
		expected += i % 18 + 1;
		CHECK(runs == expected);
	}
}

/* In the child of a fork too. */
static void in_child(void)
{
	install(SIGUSR1, locks, 0);
	pid_t child = fork();
	if (child == 0) {
		raise(SIGUSR1);
		write_line();
		exit(0);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

/* A handler that forks: its child lives on inside it, as a server does, with the signal unblocked and handlers of its own that
 * do nothing, and locks as any program does. */
static void does_nothing(int number)
{
	(void)number;
}

static void forks_a_server(int number)
{
	sigset_t set;
	int status;

	pid_t child = fork();
	if (child == 0) {
		install(number, does_nothing, 0);
		write_line();
		sigemptyset(&set);
		sigaddset(&set, number);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		write_line();
		exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void forked_in_handler(void)
{
	install(SIGUSR1, forks_a_server, 0);
	raise(SIGUSR1);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A mask around every lock: the time goes to stdout. */
static void mask_loop(void)
{
	enum { ROUNDS = 300000 };
	sigset_t set, old;

	install(SIGUSR1, counts, 0);
	sigfillset(&set);
	double began = seconds();
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(pthread_sigmask(SIG_SETMASK, &set, &old) == 0);
		CHECK(pthread_mutex_lock(&journal) == 0);
		CHECK(pthread_mutex_unlock(&journal) == 0);
		CHECK(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
		CHECK(pthread_mutex_lock(&unrelated) == 0);
		CHECK(pthread_mutex_unlock(&unrelated) == 0);
	}
	printf("%.1f\n", (seconds() - began) / ROUNDS * 1e9);
}

CASES({"plain", plain}, {"signal", by_signal}, {"sigset", by_sigset}, {"only-tries", only_tries}, {"blocked", blocked},
      {"blocked-in-one", blocked_in_one}, {"other-lock", other_lock}, {"not-installed", not_installed},
      {"installed-later", installed_later}, {"jump-out", jump_out}, {"jump-out-and-lock", jump_out_and_lock},
      {"own-stack", own_stack}, {"own-stack-jump", own_stack_jump}, {"nested", nested}, {"nested-masked", nested_masked},
      {"mask-by-context", mask_by_context}, {"readers", readers}, {"actions", actions},
      {"many-handlers", many_handlers}, {"in-child", in_child}, {"forked-in-handler", forked_in_handler}, {"mask-loop", mask_loop})
