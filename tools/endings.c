/* A process has one log for each program that it was (exec keeps the pid), so endings belong to the
 * last of a pid. */
#include "endings.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static bool is_last_of_pid(const struct report *report, size_t index)
{
	for (size_t i = index + 1; i < report->process_count; i++)
		if (report->processes[i].pid == report->processes[index].pid)
			return false;
	return true;
}

static void take_wait_status(struct report_process *process, int wait_status)
{
	process->exited = WIFEXITED(wait_status);
	process->exit_status = process->exited ? WEXITSTATUS(wait_status) : 0;
	process->signalled = WIFSIGNALED(wait_status);
	process->signal = process->signalled ? WTERMSIG(wait_status) : 0;
}

/* kill can't tell a zombie, for which its parent (or init) has not waited yet. */
static bool is_zombie(int pid)
{
	char path[64], text[512], *state = NULL;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	if (fgets(text, sizeof text, file))
		state = strrchr(text, ')');
	fclose(file);
	return state && (strncmp(state, ") Z", 3) == 0 || strncmp(state, ") X", 3) == 0);
}

static bool is_live(const struct report_process *process)
{
	return !process->exited && process->pid > 0 && (kill(process->pid, 0) == 0 || errno == EPERM) &&
	       !is_zombie(process->pid);
}

void endings_find(struct report *report, const struct report_settings *settings, struct arena *arena,
                  void (*add)(void *context, const char *notice), void *context)
{
	for (size_t i = 0; i < report->process_count; i++) {
		struct report_process *process = &report->processes[i];

		if (!is_last_of_pid(report, i))
			continue;
		/* A static or set-user-ID program takes no preload. */
		if (process->execed && !process->exited)
			add(context, arena_printf(arena,
			                          "%s (pid %d) became another program by exec that left no "
			                          "log: it was not watched",
			                          process->program, process->pid));
		if (settings->child_pid && process->pid == settings->child_pid)
			take_wait_status(process, settings->child_wait_status);
		else if (settings->check_live)
			process->live = is_live(process);
		if (process->live)
			add(context,
			    arena_printf(arena, "%s (pid %d) still runs: this is what its log says up to now",
			                 process->program, process->pid));
	}
}
