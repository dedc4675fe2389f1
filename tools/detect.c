/* detect: finds the command in a table and runs it. */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "command.h"
#include "near.h"
#include "say.h"

static const struct command *const commands[] = {&cmd_run,     &cmd_report, &cmd_graph, &cmd_stats,
                                                 &cmd_export,  &cmd_ps,     &cmd_merge, &cmd_diff,
                                                 &cmd_confirm, &cmd_explain, &cmd_doctor,
                                                 &cmd_cc,      &cmd_cxx};

#define COMMANDS (sizeof(commands) / sizeof(*commands))

static const char *nth_name(size_t index)
{
	return index < COMMANDS ? commands[index]->name : NULL;
}

static int print_help(void)
{
	printf("Usage: detect COMMAND [OPTION...] [ARG...]\n"
	       "Find deadlocks that can happen, from a run in which they did not.\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-8s %s\n", commands[i]->name, commands[i]->summary);
	printf("\n'detect COMMAND --help' has the options; 'detect --version' prints the version.\n");
	return STATUS_OK;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	/* argp and getopt print argv[0] before what they say. Never freed: it is used to the end. */
	argv[0] = must_printf("detect %s", command->name);
	say_set_name(argv[0]);
	return command->run(argc, argv);
}

int main(int argc, char **argv)
{
	argp_program_version = "detect (libdetect) " DETECT_VERSION;
	argp_err_exit_status = STATUS_USAGE;
	if (argc < 2)
		say_usage("which command? See 'detect --help'");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0 || strcmp(argv[1], "-h") == 0)
		return print_help();
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		puts(argp_program_version);
		return STATUS_OK;
	}
	if (argv[1][0] == '-')
		say_usage("no option '%s' before a command; see 'detect --help'", argv[1]);
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(argv[1], commands[i]->name) == 0)
			return run_command(commands[i], argc - 1, argv + 1);
	const char *near = near_find(argv[1], nth_name);
	if (near)
		say_usage("no command '%s'; did you mean '%s'?", argv[1], near);
	say_usage("no command '%s'; see 'detect --help'", argv[1]);
}
