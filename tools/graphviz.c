/* Both ways go through temporary files, so that neither side waits for the other; the time is dot's own
 * alarm clock, which outlives the exec and needs nobody who watches. */
#include "graphviz.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arena.h"

enum { EXIT_NOT_THERE = 127 };

static _Noreturn void become_dot(int in, int out, const char *format, unsigned seconds)
{
	char *option = must_printf("-T%s", format);
	char *const argv[] = {(char[]){"dot"}, option, NULL};
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGALRM, SIG_DFL);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
		_exit(1);
	alarm(seconds);
	execvp("dot", argv);
	_exit(errno == ENOENT || errno == EACCES ? EXIT_NOT_THERE : 1);
}

static enum graphviz_end wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return GRAPHVIZ_FAILED;
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGALRM ? GRAPHVIZ_TOO_LONG : GRAPHVIZ_FAILED;
	if (WEXITSTATUS(status) == EXIT_NOT_THERE)
		return GRAPHVIZ_NOT_THERE;
	return WEXITSTATUS(status) ? GRAPHVIZ_FAILED : GRAPHVIZ_DONE;
}

static enum graphviz_end read_answer(FILE *out, char **answer, size_t *bytes)
{
	struct stat st;

	if (fstat(fileno(out), &st) < 0)
		return GRAPHVIZ_FAILED;
	*bytes = (size_t)st.st_size;
	*answer = must_realloc(NULL, *bytes + 1, 1);
	rewind(out);
	if (fread(*answer, 1, *bytes, out) != *bytes) {
		free(*answer);
		*answer = NULL;
		return GRAPHVIZ_FAILED;
	}
	(*answer)[*bytes] = '\0';
	return GRAPHVIZ_DONE;
}

static enum graphviz_end run_over(FILE *in, FILE *out, const char *dot, size_t dot_bytes, const char *format,
                                  unsigned seconds)
{
	if (fwrite(dot, 1, dot_bytes, in) != dot_bytes || fflush(in) != 0)
		return GRAPHVIZ_FAILED;
	rewind(in);
	pid_t pid = fork();
	if (pid == 0)
		become_dot(fileno(in), fileno(out), format, seconds);
	return pid < 0 ? GRAPHVIZ_FAILED : wait_for(pid);
}

enum graphviz_end graphviz_run(const char *dot, size_t dot_bytes, const char *format, unsigned seconds,
                               char **answer, size_t *bytes)
{
	FILE *in = tmpfile(), *out = tmpfile();
	enum graphviz_end end = GRAPHVIZ_FAILED;

	*answer = NULL;
	*bytes = 0;
	if (in && out)
		end = run_over(in, out, dot, dot_bytes, format, seconds);
	if (end == GRAPHVIZ_DONE)
		end = read_answer(out, answer, bytes);
	if (in)
		fclose(in);
	if (out)
		fclose(out);
	return end;
}
