/* hook_process.c: the beginning and the end of the process. (Its children: hook_children.c.) */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "hook.h"
#include "log.h"
#include "misuse.h"
#include "online.h"
#include "process.h"
#include "race/race.h"

static void at_exit(int status, void *unused)
{
	(void)unused;
	shim_misuse_process_exit(&shim_self);
	shim_process_ending(status);
	shim_online_finish();
}

/* Around any fork that runs handlers (fork, daemon, forkpty): the child gets the race engine whole. */
static void before_fork(void)
{
	shim_race_forking();
}

static void after_fork(void)
{
	shim_race_has_forked();
}

/* In the child: glibc's id of the thread is another. */
static void forked(void)
{
	if (shim_self.capacity)
		shim_process_check(&shim_self);
	shim_race_forked();
}

/* Before the program's main: every process has its log, also one that never locks. */
__attribute__((constructor)) static void start(void)
{
	if (!shim_attach(&shim_self))
		return;
	on_exit(at_exit, NULL);
	pthread_atfork(before_fork, after_fork, forked);
}

SHIM_HOOK(void, _exit, (int status))
{
	shim_misuse_process_exit(&shim_self);
	shim_process_ending(status);
	SHIM_REAL(_exit)(status);
	__builtin_unreachable();
}

SHIM_HOOK(void, _Exit, (int status))
{
	shim_misuse_process_exit(&shim_self);
	shim_process_ending(status);
	SHIM_REAL(_Exit)(status);
	__builtin_unreachable();
}
