/* hook_children.c: the calls that make processes and wait for their ends. A child that the C library makes
 * and waits for within one call (system, popen) is not followed: its orders stay unknown, which can only add
 * a candidate. vfork can't be wrapped: its child returns through the caller's frame. */
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hook.h"
#include "kin.h"
#include "process.h"

/* A child has its log at once, not at its first new fact. */
SHIM_HOOK(pid_t, fork, (void))
{
	struct shim_fork order = shim_fork_begin();
	pid_t pid = SHIM_REAL(fork)();
	if (pid == 0 && shim_self.capacity)
		shim_process_check(&shim_self);
	else
		shim_fork_end(&order, pid);
	return pid;
}

#define SPAWN_PARAMETERS                                                                                     \
	(pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions,                           \
	 const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])

SHIM_HOOK(int, posix_spawn, SPAWN_PARAMETERS)
{
	struct shim_fork order = shim_fork_begin();
	pid_t own = 0, *where = pid ? pid : &own;
	int result = SHIM_REAL(posix_spawn)(where, path, actions, attributes, argv, envp);
	shim_fork_end(&order, result ? 0 : *where);
	return result;
}

SHIM_HOOK(int, posix_spawnp, SPAWN_PARAMETERS)
{
	struct shim_fork order = shim_fork_begin();
	pid_t own = 0, *where = pid ? pid : &own;
	int result = SHIM_REAL(posix_spawnp)(where, path, actions, attributes, argv, envp);
	shim_fork_end(&order, result ? 0 : *where);
	return result;
}

/* A child that only stopped or went on has not ended. */
static pid_t waited(pid_t pid, int status)
{
	if (pid > 0 && (WIFEXITED(status) || WIFSIGNALED(status)))
		shim_child_ended(pid);
	return pid;
}

SHIM_HOOK(pid_t, wait, (int *status))
{
	int own = 0, *where = status ? status : &own;
	pid_t pid = SHIM_REAL(wait)(where);
	return pid > 0 ? waited(pid, *where) : pid;
}

SHIM_HOOK(pid_t, waitpid, (pid_t which, int *status, int options))
{
	int own = 0, *where = status ? status : &own;
	pid_t pid = SHIM_REAL(waitpid)(which, where, options);
	return pid > 0 ? waited(pid, *where) : pid;
}

SHIM_HOOK(pid_t, wait3, (int *status, int options, struct rusage *usage))
{
	int own = 0, *where = status ? status : &own;
	pid_t pid = SHIM_REAL(wait3)(where, options, usage);
	return pid > 0 ? waited(pid, *where) : pid;
}

SHIM_HOOK(pid_t, wait4, (pid_t which, int *status, int options, struct rusage *usage))
{
	int own = 0, *where = status ? status : &own;
	pid_t pid = SHIM_REAL(wait4)(which, where, options, usage);
	return pid > 0 ? waited(pid, *where) : pid;
}

SHIM_HOOK(int, waitid, (idtype_t type, id_t which, siginfo_t *info, int options))
{
	siginfo_t own = {0}, *where = info ? info : &own;
	int result = SHIM_REAL(waitid)(type, which, where, options);
	if (result == 0 && where->si_pid > 0 &&
	    (where->si_code == CLD_EXITED || where->si_code == CLD_KILLED || where->si_code == CLD_DUMPED))
		shim_child_ended(where->si_pid);
	return result;
}
