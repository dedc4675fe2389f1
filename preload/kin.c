/* kin.c: one record, and a new segment of the thread. */
#include "kin.h"

#include <errno.h>

#include "log.h"
#include "process.h"
#include "shim.h"
#include "thread.h"

static bool is_recording(struct shim_thread *t)
{
	if (t->capacity && t->busy)
		shim_log_count(DT_COUNT_SEGMENTS_LOST, 1);
	return t->capacity && !t->busy && shim_process_check(t);
}

struct shim_fork shim_fork_begin(void)
{
	struct shim_thread *t = &shim_self;
	if (!is_recording(t))
		return (struct shim_fork){0};
	return (struct shim_fork){t->segment, shim_realtime_ns()};
}

void shim_fork_end(const struct shim_fork *fork, pid_t pid)
{
	int saved = errno;
	if (pid > 0 && fork->segment) {
		struct dt_rec_kin rec = {{DT_REC_FORK, 0, 0}, fork->segment, pid, fork->time_ns};
		SHIM_LOG(&rec);
		shim_segment_next(&shim_self, 0);
	}
	errno = saved;
}

void shim_child_ended(pid_t pid)
{
	struct shim_thread *t = &shim_self;
	int saved = errno;
	if (is_recording(t)) {
		shim_segment_next(t, 0);
		struct dt_rec_kin rec = {{DT_REC_REAP, 0, 0}, t->segment, pid, shim_realtime_ns()};
		SHIM_LOG(&rec);
	}
	errno = saved;
}
