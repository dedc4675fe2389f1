/* inspect.h: a process seen from outside: its log and board, wherever they are, and, where the kernel allows it, what
 * its running threads hold at this moment. Needs no cooperation: a hung or stopped process is as good.
 *
 * Memory: freed by inspect_close. Threads: one. What the process writes meanwhile is taken as it comes: a
 * thread that can't be read consistently is shown without what it holds. */
#ifndef TOOLS_INSPECT_H
#define TOOLS_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <detect/board_format.h>

struct inspect_held {
	uint64_t lock;
	uint32_t id, stack; /* in the log; id 0: look the address up */
	uint8_t kind, mode;
};

struct inspect_thread {
	struct dt_board_slot slot;
	char state;              /* the kernel's letter; 0: not known, or the process is gone */
	bool holds_known;        /* blocked, or its memory could be read */
	struct inspect_held *held;
	size_t held_count;
};

struct inspect {
	int32_t pid;
	bool alive;
	bool denied;             /* its memory can't be read: running threads' holds are not known */
	const void *log;
	size_t log_bytes;
	struct inspect_thread *threads;
	size_t thread_count;
	void *mapped[2];         /* log, board */
	size_t mapped_bytes[2];
	void *copied;            /* the log, read from memory */
};

/* The argument is a process id, not a path. */
bool inspect_is_pid(const char *text);

/* Of a running process. NULL, or why not: one line, to be freed. */
char *inspect_pid(struct inspect *inspect, int32_t pid);
/* Of a log file, whose process may still run. */
char *inspect_log(struct inspect *inspect, const char *path);
void inspect_close(struct inspect *inspect);

/* Visit the process, or each of the LOG's, that an argument names. A wrong one ends the command. */
void inspect_each(const char *target, void (*visit)(void *context, const struct inspect *inspect), void *context);

#endif
