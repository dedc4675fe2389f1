/* log_dir.h: the folder that a run's logs go to.
 *
 *   without --output  a new temporary folder, removed after a clean report
 *   --output=DIR      DIR, created 0700 if missing; when it has logs already, or everyone can write
 *                     to it, a new folder DIR/run-N of its own, so that runs never mix
 *
 * Threads: one. Failure: log_dir_open ends the command with a line and status 2. */
#ifndef TOOLS_LOG_DIR_H
#define TOOLS_LOG_DIR_H

#include <stdbool.h>

struct log_dir {
	char *path; /* absolute: the program may change its folder */
	bool temporary;
	bool own_folder; /* --output named a folder that could not be used itself */
};

void log_dir_open(struct log_dir *dir, const char *output);
/* Frees, and with `remove` removes a temporary folder with the logs in it. */
void log_dir_close(struct log_dir *dir, bool remove);

#endif
