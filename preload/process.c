/* process.c: what a new process writes first. */
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "avoid.h"
#include "board.h"
#include "fork_held.h"
#include "identity.h"
#include "incident.h"
#include "log.h"
#include "misuse.h"
#include "modules.h"
#include "online.h"
#include "options.h"
#include "process.h"
#include "say.h"
#include "signals.h"
#include "stall.h"
#include "states.h"
#include "stats.h"
#include "steer.h"
#include "tables.h"
#include "thread.h"
#include "waiters.h"
#include "waitfor.h"

enum { COMMAND_BYTES = 16384, EXE_BYTES = 4096, TABLES_MB = 320 };

static _Atomic uint32_t process_number;

/* What the program has mapped already, in bytes; 0: not known. */
static uint64_t mapped_bytes(void)
{
	char text[64];
	int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/statm", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	long got = syscall(SYS_read, fd, text, sizeof text);
	syscall(SYS_close, fd);
	uint64_t pages = 0;
	for (long i = 0; i < got && text[i] >= '0' && text[i] <= '9'; i++)
		pages = pages * 10 + (uint64_t)(text[i] - '0');
	return pages * 4096;
}

/* Where the address space is limited, the program must not run out of it because of us: half of what is left
 * stays its own. */
static bool enough_address_space(void)
{
	struct rlimit limit;
	uint64_t needed = ((uint64_t)shim_options.log_size_mb + TABLES_MB) << 20;
	if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
		return true;
	return limit.rlim_cur > mapped_bytes() && (limit.rlim_cur - mapped_bytes()) / 2 >= needed;
}

bool shim_process_open(void)
{
	if (!enough_address_space()) {
		shim_say(
		    "the address space is limited (ulimit -v) to too little: the program runs on unobserved");
		return false;
	}
	if (shim_tables_open() && shim_identity_open() && shim_threads_open() && shim_waiters_open() &&
	    shim_misuse_open() && shim_states_open() && shim_stats_open() && shim_avoid_open()) {
		shim_steer_open();
		return true;
	}
	shim_say("not enough address space for the tables: the program runs on unobserved");
	return false;
}

static size_t read_command(char *text)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	size_t n = 0;
	long got;
	while (n < COMMAND_BYTES - 1 && (got = syscall(SYS_read, fd, text + n, COMMAND_BYTES - 1 - n)) > 0)
		n += (size_t)got;
	syscall(SYS_close, fd);
	if (n && text[n - 1])
		text[n++] = '\0';
	return n;
}

static void log_process(void)
{
	static char text[COMMAND_BYTES + EXE_BYTES]; /* one thread starts a log at a time */
	size_t n = read_command(text);
	struct dt_rec_process rec = {{DT_REC_PROCESS, 0, 0}, 0, 0};
	for (size_t i = 0; i < n; i++)
		rec.argc += !text[i];
	long exe = syscall(SYS_readlink, "/proc/self/exe", text + n, EXE_BYTES - 1);
	if (exe < 0)
		exe = 0;
	text[n + (size_t)exe] = '\0';
	rec.text_bytes = (uint32_t)(n + (size_t)exe + 1);
	shim_log_append(&rec.head, sizeof rec, text, rec.text_bytes, NULL, 0);
}

void shim_process_started(bool forked)
{
	if (forked) {
		shim_fork_held_collect();
		shim_tables_forked();
		shim_identity_forked();
		shim_modules_forked();
		shim_threads_forked();
		shim_online_forked();
		shim_waitfor_forked();
		shim_stall_forked();
		shim_signals_forked();
		shim_stats_forked();
		shim_incident_forked();
		shim_steer_forked();
		shim_avoid_forked();
		shim_states_forked();
	}
	shim_board_open(forked);
	atomic_fetch_add(&process_number, 1);
	log_process();
}

void shim_process_ending(int status)
{
	struct shim_thread *t = &shim_self;
	/* The child of a vfork ends in its parent's memory. */
	if (!t->capacity || !shim_process_check(t) || shim_log_header()->pid != getpid())
		return;
	struct dt_rec_exit rec = {{DT_REC_EXIT, 0, 0}, status, 0};
	SHIM_LOG(&rec);
	shim_board_leave();
}

bool shim_process_check(struct shim_thread *t)
{
	if (SHIM_UNLIKELY(!shim_log_ready()))
		return false;
	uint32_t now = atomic_load_explicit(&process_number, memory_order_relaxed);
	if (SHIM_UNLIKELY(t->process != now)) {
		/* Registered before in another process: this is the child of a fork. */
		if (t->process)
			shim_signals_begin(t);
		t->process = now;
		shim_thread_register(t);
	}
	return true;
}
