/* A process has one log for each program that it was (exec keeps the pid), so endings belong to the
 * last of a pid. */
#include "endings.h"

#include <errno.h>
#include <signal.h>
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

/* A zombie that its parent has not waited for yet counts as live: kill can't tell. */
static bool is_live(const struct report_process *process)
{
	return !process->exited && process->pid > 0 && (kill(process->pid, 0) == 0 || errno == EPERM);
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
