/* The child's environment is built as a copy, so that detect itself and its own children (there are
 * none so far) never run under the shim. */
#include "shim.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arena.h"
#include "model.h"
#include "say.h"

#define SHIM_NAME "libdetect_preload.so"

static char *real_file(const char *path)
{
	char *real = realpath(path, NULL);

	if (real && access(real, R_OK) < 0) {
		free(real);
		return NULL;
	}
	return real;
}

/* First file that the pattern names. */
static char *find_pattern(const char *folder, const char *below)
{
	char *pattern = must_printf("%s/%s/" SHIM_NAME, folder, below), *found = NULL;
	glob_t matches;

	if (glob(pattern, 0, NULL, &matches) == 0) {
		for (size_t i = 0; i < matches.gl_pathc && !found; i++)
			found = real_file(matches.gl_pathv[i]);
		globfree(&matches);
	}
	free(pattern);
	return found;
}

/* NULL without /proc. */
static char *own_folder(void)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (length < 0)
		return NULL;
	path[length] = '\0';
	*strrchr(path, '/') = '\0';
	return must_printf("%s", path);
}

static char *look_beside(char **why)
{
	static const char *const below[] = {".",        "../lib",        "../lib/*",
	                                    "../lib64", "../lib/detect", "../lib/*/detect"};
	char *folder = own_folder(), *found = NULL;

	if (!folder) {
		*why = must_printf("/proc/self/exe: %s", strerror(errno));
		return NULL;
	}
	for (size_t i = 0; i < sizeof(below) / sizeof(*below) && !found; i++)
		found = find_pattern(folder, below[i]);
	if (!found)
		*why = must_printf("no " SHIM_NAME " beside detect in %s; set DETECT_PRELOAD to its path",
		                   folder);
	free(folder);
	return found;
}

char *shim_look(char **why)
{
	const char *named = getenv("DETECT_PRELOAD");
	char *found;

	*why = NULL;
	if (named && *named) {
		found = real_file(named);
		if (!found)
			*why = must_printf("DETECT_PRELOAD=%s: %s", named, strerror(errno));
	} else {
		found = look_beside(why);
	}
	/* The loader cuts LD_PRELOAD at these, and has no way to escape them. */
	if (found && strpbrk(found, " :")) {
		*why = must_printf("%s: the loader can't preload from a path with a space or a colon in it",
		                   found);
		free(found);
		found = NULL;
	}
	return found;
}

char *shim_find(void)
{
	char *why, *found = shim_look(&why);

	if (!found)
		say_usage("%s", why);
	return found;
}

void shim_options_init(struct shim_options *options)
{
	const char *users = getenv("DETECT_OPTIONS");

	options->text = must_printf("%s", users ? users : "");
}

void shim_options_close(struct shim_options *options)
{
	free(options->text);
	options->text = NULL;
}

static bool is_option(const char *name)
{
	static const char *const names[] = {
#define DT_OPTION(option, type, fallback, help) #option,
#include <detect/options.def>
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

void shim_options_set(struct shim_options *options, const char *name, const char *value)
{
	char *escaped = must_realloc(NULL, 2 * strlen(value) + 1, 1), *to = escaped;

	if (!is_option(name))
		abort(); /* a row of cmd_run's that options.def does not have */
	for (; *value; value++) {
		if (*value == ':' || *value == '\\')
			*to++ = '\\';
		*to++ = *value;
	}
	*to = '\0';
	char *text = must_printf("%s%s%s=%s", options->text, *options->text ? ":" : "", name, escaped);
	free(escaped);
	free(options->text);
	options->text = text;
}

static bool is_variable(const char *entry, const char *name)
{
	size_t length = strlen(name);

	return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

static bool is_ours(const char *entry)
{
	return is_variable(entry, "LD_PRELOAD") || is_variable(entry, "DETECT_OPTIONS") ||
	       is_variable(entry, "ASAN_OPTIONS");
}

/* "`name`=`value`", and behind it what the user has there. */
static char *put_before(const char *name, const char *value)
{
	const char *users = getenv(name);

	return must_printf("%s=%s%s%s", name, value, users && *users ? ":" : "", users ? users : "");
}

char **shim_environment(const char *preload, const struct shim_options *options)
{
	size_t count = 0, kept = 0;

	while (environ[count])
		count++;
	char **copy = must_realloc(NULL, count + 4, sizeof(*copy));
	for (size_t i = 0; i < count; i++)
		if (!is_ours(environ[i]))
			copy[kept++] = must_printf("%s", environ[i]);
	copy[kept++] = put_before("LD_PRELOAD", preload);
	/* AddressSanitizer's shared runtime ends a program in which it is not the first library. */
	copy[kept++] = put_before("ASAN_OPTIONS", "verify_asan_link_order=0");
	copy[kept++] = must_printf("DETECT_OPTIONS=%s", options->text);
	copy[kept] = NULL;
	return copy;
}

void shim_environment_free(char **environment)
{
	for (size_t i = 0; environment && environment[i]; i++)
		free(environment[i]);
	free(environment);
}
