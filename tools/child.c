/* All signals of interest are blocked and taken one by one with sigwaitinfo, so there are no
 * handlers and nothing to race with. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const int passed_on[] = {SIGINT,  SIGQUIT, SIGTERM, SIGHUP,   SIGUSR1,
                                SIGUSR2, SIGALRM, SIGPIPE, SIGWINCH, SIGCONT};

static sigset_t taken_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(*passed_on); i++)
		sigaddset(&set, passed_on[i]);
	return set;
}

/* In the child. The pipe closes at exec; what comes through it is why there was none. */
static _Noreturn void become(const char *path, char *const *argv, char *const *environment, int error_pipe)
{
	execve(path, argv, environment);
	int error = errno;
	while (write(error_pipe, &error, sizeof(error)) < 0 && errno == EINTR)
		;
	_exit(127);
}

static int read_exec_errno(int pipe_end)
{
	int error = 0;
	ssize_t bytes;

	do {
		bytes = read(pipe_end, &error, sizeof(error));
	} while (bytes < 0 && errno == EINTR);
	return bytes == (ssize_t)sizeof(error) ? error : 0;
}

/* The terminal sends to its whole foreground group, so the child has that one already; what comes
 * from a process was meant for us, and we stand for the child. */
static void pass_on(pid_t pid, const siginfo_t *info)
{
	bool from_process =
	    info->si_code == SI_USER || info->si_code == SI_QUEUE || info->si_code == SI_TKILL;

	if (info->si_signo != SIGCHLD && from_process && info->si_pid != pid)
		kill(pid, info->si_signo);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The next signal's number; at the end of the time the child is killed, and SIGCHLD comes. */
static int next_signal(struct child *child, const sigset_t *taken, siginfo_t *info, uint64_t end_ns)
{
	if (!end_ns || child->timed_out)
		return sigwaitinfo(taken, info);
	uint64_t now = now_ns(), left = end_ns > now ? end_ns - now : 0;
	const struct timespec limit = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
	int signal = left ? sigtimedwait(taken, info, &limit) : -1;
	if (now_ns() >= end_ns) {
		child->timed_out = true;
		kill(child->pid, SIGKILL);
	}
	return signal;
}

static bool interrupts(int signal)
{
	return signal == SIGINT || signal == SIGQUIT || signal == SIGTERM || signal == SIGHUP;
}

static void wait_for_end(struct child *child, const sigset_t *taken, uint64_t end_ns)
{
	for (;;) {
		siginfo_t info;
		pid_t ended = waitpid(child->pid, &child->wait_status, WNOHANG);

		if (ended == child->pid)
			return;
		int signal = next_signal(child, taken, &info, end_ns);
		if (signal <= 0)
			continue;
		if (interrupts(signal))
			child->interrupt = signal;
		pass_on(child->pid, &info);
	}
}

/* What came in while the child ended must not end us before the report. */
static void drop_pending(struct child *child, const sigset_t *taken)
{
	const struct timespec at_once = {0};
	int signal;

	while ((signal = sigtimedwait(taken, NULL, &at_once)) > 0)
		if (interrupts(signal))
			child->interrupt = signal;
}

int child_run(struct child *child, const char *path, char *const *argv, char *const *environment, uint64_t limit_ns)
{
	sigset_t taken = taken_signals(), mask;
	struct sigaction chld_default = {.sa_handler = SIG_DFL}, chld_before;
	int error_pipe[2];

	*child = (struct child){0};
	if (pipe2(error_pipe, O_CLOEXEC) < 0)
		return errno;
	/* With SIGCHLD ignored, as we may have inherited it, there would be nothing to wait for. */
	sigaction(SIGCHLD, &chld_default, &chld_before);
	sigprocmask(SIG_BLOCK, &taken, &mask);
	child->pid = fork();
	if (child->pid == 0) {
		sigaction(SIGCHLD, &chld_before, NULL);
		sigprocmask(SIG_SETMASK, &mask, NULL);
		become(path, argv, environment, error_pipe[1]);
	}
	int error = child->pid < 0 ? errno : 0;
	close(error_pipe[1]);
	if (!error) {
		child->exec_errno = read_exec_errno(error_pipe[0]);
		wait_for_end(child, &taken, limit_ns ? now_ns() + limit_ns : 0);
	}
	close(error_pipe[0]);
	drop_pending(child, &taken);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	sigaction(SIGCHLD, &chld_before, NULL);
	return error;
}

int child_status(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}
