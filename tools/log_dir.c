/* Logs show what a program does: nobody else shall read them or put a link in their place. */
#include "log_dir.h"

#include <detect/board_format.h>
#include <detect/claims_format.h>
#include <detect/log_format.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena.h"
#include "say.h"

#define RUNS_MAX 1000000

static bool is_log(const char *name)
{
	size_t length = strlen(name), suffix = strlen(DT_LOG_SUFFIX);

	return length > suffix && strcmp(name + length - suffix, DT_LOG_SUFFIX) == 0;
}

static bool has_logs(const char *path)
{
	DIR *folder = opendir(path);
	bool found = false;

	if (!folder)
		say_usage("--output: %s: %s", path, strerror(errno));
	for (struct dirent *entry; !found && (entry = readdir(folder));)
		found = is_log(entry->d_name);
	closedir(folder);
	return found;
}

static char *make_run_folder(const char *path)
{
	for (unsigned n = 1; n < RUNS_MAX; n++) {
		char *run = must_printf("%s/run-%u", path, n);

		if (mkdir(run, 0700) == 0)
			return run;
		if (errno != EEXIST)
			say_usage("--output: %s: %s", run, strerror(errno));
		free(run);
	}
	say_usage("--output: %s: too many runs in this folder", path);
}

static char *absolute(const char *path)
{
	char *real = realpath(path, NULL);

	if (!real)
		say_usage("%s: %s", path, strerror(errno));
	return real;
}

static void open_output(struct log_dir *dir, const char *output)
{
	struct stat st;

	if (mkdir(output, 0700) < 0 && errno != EEXIST)
		say_usage("--output: %s: %s", output, strerror(errno));
	if (stat(output, &st) < 0 || !S_ISDIR(st.st_mode))
		say_usage("--output: %s: not a folder", output);
	dir->path = absolute(output);
	if (has_logs(dir->path) || st.st_mode & S_IWOTH) {
		char *run = make_run_folder(dir->path);
		free(dir->path);
		dir->path = run;
		dir->own_folder = true;
	}
	if (access(dir->path, W_OK | X_OK) < 0)
		say_usage("--output: %s: %s", output, strerror(errno));
}

void log_dir_open(struct log_dir *dir, const char *output)
{
	const char *parent = getenv("TMPDIR");

	*dir = (struct log_dir){.temporary = !output};
	if (output) {
		open_output(dir, output);
		return;
	}
	char *made = must_printf("%s/detect-XXXXXX", parent && *parent ? parent : "/tmp");
	if (!mkdtemp(made))
		say_usage("%s: %s", made, strerror(errno));
	dir->path = absolute(made);
	free(made);
}

static void remove_folder(const char *path)
{
	DIR *folder = opendir(path);

	/* Only what is ours; anything else keeps the folder. */
	for (struct dirent *entry; folder && (entry = readdir(folder));)
		if (is_log(entry->d_name))
			unlinkat(dirfd(folder), entry->d_name, 0);
	if (folder)
		closedir(folder);
	if (rmdir(path) < 0)
		say("%s: %s", path, strerror(errno));
}

/* What threads wait for, and what they were held back by, is of no use when nobody waits any more. */
static void remove_board(const char *path)
{
	char *board = must_printf("%s/%s", path, DT_BOARD_NAME);

	unlink(board);
	free(board);
	char *claims = must_printf("%s/%s", path, DT_CLAIMS_NAME);
	unlink(claims);
	free(claims);
}

void log_dir_close(struct log_dir *dir, bool remove)
{
	remove_board(dir->path);
	if (dir->temporary && remove)
		remove_folder(dir->path);
	free(dir->path);
	*dir = (struct log_dir){0};
}
