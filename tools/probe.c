/* A pipe and a deadline: what is probed may hang, and so might what it leaves behind with the pipe's other
 * end; so reading stops at the deadline too, and what runs in the probe's process group is ended. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arena.h"

enum { PROBE_SECONDS = 10, TEXT_MAX = 256 * 1024 };

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static _Noreturn void become(const char *path, char *const *argv, char *const *environment, int out,
                             int error)
{
	int null = open("/dev/null", O_RDWR);

	setpgid(0, 0);
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execve(path, argv, environment);
	int why = errno;
	while (write(error, &why, sizeof(why)) < 0 && errno == EINTR)
		;
	_exit(127);
}

/* Until its end or the deadline. Past TEXT_MAX it is read and dropped. */
static void read_all(int fd, int64_t deadline_ms, char *text)
{
	char dropped[4096];
	size_t length = 0;

	for (;;) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		int64_t left_ms = deadline_ms - now_ms();
		bool room = length < TEXT_MAX;

		if (left_ms <= 0)
			return;
		if (poll(&poll_fd, 1, (int)left_ms) <= 0)
			continue;
		ssize_t bytes =
		    read(fd, room ? text + length : dropped, room ? TEXT_MAX - length : sizeof(dropped));
		if (bytes == 0 || (bytes < 0 && errno != EINTR))
			return;
		if (bytes > 0 && room)
			length += (size_t)bytes;
	}
}

/* It may have closed its output and run on. */
static void wait_for_end(struct probe *probe, pid_t pid, int64_t deadline_ms)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	pid_t ended;

	while ((ended = waitpid(pid, &probe->wait_status, WNOHANG)) == 0 && now_ms() < deadline_ms)
		nanosleep(&pause, NULL);
	if (ended != 0)
		return;
	probe->timed_out = true;
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	waitpid(pid, &probe->wait_status, 0);
}

static pid_t start(struct probe *probe, const char *path, char *const *argv, char *const *environment,
                   int out)
{
	int error_pipe[2];

	if (pipe2(error_pipe, O_CLOEXEC) < 0) {
		probe->error = errno;
		return -1;
	}
	pid_t pid = fork();
	if (pid == 0)
		become(path, argv, environment, out, error_pipe[1]);
	if (pid < 0)
		probe->error = errno;
	close(error_pipe[1]);
	while (pid > 0 && read(error_pipe[0], &probe->error, sizeof(probe->error)) < 0 && errno == EINTR)
		;
	close(error_pipe[0]);
	return pid;
}

void probe_run(struct probe *probe, const char *path, char *const *argv, char *const *environment)
{
	int64_t deadline_ms = now_ms() + PROBE_SECONDS * 1000;
	int out[2];

	*probe = (struct probe){.text = must_realloc(NULL, TEXT_MAX + 1, 1)};
	memset(probe->text, 0, TEXT_MAX + 1);
	if (pipe2(out, O_CLOEXEC) < 0) {
		probe->error = errno;
		return;
	}
	pid_t pid = start(probe, path, argv, environment, out[1]);
	close(out[1]);
	if (pid > 0) {
		read_all(out[0], deadline_ms, probe->text);
		wait_for_end(probe, pid, deadline_ms);
	}
	close(out[0]);
}

void probe_close(struct probe *probe)
{
	free(probe->text);
	*probe = (struct probe){0};
}

char *probe_line(const struct probe *probe, const char *words)
{
	const char *found = strstr(probe->text, words), *begin = found;

	if (!found)
		return NULL;
	while (begin > probe->text && begin[-1] != '\n')
		begin--;
	return must_printf("%.*s", (int)strcspn(begin, "\n"), begin);
}
