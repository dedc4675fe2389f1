/* detect cc, detect c++: the compiler with -fsanitize=thread, and our runtime instead of its own.
 *
 * A compiler that is given the flag when it links takes its own runtime, so it is given to compiling only: a
 * call that does both becomes one call for each source, into a temporary folder, and one to link. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arena.h"
#include "command.h"
#include "say.h"
#include "shim.h"

#define FLAG "-fsanitize=thread"
#define INSIDE "DETECT_CC_INSIDE" /* in the environment of what we call */

/* What libc does for the program is the program's access: the linker takes the shim's functions for these. */
static const char wrap_flag[] = "-Wl"
#define DT_LIBC_CALL(name, what) ",--wrap=" #name
#include <detect/libc_calls.def>
    ;

static const struct {
	const char *name, *what;
} libc_calls[] = {
#define DT_LIBC_CALL(name, what) {#name, what},
#include <detect/libc_calls.def>
};

struct list {
	char **at;
	size_t count;
};

struct call {
	const char *compiler, *variable, *own; /* own: the variable that is ours alone */
	struct list all;       /* the arguments, without the flag */
	struct list sources;   /* those of them that are to be compiled */
	bool compiles_only;    /* -c, -S, -E, … */
	bool has_input, links_partly, is_static;
	bool has_lto; /* gcc instruments behind it, when the linker calls it again without the flag: not at all */
};

static void push(struct list *list, const char *argument)
{
	list->at = must_realloc(list->at, list->count + 2, sizeof(*list->at));
	list->at[list->count++] = must_printf("%s", argument);
	list->at[list->count] = NULL;
}

static void clear(struct list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->at[i]);
	free(list->at);
	*list = (struct list){0};
}

static bool is_one_of(const char *argument, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(argument, *names) == 0)
			return true;
	return false;
}

/* The next argument belongs to it. */
static bool takes_value(const char *argument)
{
	static const char *const names[] = {
	    "-o",        "-I",        "-L",       "-D",      "-U",       "-l",          "-x",         "-T",
	    "-u",        "-z",        "-e",       "-B",      "-A",       "-G",          "-MF",        "-MT",
	    "-MQ",       "-include",  "-imacros", "-isystem", "-iquote", "-idirafter",  "-iprefix",   "-isysroot",
	    "-iwithprefix", "-Xlinker", "-Xassembler", "-Xpreprocessor", "-Xclang", "-mllvm", "-target", "--param",
	    "-aux-info", "-dumpbase", "-dumpdir", "-wrapper", "-arch", NULL};

	return is_one_of(argument, names);
}

static bool is_for_linking(const char *argument)
{
	static const char *const names[] = {"-shared", "-rdynamic", "-pie", "-s", "-static-libgcc", "-static-libstdc++", NULL};

	return is_one_of(argument, names) || strncmp(argument, "-l", 2) == 0 || strncmp(argument, "-L", 2) == 0 ||
	       strncmp(argument, "-Wl,", 4) == 0;
}

static bool is_source(const char *argument)
{
	static const char *const endings[] = {".c",   ".i",   ".ii",  ".cc", ".cp",  ".cxx", ".cpp", ".CPP",
	                                      ".c++", ".C",   ".s",   ".S",  ".sx",  ".m",   ".mm",  NULL};
	const char *dot = strrchr(argument, '.');

	return dot && !strchr(dot, '/') && is_one_of(dot, endings);
}

static void read_call(struct call *call, int argc, char **argv)
{
	static const char *const compiling[] = {"-c", "-S", "-E", "-M", "-MM", "-fsyntax-only", NULL};
	bool language = false;

	for (int i = 1; i < argc; i++) {
		const char *argument = argv[i];

		if (strcmp(argument, FLAG) == 0)
			continue;
		push(&call->all, argument);
		if (takes_value(argument) && i + 1 < argc) {
			push(&call->all, argv[++i]);
			if (strcmp(argument, "-x") == 0)
				language = strcmp(argv[i], "none") != 0;
			continue;
		}
		call->compiles_only |= is_one_of(argument, compiling);
		call->links_partly |= strcmp(argument, "-r") == 0;
		call->has_lto |= strncmp(argument, "-flto", 5) == 0;
		call->is_static |= strcmp(argument, "-static") == 0 || strcmp(argument, "-static-pie") == 0;
		if (argument[0] == '-' && argument[1])
			continue;
		call->has_input = true;
		if (language || is_source(argument))
			push(&call->sources, argument);
	}
}

static const char *value_of(const char *variable)
{
	const char *set = getenv(variable);

	return set && *set ? set : NULL;
}

/* As make has it: a variable may hold arguments too. */
static void push_words(struct list *command, const char *text)
{
	char *words = must_printf("%s", text), *rest = words;

	for (char *word; (word = strsep(&rest, " \t"));)
		if (*word)
			push(command, word);
	free(words);
}

static void begin_command(struct list *command, const struct call *call)
{
	const char *own = value_of(call->own), *set = value_of(call->variable);

	push_words(command, own ? own : set ? set : call->compiler);
}

static void add_runtime(struct list *command)
{
	char *shim = shim_find(), *folder = must_printf("%s", shim);

	*strrchr(folder, '/') = '\0';
	/* Its own copy of the shortest paths, and only a matter of speed: a shim that stands alone does too. */
	char *near = must_printf("%s/libdetect_race.a", folder);
	if (access(near, R_OK) == 0)
		push(command, near);
	free(near);
	push(command, shim);
	char *rpath = must_printf("-Wl,-rpath,%s", folder);
	push(command, rpath);
	push(command, wrap_flag);
	push(command, "-pthread");
	free(rpath);
	free(folder);
	free(shim);
}

static int become(struct list *command)
{
	execvp(command->at[0], command->at);
	int status = errno == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_EXECUTE;
	say("%s: %s", command->at[0], strerror(errno));
	return status;
}

static int run(struct list *command)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		say_usage("fork: %s", strerror(errno));
	if (pid == 0)
		_exit(become(command));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void leave_out_lto(struct list *command, const struct call *call)
{
	if (call->has_lto)
		push(command, "-fno-lto");
}

static bool is_in(const struct list *list, const char *argument)
{
	return list->count && is_one_of(argument, (const char *const *)list->at);
}

static int compile_one(const struct call *call, const char *source, const char *object)
{
	struct list command = {0};

	begin_command(&command, call);
	push(&command, FLAG);
	for (size_t i = 0; i < call->all.count; i++) {
		const char *argument = call->all.at[i];
		bool has_value = takes_value(argument) && i + 1 < call->all.count;
		bool leave_out = strcmp(argument, "-o") == 0 || strcmp(argument, "-Xlinker") == 0 || is_for_linking(argument) ||
		                 (argument[0] != '-' && strcmp(argument, source) != 0);

		if (!leave_out)
			push(&command, argument);
		if (has_value && ++i && !leave_out)
			push(&command, call->all.at[i]);
	}
	leave_out_lto(&command, call);
	push(&command, "-c");
	push(&command, "-o");
	push(&command, object);
	int status = run(&command);
	clear(&command);
	return status;
}

static char *object_of(const char *folder, size_t index)
{
	return must_printf("%s/%zu.o", folder, index);
}

static int link_all(const struct call *call, const char *folder)
{
	struct list command = {0};
	size_t object = 0;

	begin_command(&command, call);
	for (size_t i = 0; i < call->all.count; i++) {
		const char *argument = call->all.at[i];
		bool has_value = takes_value(argument) && i + 1 < call->all.count;

		if (strcmp(argument, "-x") == 0 && has_value) {
			i++;
			continue;
		}
		if (!has_value && folder && is_in(&call->sources, argument)) {
			char *path = object_of(folder, object++);
			push(&command, path);
			free(path);
			continue;
		}
		push(&command, argument);
		if (has_value)
			push(&command, call->all.at[++i]);
	}
	leave_out_lto(&command, call);
	if (call->has_lto)
		say("-flto is left out: with gcc, what the linker optimises would not be watched");
	if (!call->links_partly)
		add_runtime(&command);
	int status = folder ? run(&command) : become(&command);
	clear(&command);
	return status;
}

static int compile_and_link(const struct call *call)
{
	const char *set = getenv("TMPDIR");
	char *folder = must_printf("%s/detect-cc-XXXXXX", set && *set ? set : "/tmp");
	int status = 0;

	if (!mkdtemp(folder))
		say_usage("%s: %s", folder, strerror(errno));
	for (size_t i = 0; !status && i < call->sources.count; i++) {
		char *object = object_of(folder, i);
		status = compile_one(call, call->sources.at[i], object);
		free(object);
	}
	if (!status)
		status = link_all(call, folder);
	for (size_t i = 0; i < call->sources.count; i++) {
		char *object = object_of(folder, i);
		unlink(object);
		free(object);
	}
	rmdir(folder);
	free(folder);
	return status;
}

static int compile(struct call *call)
{
	struct list command = {0};

	begin_command(&command, call);
	push(&command, FLAG);
	for (size_t i = 0; i < call->all.count; i++)
		push(&command, call->all.at[i]);
	leave_out_lto(&command, call);
	int status = become(&command);
	clear(&command);
	return status;
}

/* make CC="detect cc" and configure give the variable to all that they call, so that what we call for the compiler is
 * ourselves again, be it through a script. That call is whole already. */
static int call_behind(const struct call *call, int argc, char **argv, const char *inside)
{
	const char *own = value_of(call->own);
	struct list command = {0};

	if (strcmp(inside, "1") != 0)
		say_usage("%s=%s leads back to '%s': name a compiler", call->own, own ? own : "", argv[0]);
	setenv(INSIDE, "2", 1);
	push_words(&command, own ? own : call->compiler);
	for (int i = 1; i < argc; i++)
		push(&command, argv[i]);
	int status = become(&command);
	clear(&command);
	return status;
}

static int print_help(const struct call *call, const char *name)
{
	printf("Usage: %s COMPILER-ARG...\n"
	       "Compile with -fsanitize=thread and link with libdetect's runtime, so that the program's data races are found.\n\n"
	       "Everything is handed to the compiler, which is $%s, else $%s where that is not this command, else '%s': compiling, linking, or both in one call. "
	       "Run what comes out by itself or under 'detect run'.\n\n"
	       "  -?, --help                 Give this help list\n"
	       "      --libc-calls           List the calls of libc that are watched, and as what\n"
	       "      --link-flags           Print what a link without '%s' needs, for other build systems\n",
	       name, call->own, call->variable, call->compiler, name);
	return STATUS_OK;
}

static int print_libc_calls(void)
{
	for (size_t i = 0; i < sizeof libc_calls / sizeof *libc_calls; i++)
		printf("%-22s %s\n", libc_calls[i].name, libc_calls[i].what);
	return STATUS_OK;
}

static int print_link_flags(void)
{
	struct list flags = {0};

	add_runtime(&flags);
	for (size_t i = 0; i < flags.count; i++)
		printf("%s%s", i ? " " : "", flags.at[i]);
	printf("\n");
	clear(&flags);
	return STATUS_OK;
}

static int drive(struct call *call, int argc, char **argv)
{
	const char *inside = getenv(INSIDE);

	if (inside)
		return call_behind(call, argc, argv, inside);
	setenv(INSIDE, "1", 1);
	if (argc < 2)
		say_usage("what to compile? See '%s --help'", argv[0]);
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0))
		return print_help(call, argv[0]);
	if (argc == 2 && strcmp(argv[1], "--libc-calls") == 0)
		return print_libc_calls();
	if (argc == 2 && strcmp(argv[1], "--link-flags") == 0)
		return print_link_flags();
	read_call(call, argc, argv);
	if (call->compiles_only || !call->has_input)
		return compile(call);
	if (call->is_static)
		say_usage("a static program can't be linked with the shim: leave out -static");
	return call->sources.count ? compile_and_link(call) : link_all(call, NULL);
}

static int cc(int argc, char **argv)
{
	struct call call = {.compiler = "cc", .variable = "CC", .own = "DETECT_CC"};

	return drive(&call, argc, argv);
}

static int cxx(int argc, char **argv)
{
	struct call call = {.compiler = "c++", .variable = "CXX", .own = "DETECT_CXX"};

	return drive(&call, argc, argv);
}

const struct command cmd_cc = {
    .name = "cc",
    .summary = "compile C so that data races are found",
    .run = cc,
};

const struct command cmd_cxx = {
    .name = "c++",
    .summary = "compile C++ so that data races are found",
    .run = cxx,
};
