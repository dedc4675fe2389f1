/* hook_process.c: the beginning and the end of the process. (Its children: hook_children.c.) */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "hook.h"
#include "log.h"
#include "modules.h"
#include "online.h"
#include "process.h"

static void at_exit(int status, void *unused)
{
	(void)unused;
	shim_process_ending(status);
	shim_online_finish();
}

/* In the child of any fork that runs handlers (fork, daemon, forkpty): glibc's id of the thread is another. */
static void forked(void)
{
	if (shim_self.capacity)
		shim_process_check(&shim_self);
}

/* Before the program's main: every process has its log, also one that never locks. */
__attribute__((constructor)) static void start(void)
{
	if (!shim_attach(&shim_self))
		return;
	on_exit(at_exit, NULL);
	pthread_atfork(NULL, NULL, forked);
}

SHIM_HOOK(void, _exit, (int status))
{
	shim_process_ending(status);
	SHIM_REAL(_exit)(status);
	__builtin_unreachable();
}

SHIM_HOOK(void, _Exit, (int status))
{
	shim_process_ending(status);
	SHIM_REAL(_Exit)(status);
	__builtin_unreachable();
}

SHIM_HOOK(int, dlclose, (void *handle))
{
	int result = SHIM_REAL(dlclose)(handle);
	if (shim_self.capacity && shim_process_check(&shim_self))
		shim_modules_unloaded();
	return result;
}
