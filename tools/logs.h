/* logs.h: the LOG arguments: files and folders of them, found, mapped and checked.
 *
 * A log is mapped read-only, so that one which its process is still writing can be read as far as
 * it got. Memory: a log_set owns its mappings until logs_close. Threads: one.
 * Failure: the lines are ready for `say`; see logs_add. */
#ifndef TOOLS_LOGS_H
#define TOOLS_LOGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <detect/facts.h>

struct log_file {
	char *path;
	const void *bytes; /* mapped */
	size_t size;
	dev_t device;
	ino_t inode;
	int32_t pid;       /* from the header */
	uint64_t start_ns; /* from the header */
};

struct log_set {
	struct log_file *files; /* after logs_sort: by start time */
	size_t count;
	char **notices; /* what was left out of a folder, and why */
	size_t notice_count;
};

void logs_open(struct log_set *set);
void logs_close(struct log_set *set);

/* Add a log file, or the *.dtlog files of a folder (not of its sub-folders). A file that is there
 * already counts once. Returns NULL, or why the argument can't be used: one line, to be freed.
 * A file of a folder that is no readable log becomes a notice, as long as another one is. */
char *logs_add(struct log_set *set, const char *path);

/* Read it into *facts, new ones, which refer to it: it stays mapped, but its pages are given back as it is
 * read, and come again when something in it is looked up. As dt_log_read: DT_OK, or DT_ERR_CORRUPT with
 * *bad_offset (may be NULL); without memory the command ends. */
enum dt_err logs_read(const struct log_file *log, struct dt_facts **facts, uint64_t *bad_offset);

/* Nothing in it will be looked up for a while. */
void logs_rest(const struct log_file *log);

/* By start time, then process id, then path. */
void logs_sort(struct log_set *set);

#endif
