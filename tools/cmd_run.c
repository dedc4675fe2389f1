/* detect run: run a program under the shim and report when it ends. */
#include "command.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <detect/claims_format.h>

#include "arena.h"
#include "child.h"
#include "claims.h"
#include "log_dir.h"
#include "options.h"
#include "program.h"
#include "say.h"
#include "shim.h"

enum {
	KEY_ON_DEADLOCK = 0x200,
	KEY_CHILDREN,
	KEY_LOG_SIZE,
	KEY_HEAP,
	KEY_LONG_WAIT,
	KEY_LOCK_TIMEOUT,
	KEY_AVOID,
	KEY_AVOID_PATIENCE,
	KEY_STACK_DEPTH,
	KEY_HALT_ON_ERROR,
	KEY_ABORT_ON_ERROR
};

enum { STACK_DEPTH_MAX = 128 }; /* as in the shim */

static const struct argp_option rows[] = {
    {"output", 'o', "DIR", 0,
     "Keep the logs there, one file a process; when DIR has logs already, in a new DIR/run-N", 0},
    {"on-deadlock", KEY_ON_DEADLOCK, "ACTION", 0,
     "At an actual deadlock: report (default: say so and stay hung), exit, abort, break", 0},
    {"long-wait", KEY_LONG_WAIT, "SECONDS", 0,
     "Report as a note what waits longer for a lock, or with a time limit (never)", 0},
    {"lock-timeout", KEY_LOCK_TIMEOUT, "MS", 0,
     "Make a wait for a mutex, rwlock or semaphore fail after so long (never): with EDEADLK where it is one of a closed circle of waits, else with ETIMEDOUT", 0},
    {"avoid", KEY_AVOID, "claims|cycles", OPTION_ARG_OPTIONAL,
     "Keep the program out of deadlocks: hold a thread back while a grant would lead to an unsafe state, by what "
     "its sections claim; or, with cycles, only where locks are on known lock-order cycles", 0},
    {"avoid-patience", KEY_AVOID_PATIENCE, "MS", 0, "Hold a thread back no longer than that (2000)", 0},
    {"children", KEY_CHILDREN, "yes|no", 0, "Follow fork and exec (yes)", 0},
    {"trace-children", 0, NULL, OPTION_ALIAS, NULL, 0},
    {"log-size", KEY_LOG_SIZE, "MB", 0, "Bound of one process's log (256)", 0},
    {"heap", KEY_HEAP, "yes|no", 0,
     "Watch malloc and free, to name heap locks by where they were allocated (yes)", 0},
    {"stack-depth", KEY_STACK_DEPTH, "N", 0, "Frames kept of one stack (64)", 0},
    {"num-callers", 0, NULL, OPTION_ALIAS, NULL, 0},
    {"halt-on-error", KEY_HALT_ON_ERROR, "yes|no", OPTION_ARG_OPTIONAL, "As --on-deadlock=exit", 0},
    {"exit-on-first-error", 0, NULL, OPTION_ALIAS, NULL, 0},
    {"abort-on-error", KEY_ABORT_ON_ERROR, "yes|no", OPTION_ARG_OPTIONAL, "As --on-deadlock=abort", 0},
    {0},
};

struct run_arguments {
	struct report_options options;
	struct shim_options shim;
	const char *output;
	const char *on_deadlock;
	const char *avoid; /* NULL: not asked for */
	char **program_argv;
};

static void set_yes_no(struct run_arguments *arguments, const char *option, const char *name,
                       const char *value)
{
	options_yes_no(option, value);
	shim_options_set(&arguments->shim, name, value);
}

/* Of all options' words, those of on_deadlock. */
#define WORD_OF_on_deadlock(index, word) [index] = word,
#define WORD_OF_avoid(index, word)

static error_t parse(int key, char *value, struct argp_state *state)
{
	static const char *const actions[] = {
#define DT_OPTION_WORD(name, index, word) WORD_OF_##name(index, word)
#include <detect/options.def>
	    NULL};
	static const char *const avoid_modes[] = {"claims", "cycles", NULL};
	struct run_arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->options;
		return 0;
	case 'o':
		arguments->output = value;
		return 0;
	case KEY_ON_DEADLOCK:
		options_word("--on-deadlock", value, actions);
		arguments->on_deadlock = value;
		return 0;
	case KEY_HALT_ON_ERROR:
		arguments->on_deadlock =
		    !value || options_yes_no("--halt-on-error", value) ? "exit" : "report";
		return 0;
	case KEY_ABORT_ON_ERROR:
		arguments->on_deadlock =
		    !value || options_yes_no("--abort-on-error", value) ? "abort" : "report";
		return 0;
	case KEY_STACK_DEPTH:
		options_number("--stack-depth", value, 1, STACK_DEPTH_MAX);
		shim_options_set(&arguments->shim, "stack_depth", value);
		return 0;
	case KEY_CHILDREN:
		set_yes_no(arguments, "--children", "children", value);
		return 0;
	case KEY_HEAP:
		set_yes_no(arguments, "--heap", "heap", value);
		return 0;
	case KEY_LONG_WAIT:
		options_number("--long-wait", value, 1, 1UL << 20);
		shim_options_set(&arguments->shim, "long_wait", value);
		return 0;
	case KEY_AVOID:
		if (value)
			options_word("--avoid", value, avoid_modes);
		arguments->avoid = value ? value : "claims";
		return 0;
	case KEY_AVOID_PATIENCE:
		options_number("--avoid-patience", value, 1, 1UL << 31);
		shim_options_set(&arguments->shim, "avoid_patience", value);
		return 0;
	case KEY_LOCK_TIMEOUT:
		options_number("--lock-timeout", value, 1, 1UL << 31);
		shim_options_set(&arguments->shim, "lock_timeout", value);
		return 0;
	case KEY_LOG_SIZE:
		options_number("--log-size", value, 1, 1UL << 20);
		shim_options_set(&arguments->shim, "log_size_mb", value);
		return 0;
	case ARGP_KEY_ARG: /* PROGRAM; all that follows is its own */
		arguments->program_argv = &state->argv[state->next - 1];
		state->next = state->argc;
		return 0;
	case ARGP_KEY_END:
		if (!arguments->options.claims.count && arguments->avoid && strcmp(arguments->avoid, "cycles") == 0)
			say_usage("--avoid=cycles needs to know the cycles: --claims=LOG of an earlier run");
		return 0;
	case ARGP_KEY_NO_ARGS:
		say_usage("which PROGRAM? See 'detect run --help'");
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void direct_avoidance(struct run_arguments *arguments, const struct log_dir *dir)
{
	struct claims_summary summary;

	shim_options_set(&arguments->shim, "avoid", arguments->avoid);
	if (!arguments->options.claims.count)
		return;
	char *path = must_printf("%s/%s", dir->path, DT_CLAIMS_NAME);
	char *why = claims_write(&arguments->options.claims, strcmp(arguments->avoid, "cycles") == 0, path, &summary);
	if (why)
		say_usage("--claims: %s", why);
	if (arguments->options.verbose)
		say("--claims: %u locks, %u sections that need more than one unit", summary.resources, summary.sections);
	shim_options_set(&arguments->shim, "claims_file", path);
	free(path);
}

static void direct_shim(struct run_arguments *arguments, const struct log_dir *dir)
{
	if (arguments->avoid)
		direct_avoidance(arguments, dir);
	shim_options_set(&arguments->shim, "log_dir", dir->path);
	/* The report at the end says it all; twice would be noise. */
	shim_options_set(&arguments->shim, "online", "no");
	char *self = must_printf("%d", (int)getpid());
	shim_options_set(&arguments->shim, "root_parent", self);
	free(self);
	if (arguments->on_deadlock)
		shim_options_set(&arguments->shim, "on_deadlock", arguments->on_deadlock);
	if (arguments->on_deadlock || arguments->options.exitcode_given) {
		char *exitcode = must_printf("%d", arguments->options.exitcode);
		shim_options_set(&arguments->shim, "exitcode", exitcode);
		free(exitcode);
	}
	if (arguments->options.verbose)
		shim_options_set(&arguments->shim, "verbose", "yes");
}

/* Ends the command when the program could not even start. */
static void run_program(struct run_arguments *arguments, const struct program *program, const char *preload,
                        struct log_dir *dir, struct child *child)
{
	char **environment = shim_environment(preload, &arguments->shim);
	int error = program_run(program, child, arguments->program_argv, environment, 0);
	if (error || child->exec_errno) {
		say("%s: %s", program->path, strerror(error ? error : child->exec_errno));
		log_dir_close(dir, true);
		exit(error ? STATUS_USAGE : STATUS_CANNOT_EXECUTE);
	}
	shim_environment_free(environment);
}

/* True when the logs can go: nothing found and nothing left running. */
static bool is_clean(const struct report *report)
{
	for (size_t i = 0; i < report->process_count; i++)
		if (report->processes[i].live)
			return false;
	return report->summary.levels[DT_LEVEL_ERROR] == 0 && report->summary.levels[DT_LEVEL_WARNING] == 0 &&
	       report->summary.levels[DT_LEVEL_NOTE] == 0;
}

static int report_run(struct run_arguments *arguments, struct log_dir *dir, struct log_set *logs,
                      const struct child *child)
{
	const struct report_settings settings = {
	    .prefer_writer = arguments->options.prefer_writer,
	    .want_filtered = arguments->options.verbose,
	    .want_graph = options_want_graph(&arguments->options),
	    .claims = &arguments->options.claims,
	    .check_live = true,
	    .child_pid = child->pid,
	    .child_wait_status = child->wait_status,
	};
	options_open_progress(&arguments->options);
	struct report_builder *builder = report_open(&settings);
	const struct report *report =
	    report_of_logs(builder, logs, arguments->options.suppressions, arguments->options.baseline);

	bool clean = is_clean(report);
	if ((dir->temporary && !clean) || dir->own_folder) {
		char *line = must_printf("the logs are in %s", dir->path);
		report_add_notice(builder, line);
		free(line);
	}
	options_say_notices(&arguments->options, report);
	bool written = options_emit(&arguments->options, report);
	if (!written && dir->temporary && clean)
		say("the logs are in %s", dir->path);
	int status = written ? options_status(&arguments->options, report, child_status(child->wait_status))
	                     : STATUS_USAGE;
	log_dir_close(dir, clean && written);
	report_close(builder);
	return status;
}

/* From the finished child to the exit status. */
static int report_logs(struct run_arguments *arguments, const char *program, struct log_dir *dir,
                       const struct child *child)
{
	struct log_set logs;
	int status = STATUS_USAGE;

	logs_open(&logs);
	char *why = logs_add(&logs, dir->path);
	if (why) {
		say("%s left no log, so nothing was seen: %s", program, why);
		free(why);
		log_dir_close(dir, true);
	} else {
		status = report_run(arguments, dir, &logs, child);
	}
	logs_close(&logs);
	return status;
}

static int watch(struct run_arguments *arguments, const struct program *program)
{
	struct log_dir dir;
	struct child child;
	char *preload = shim_find();

	options_open_report(&arguments->options, stderr);
	log_dir_open(&dir, arguments->output);
	direct_shim(arguments, &dir);
	run_program(arguments, program, preload, &dir, &child);
	free(preload);
	return report_logs(arguments, program->path, &dir, &child);
}

static int run(int argc, char **argv)
{
	static const struct argp_child children[] = {{.argp = &report_options_argp}, {0}};
	static const struct argp argp = {
	    .options = rows,
	    .parser = parse,
	    .args_doc = "PROGRAM [ARG...]",
	    .doc = "Run PROGRAM under the shim and report when it ends. Options behind PROGRAM are its own.",
	    .children = children,
	};
	struct run_arguments arguments = {0};
	struct program program;
	int status;

	options_init(&arguments.options);
	shim_options_init(&arguments.shim);
	options_parse(&argp, argc, argv, ARGP_IN_ORDER, &arguments);
	program_find(&program, arguments.program_argv[0]);
	status = program.status;
	if (status)
		say("%s", program.why);
	else
		status = watch(&arguments, &program);
	program_close(&program);
	shim_options_close(&arguments.shim);
	options_close(&arguments.options);
	return status;
}

const struct command cmd_run = {
    .name = "run",
    .summary = "run a program under the shim, report when it ends",
    .run = run,
};
