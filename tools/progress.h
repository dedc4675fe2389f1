/* progress.h: one line on a terminal that says how far a long command is.
 *
 * It appears after a second, on stderr, only when that is a terminal, and is gone when the command
 * goes on to say something. Threads: calls come from one; a second one draws, so that the line
 * moves also during a long call into a library. Failure: no line. */
#ifndef TOOLS_PROGRESS_H
#define TOOLS_PROGRESS_H

#include <stdint.h>

/* Begin; everything below does nothing before it. */
void progress_open(void);

/* What is done now: "reading log", 3, 1000, "bank.dtlog". `total` 0: not known. `what` may be NULL, and is
 * made printable. Cheap enough for every finding. */
void progress_show(const char *doing, uint64_t done, uint64_t total, const char *what);

/* Make room for another line on the terminal; the progress comes back when it goes on. */
void progress_erase(void);

void progress_close(void);

#endif
