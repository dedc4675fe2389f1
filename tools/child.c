/* All signals of interest are blocked and taken one by one with sigwaitinfo, so there are no
 * handlers and nothing to race with. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/wait.h>
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

static void wait_for_end(struct child *child, const sigset_t *taken)
{
	for (;;) {
		siginfo_t info;
		pid_t ended = waitpid(child->pid, &child->wait_status, WNOHANG);

		if (ended == child->pid)
			return;
		if (sigwaitinfo(taken, &info) > 0)
			pass_on(child->pid, &info);
	}
}

/* What came in while the child ended must not end us before the report. */
static void drop_pending(const sigset_t *taken)
{
	const struct timespec at_once = {0};

	while (sigtimedwait(taken, NULL, &at_once) > 0)
		;
}

int child_run(struct child *child, const char *path, char *const *argv, char *const *environment)
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
		wait_for_end(child, &taken);
	}
	close(error_pipe[0]);
	drop_pending(&taken);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	sigaction(SIGCHLD, &chld_before, NULL);
	return error;
}

int child_status(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}
