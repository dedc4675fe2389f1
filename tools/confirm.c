/* An attempt is a run like detect run's, with a plan for the shim and the process ended at a deadlock. Its
 * log is read twice: most attempts close nothing, and that is seen without names and lines, which cost more
 * than the run. */
#include "confirm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log_dir.h"
#include "progress.h"
#include "say.h"
#include "shim.h"
#include "steer.h"

struct attempt {
	const struct confirm_settings *settings;
	const char *preload;
	struct log_dir dir;
	char *plan;
	struct child child;
};

/* What else the program started ends with it: what is left over has become our child (a subreaper's). */
static void end_leftovers(void)
{
	for (;;) {
		FILE *list = fopen("/proc/thread-self/children", "re");
		int pid;
		while (list && fscanf(list, "%d", &pid) == 1)
			kill(pid, SIGKILL);
		if (list)
			fclose(list);
		if (!list || (waitpid(-1, NULL, 0) < 0 && errno == ECHILD))
			return;
	}
}

/* stdout and stderr of what is run meanwhile. */
struct streams {
	int saved[2];
};

static void discard_streams(struct streams *streams, bool discard)
{
	int null = discard ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;

	fflush(NULL);
	for (int i = 0; i < 2; i++) {
		streams->saved[i] = null < 0 ? -1 : fcntl(1 + i, F_DUPFD_CLOEXEC, 3);
		if (streams->saved[i] >= 0)
			dup2(null, 1 + i);
	}
	if (null >= 0)
		close(null);
}

static void restore_streams(struct streams *streams)
{
	for (int i = 0; i < 2; i++) {
		if (streams->saved[i] < 0)
			continue;
		dup2(streams->saved[i], 1 + i);
		close(streams->saved[i]);
	}
}

static char **environment_of(const struct attempt *attempt)
{
	struct shim_options options;

	shim_options_init(&options);
	shim_options_set(&options, "log_dir", attempt->dir.path);
	shim_options_set(&options, "online", "no");
	shim_options_set(&options, "on_deadlock", "exit");
	shim_options_set(&options, "steer", attempt->plan);
	char **environment = shim_environment(attempt->preload, &options);
	shim_options_close(&options);
	return environment;
}

static void close_attempt(struct attempt *attempt)
{
	unlink(attempt->plan);
	free(attempt->plan);
	log_dir_close(&attempt->dir, true);
}

/* Ends the command when the program can't be run. */
static void run_attempt(struct attempt *attempt, const struct report_finding *finding, unsigned number)
{
	const struct confirm_settings *settings = attempt->settings;
	struct streams streams;

	log_dir_open(&attempt->dir, NULL);
	attempt->plan = must_printf("%s/" STEER_NAME, attempt->dir.path);
	if (!steer_write(attempt->plan, finding, number)) {
		say("%s: %s", attempt->plan, strerror(errno));
		close_attempt(attempt);
		exit(STATUS_USAGE);
	}
	char **environment = environment_of(attempt);
	discard_streams(&streams, settings->discard);
	int error =
	    program_run(settings->program, &attempt->child, settings->argv, environment, settings->limit_ns);
	end_leftovers();
	restore_streams(&streams);
	shim_environment_free(environment);
	if (error || attempt->child.exec_errno) {
		say("%s: %s", settings->program->path, strerror(error ? error : attempt->child.exec_errno));
		close_attempt(attempt);
		exit(error ? STATUS_USAGE : STATUS_CANNOT_EXECUTE);
	}
}

static bool has_deadlock(const struct log_file *log)
{
	struct dt_facts *facts;
	bool found = false;

	/* What comes before damage counts: the process may have been killed while it wrote. */
	logs_read(log, &facts, NULL);
	for (uint32_t i = 0; i < dt_facts_incident_count(facts); i++)
		found |= dt_facts_incident_nth(facts, i)->incident == DT_INCIDENT_DEADLOCK ||
		         dt_facts_incident_nth(facts, i)->incident == DT_INCIDENT_STALL;
	dt_facts_free(facts);
	return found;
}

/* The first deadlock that is the target's cycle confirms it. */
static bool take_deadlock(struct confirm_target *target, struct report_builder *builder,
                          const struct report *report)
{
	for (size_t i = 0; i < report->finding_count; i++) {
		const struct report_finding *finding = &report->findings[i];
		if (!finding->happened || finding->filtered || !confirm_match(finding, target->finding))
			continue;
		target->confirmed = true;
		target->builder = builder;
		target->report = report;
		target->deadlock = finding;
		return true;
	}
	return false;
}

static bool is_open(const struct confirm_target *target)
{
	return !target->confirmed && !target->why_not;
}

/* What closed: the cycle that was steered for, or another one that was asked for. */
static void judge(struct log_set *logs, struct confirm_target *targets, size_t count, size_t at)
{
	const struct report_settings settings = {0};
	struct report_builder *builder = report_open(&settings);
	const struct report *report = report_of_logs(builder, logs, NULL, NULL);
	bool taken = take_deadlock(&targets[at], builder, report);

	targets[at].others += !taken;
	for (size_t i = at + 1; !taken && i < count; i++)
		targets[i].by_the_way = taken =
		    is_open(&targets[i]) && take_deadlock(&targets[i], builder, report);
	if (!taken)
		report_close(builder);
}

/* Nothing closed. Whether it could have: a program, or arguments, of another log don't even come to the
 * cycle. */
static void look_for_cycle(struct log_set *logs, struct confirm_target *target)
{
	const struct report_settings settings = {.want_filtered = true};
	struct report_builder *builder = report_open(&settings);
	const struct report *report = report_of_logs(builder, logs, NULL, NULL);

	target->unseen = true;
	for (size_t i = 0; i < report->finding_count; i++)
		if (strcmp(report->findings[i].fingerprint, target->finding->fingerprint) == 0)
			target->unseen = false;
	report_close(builder);
}

static void count_crash(struct confirm_target *target, const struct child *child)
{
	if (child->timed_out || child->interrupt || !WIFSIGNALED(child->wait_status))
		return;
	if (!target->crashes++) {
		target->first_crash = target->attempts;
		target->crash_signal = WTERMSIG(child->wait_status);
	}
}

static void look(struct attempt *attempt, struct confirm_target *targets, size_t count, size_t at)
{
	struct log_set logs;
	bool found = false;

	logs_open(&logs);
	char *why = logs_add(&logs, attempt->dir.path);
	if (why) {
		say("%s left no log, so nothing was seen: %s", attempt->settings->program->path, why);
		free(why);
		close_attempt(attempt);
		exit(STATUS_USAGE);
	}
	for (size_t i = 0; i < logs.count && !found; i++)
		found = has_deadlock(&logs.files[i]);
	if (found)
		judge(&logs, targets, count, at);
	else if (attempt->child.timed_out)
		targets[at].timeouts++;
	else if (targets[at].attempts == 1)
		look_for_cycle(&logs, &targets[at]);
	if (!found)
		count_crash(&targets[at], &attempt->child);
	logs_close(&logs);
}

/* Each attempt reads the same input, where it is a file. */
static void rewind_input(off_t start)
{
	if (start >= 0)
		lseek(STDIN_FILENO, start, SEEK_SET);
}

int confirm_run(const struct confirm_settings *settings, struct confirm_target *targets, size_t count)
{
	char *preload = shim_find();
	off_t input = lseek(STDIN_FILENO, 0, SEEK_CUR);
	int interrupt = 0;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (size_t i = 0; i < count && !interrupt; i++)
		while (is_open(&targets[i]) && targets[i].attempts < settings->attempts && !interrupt) {
			struct attempt attempt = {.settings = settings, .preload = preload};
			rewind_input(input);
			run_attempt(&attempt, targets[i].finding, targets[i].attempts++);
			interrupt = attempt.child.interrupt;
			look(&attempt, targets, count, i);
			close_attempt(&attempt);
		}
	free(preload);
	return interrupt;
}

void confirm_close(struct confirm_target *targets, size_t count)
{
	for (size_t i = 0; i < count; i++)
		report_close(targets[i].builder);
}
