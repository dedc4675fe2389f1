/* command.h: the commands of `detect`. One row each in detect.c, one file cmd_*.c each. */
#ifndef TOOLS_COMMAND_H
#define TOOLS_COMMAND_H

struct command {
	const char *name;
	const char *summary;               /* one line for `detect --help` */
	int (*run)(int argc, char **argv); /* argv[0] is "detect NAME"; returns the exit status */
};

extern const struct command cmd_diff, cmd_ps, cmd_stats, cmd_run, cmd_report, cmd_graph, cmd_export,
    cmd_explain, cmd_merge, cmd_doctor, cmd_confirm, cmd_cc, cmd_cxx;

#endif
