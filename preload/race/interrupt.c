/* interrupt.c: what comes while its thread is in the engine, perhaps with a lock of it, waits until it is
 * out: a handler may leave by siglongjmp, and a cancellation unwinds.
 *
 * A signal is sent to the thread again, as it was, when the engine is left; until then all are blocked there,
 * by the mask that the kernel goes back to when the trampoline returns. A cancellation at any instruction is
 * one at the next way out of the engine, by pthread_setcanceltype, which glibc tells of one that has come
 * meanwhile. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../signals.h"
#include "engine.h"
#include "race.h"

static __thread struct {
	siginfo_t info;
	uint64_t mask;
	int number;
} put_off __attribute__((tls_model("initial-exec")));

bool shim_race_put_off_now(int number, const siginfo_t *info, uint64_t *mask)
{
	struct race_hot *hot = &race_hot;
	if (!hot->busy || hot->waiting & RACE_SIGNAL_WAITS || !shim_signals_may_wait(number))
		return false;
	put_off.info = *info;
	put_off.mask = *mask;
	put_off.number = number;
	*mask = UINT64_MAX;
	hot->waiting |= RACE_SIGNAL_WAITS;
	return true;
}

static void send_again(void)
{
	int saved = errno;
	siginfo_t info = put_off.info;
	uint64_t mask = put_off.mask;
	syscall(SYS_rt_tgsigqueueinfo, syscall(SYS_getpid), syscall(SYS_gettid), put_off.number, &info);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
	errno = saved;
}

void race_signal_is_parents(struct race_hot *hot)
{
	if (!(hot->waiting & RACE_SIGNAL_WAITS))
		return;
	hot->waiting &= ~(uint32_t)RACE_SIGNAL_WAITS;
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &put_off.mask, NULL, sizeof put_off.mask);
}

void race_cancellation_waits(void)
{
	shim_set_cancel_type(PTHREAD_CANCEL_DEFERRED);
}

void race_let_come(struct race_hot *hot)
{
	if (hot->waiting & RACE_SIGNAL_WAITS) {
		hot->waiting &= ~(uint32_t)RACE_SIGNAL_WAITS;
		send_again();
	}
	if (hot->waiting & RACE_ANY_CANCELLATION)
		shim_set_cancel_type(PTHREAD_CANCEL_ASYNCHRONOUS);
}

void shim_race_cancel_type(int type)
{
	if (type == PTHREAD_CANCEL_ASYNCHRONOUS)
		race_hot.waiting |= RACE_ANY_CANCELLATION;
	else
		race_hot.waiting &= ~(uint32_t)RACE_ANY_CANCELLATION;
}
