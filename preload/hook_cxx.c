/* hook_cxx.c: the guards of C++'s local statics, which order the others behind the one that initialises.
 *
 * Our definitions come first also for libraries that bring a C++ runtime of their own along without showing it to
 * us (dlopen with RTLD_LOCAL), and asking the loader for it here could wait for a thread that waits for the guard. So
 * where none was found at the start, the guards are kept here, as libstdc++ keeps them (libsupc++/guard.cc; Itanium
 * C++ ABI 3.3.3): byte 0 says initialised, the next that somebody is at it, the third that others wait. */
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hook.h"
#include "race/race.h"

enum { DONE = 1, PENDING = 1 << 8, WAITED_FOR = 1 << 16 };

static int begin(_Atomic int *guard)
{
	for (;;) {
		int seen = 0;
		if (atomic_compare_exchange_strong(guard, &seen, PENDING))
			return 1;
		if (seen & DONE)
			return 0;
		if (seen & WAITED_FOR || atomic_compare_exchange_strong(guard, &seen, seen | WAITED_FOR))
			syscall(SYS_futex, guard, FUTEX_WAIT_PRIVATE, seen | WAITED_FOR, NULL, NULL, 0);
	}
}

static void end(_Atomic int *guard, int state)
{
	if (atomic_exchange(guard, state) & WAITED_FOR)
		syscall(SYS_futex, guard, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* 1: the caller is to initialise, and then to call one of the others. */
SHIM_HOOK(int, __cxa_guard_acquire, (_Atomic int *guard))
{
	int result = SHIM_LIKELY(shim_real___cxa_guard_acquire) ? shim_real___cxa_guard_acquire(guard) : begin(guard);
	if (!result)
		shim_race_acquire(guard, true);
	return result;
}

SHIM_HOOK(void, __cxa_guard_release, (_Atomic int *guard))
{
	shim_race_release(guard, SHIM_RACE_JOIN, true);
	if (SHIM_LIKELY(shim_real___cxa_guard_release))
		shim_real___cxa_guard_release(guard);
	else
		end(guard, DONE);
}

SHIM_HOOK(void, __cxa_guard_abort, (_Atomic int *guard))
{
	if (SHIM_LIKELY(shim_real___cxa_guard_abort))
		shim_real___cxa_guard_abort(guard);
	else
		end(guard, 0);
}
