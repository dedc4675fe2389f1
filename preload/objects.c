/* objects.c: the rarer questions. */
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "objects.h"

bool shim_object_is_shared(const void *object, enum dt_lock_kind kind)
{
	switch (kind) {
	case DT_LOCK_MUTEX:
		return shim_mutex_kind(object) & SHIM_MUTEX_PSHARED;
	case DT_LOCK_RWLOCK:
		return ((const pthread_rwlock_t *)object)->__data.__shared != 0;
	case DT_LOCK_COND:
		return ((const pthread_cond_t *)object)->__data.__wrefs & 1;
	case DT_LOCK_SEM: /* struct new_sem: `private` behind the value */
		return ((const int *)object)[2] != 0;
	case DT_LOCK_BARRIER: /* struct pthread_barrier: in, current_round, count, shared, out */
		return ((const int *)object)[3] != 0;
	case DT_LOCK_SPIN:
	case DT_LOCK_ONCE:
	case DT_LOCK_KINDS:
		break;
	}
	return false;
}

/* The kernel's struct, not libc's. */
struct kernel_action {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

/* Signals that a thread causes to itself by what it executes, and those that libc uses for itself. */
static bool is_from_inside(int signal)
{
	static const int inside[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, 32, 33};
	for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
		if (inside[i] == signal)
			return true;
	return false;
}

bool shim_has_handler(int signal)
{
	struct kernel_action action = {0};
	return syscall(SYS_rt_sigaction, signal, NULL, &action, sizeof action.mask) == 0 &&
	       action.handler != (void *)SIG_DFL && action.handler != (void *)SIG_IGN;
}

bool shim_handlers_installed(void)
{
	for (int signal = 1; signal <= 64; signal++)
		if (!is_from_inside(signal) && shim_has_handler(signal))
			return true;
	return false;
}
