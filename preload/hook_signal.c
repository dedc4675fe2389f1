/* hook_signal.c: handlers run inside a function of ours, so that a thread knows whose it runs.
 *
 * A pair (signal, handler) gets a column of a table, for good; each column has a trampoline, and that is what the
 * kernel is given. So installing is one system call, as bare: what a signal that comes meanwhile finds is either
 * the old trampoline or the new one, and both stay right; a child of vfork, which shares the table but not the
 * kernel's actions, changes nothing of its parent's. What the program reads back is its own. A signal that is
 * given more handlers than there are columns keeps the rest as they are, unobserved. */
#include <setjmp.h>
#include <signal.h>
#include <unistd.h>

#include "hook.h"
#include "log.h"
#include "race/race.h"
#include "signals.h"

typedef void handler_fn(int);
typedef void action_fn(int, siginfo_t *, void *);

enum { COLUMNS = 16 };

static _Atomic(uintptr_t) handlers[COLUMNS][DT_SIGNAL_MAX + 1];

/* Not a system call in here, unless the race runtime was interrupted: a handler may run where nearly all of
 * them are forbidden. What came before the handler was installed, or the signal sent, comes before what the
 * handler does. */
static __attribute__((noinline)) void run_handler(int number, siginfo_t *info, void *context, unsigned column)
{
	struct shim_thread *t = &shim_self;
	struct shim_handler handler;
	if (shim_race_put_off(number, info, (uint64_t *)&((ucontext_t *)context)->uc_sigmask))
		return;
	action_fn *action = (action_fn *)atomic_load_explicit(&handlers[column][number], memory_order_relaxed);
	shim_signals_enter(t, &handler, number);
	uint32_t race = shim_race_handler(number);
	action(number, info, context);
	shim_race_handled(race);
	/* The mask that the kernel goes back to; the handler may have changed it. */
	shim_signals_leave(t, &handler, *(const uint64_t *)&((const ucontext_t *)context)->uc_sigmask);
}

#define TRAMPOLINE(column)                                                           \
	static void trampoline_##column(int number, siginfo_t *info, void *context) \
	{                                                                            \
		run_handler(number, info, context, column);                          \
	}
TRAMPOLINE(0)
TRAMPOLINE(1)
TRAMPOLINE(2)
TRAMPOLINE(3)
TRAMPOLINE(4)
TRAMPOLINE(5)
TRAMPOLINE(6)
TRAMPOLINE(7)
TRAMPOLINE(8)
TRAMPOLINE(9)
TRAMPOLINE(10)
TRAMPOLINE(11)
TRAMPOLINE(12)
TRAMPOLINE(13)
TRAMPOLINE(14)
TRAMPOLINE(15)

static action_fn *const trampolines[COLUMNS] = {
    trampoline_0, trampoline_1, trampoline_2,  trampoline_3,  trampoline_4,  trampoline_5,  trampoline_6,  trampoline_7,
    trampoline_8, trampoline_9, trampoline_10, trampoline_11, trampoline_12, trampoline_13, trampoline_14, trampoline_15,
};

static int column_of(uintptr_t trampoline)
{
	for (int i = 0; i < COLUMNS; i++)
		if (trampoline == (uintptr_t)trampolines[i])
			return i;
	return -1;
}

static bool is_number(int number)
{
	return number >= 1 && number <= DT_SIGNAL_MAX;
}

/* SIG_DFL, SIG_IGN, SIG_HOLD and SIG_ERR are no code. */
static bool is_code(uintptr_t handler)
{
	return handler > (uintptr_t)SIG_HOLD && handler != (uintptr_t)SIG_ERR;
}

/* What the kernel is to be given for it. */
static uintptr_t wrap(int number, uintptr_t handler)
{
	if (!is_number(number) || !is_code(handler) || column_of(handler) >= 0 || !shim_log_wanted())
		return handler;
	for (int i = 0; i < COLUMNS; i++) {
		uintptr_t found = 0;
		if (atomic_compare_exchange_strong(&handlers[i][number], &found, handler) || found == handler)
			return (uintptr_t)trampolines[i];
	}
	return handler;
}

/* What the program gave for it. */
static uintptr_t unwrap(int number, uintptr_t handler)
{
	int column = is_number(number) ? column_of(handler) : -1;
	return column < 0 ? handler : atomic_load_explicit(&handlers[column][number], memory_order_relaxed);
}

/* In a child of vfork the action is the child's, the table of handled signals its parent's. */
static void installed(int number, uintptr_t handler, bool once)
{
	const struct dt_log_header *header = shim_log_header();
	if (is_number(number) && (!header || header->pid == getpid()))
		shim_signals_handler_set(number, is_code(handler), once && is_code(handler));
}

SHIM_HOOK(int, sigaction, (int number, const struct sigaction *action, struct sigaction *old))
{
	struct sigaction wrapped;
	uintptr_t handler = 0;
	if (action) {
		wrapped = *action;
		handler = (uintptr_t)action->sa_handler;
		wrapped.sa_handler = (handler_fn *)wrap(number, handler);
	}
	shim_race_signalling(number);
	int result = SHIM_REAL(sigaction)(number, action ? &wrapped : NULL, old);
	if (result == 0 && action)
		installed(number, handler, wrapped.sa_flags & (int)SA_RESETHAND);
	if (result == 0 && old)
		old->sa_handler = (handler_fn *)unwrap(number, (uintptr_t)old->sa_handler);
	return result;
}

/* The simple calls differ in flags only, which are the C library's affair. */
#define SIMPLE(name, once)                                                                                   \
	extern handler_fn *name(int number, handler_fn *handler);                                            \
	SHIM_HOOK(handler_fn *, name, (int number, handler_fn *handler))                                     \
	{                                                                                                    \
		shim_race_signalling(number);                                                                \
		handler_fn *old = SHIM_REAL(name)(number, (handler_fn *)wrap(number, (uintptr_t)handler));   \
		if (old != SIG_ERR)                                                                          \
			installed(number, (uintptr_t)handler, once);                                         \
		return (handler_fn *)unwrap(number, (uintptr_t)old);                                         \
	}
SIMPLE(signal, false)
SIMPLE(bsd_signal, false)
SIMPLE(ssignal, false)
SIMPLE(sysv_signal, true)
SIMPLE(__sysv_signal, true)

/* sigset blocks the signal, or unblocks it. */
SHIM_HOOK(handler_fn *, sigset, (int number, handler_fn *handler))
{
	shim_race_signalling(number);
	handler_fn *old = SHIM_REAL(sigset)(number, (handler_fn *)wrap(number, (uintptr_t)handler));
	if (old == SIG_ERR)
		return old;
	if (handler != SIG_HOLD)
		installed(number, (uintptr_t)handler, false);
	shim_signals_masked(&shim_self, handler == SIG_HOLD ? SIG_BLOCK : SIG_UNBLOCK, (uint64_t)1 << (number - 1));
	return (handler_fn *)unwrap(number, (uintptr_t)old);
}

/* The set is read before the call, which may write the old one over it. */
#define MASK(name)                                                                           \
	SHIM_HOOK(int, name, (int how, const sigset_t *set, sigset_t *old))                  \
	{                                                                                    \
		uint64_t signals = set ? *(const uint64_t *)set : 0;                         \
		int result = SHIM_REAL(name)(how, set, old);                                 \
		if (set && result == 0)                                                      \
			shim_signals_masked(&shim_self, how, signals);                       \
		return result;                                                               \
	}
MASK(pthread_sigmask)
MASK(sigprocmask)

/* The older calls: one signal, or a mask of the first 32 ones. */
#define MASK_ONE(name, how)                                                                        \
	SHIM_HOOK(int, name, (int number))                                                         \
	{                                                                                          \
		int result = SHIM_REAL(name)(number);                                              \
		if (result == 0)                                                                   \
			shim_signals_masked(&shim_self, how, (uint64_t)1 << ((unsigned)number - 1)); \
		return result;                                                                     \
	}
MASK_ONE(sighold, SIG_BLOCK)
MASK_ONE(sigrelse, SIG_UNBLOCK)

#define MASK_OLD(name)                                       \
	extern int name(int mask);                           \
	SHIM_HOOK(int, name, (int mask))                     \
	{                                                    \
		int result = SHIM_REAL(name)(mask);          \
		shim_signals_mask_lost(&shim_self);          \
		return result;                               \
	}
MASK_OLD(sigblock)
MASK_OLD(sigsetmask)

/* Where the stack will end, behind the jump: glibc keeps it turned and mixed with a word of the thread
 * (sysdeps/unix/sysv/linux/x86_64/pointer_guard.h). */
static uintptr_t stack_behind(const struct __jmp_buf_tag *place)
{
	enum { JB_RSP = 6, TURNED = 17 };
	uintptr_t kept = (uintptr_t)place->__jmpbuf[JB_RSP], guard;

	__asm__("mov %%fs:0x30, %0" : "=r"(guard));
	return (kept >> TURNED | kept << (64 - TURNED)) ^ guard;
}

/* A jump may put back the mask that was saved with its place, and leave a handler for good. */
#define JUMP(name)                                                                       \
	extern void name(struct __jmp_buf_tag place[1], int value) __attribute__((noreturn)); \
	SHIM_HOOK(void, name, (struct __jmp_buf_tag place[1], int value))                \
	{                                                                                \
		if (place->__mask_was_saved)                                             \
			shim_signals_mask_lost(&shim_self);                              \
		if (SHIM_UNLIKELY(shim_self.handler != NULL))                                       \
			shim_signals_jump(&shim_self, stack_behind(place));              \
		SHIM_REAL(name)(place, value);                                           \
		__builtin_unreachable();                                                 \
	}
JUMP(longjmp)
JUMP(_longjmp)
JUMP(siglongjmp)
JUMP(__longjmp_chk)
