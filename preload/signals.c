/* signals.c: interned sets of signals, and the state of a thread.
 *
 * The kernel is asked for a thread's mask only when something is wanted that needs it: in a handler, in a new
 * thread, behind a longjmp; otherwise the mask is followed call by call.
 *
 * A handler can be left by siglongjmp, and nobody says so. Its mark is noticed to be stale on the slow path:
 * what runs now does not lie below it on the stack, or the seal in its frame has been written over. */
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "signals.h"
#include "tables.h"
#include "thread.h"
#include "unwind_memory.h"

enum {
	SETS = 256,            /* a power of two, and fewer than SHIM_SIGNALS_OPEN_UNKNOWN */
	SET_TRIES = 64,
	TIMES_INSTALLED = 32   /* a signal whose handler comes and goes more often is followed no longer */
};
#define SEAL 0x5ea1ed51676e616cu

struct set_slot {
	_Atomic uint64_t signals;
	_Atomic uint32_t logged;  /* number of the process, counted by forks, that has it in its log */
};

_Atomic uint64_t shim_signals_handled;
static _Atomic uint64_t handled_once;
static _Atomic uint32_t installed[DT_SIGNAL_MAX + 1];
static struct set_slot sets[SETS];
static _Atomic uint32_t process_number = 1;

void shim_signals_forked(void)
{
	atomic_fetch_add(&process_number, 1);
}

static uint64_t bit(int signal)
{
	return (uint64_t)1 << (signal - 1);
}

static uint32_t intern(uint64_t signals)
{
	if (!signals)
		return 0;
	for (uint32_t i = (uint32_t)((signals * 0x9e3779b97f4a7c15u) >> 40), tries = 0; tries < SET_TRIES; i++, tries++) {
		struct set_slot *slot = &sets[i % SETS];
		uint64_t found = atomic_load_explicit(&slot->signals, memory_order_relaxed);
		if (found == signals || (!found && (atomic_compare_exchange_strong(&slot->signals, &found, signals) ||
		                                    found == signals)))
			return i % SETS + 1;
	}
	shim_log_count(DT_COUNT_SIGNALS_LOST, 1);
	return 0;
}

void shim_signals_log(uint32_t set)
{
	if (!set || set > SETS)
		return;
	struct set_slot *slot = &sets[set - 1];
	uint32_t now = atomic_load_explicit(&process_number, memory_order_relaxed);
	uint32_t logged = atomic_load_explicit(&slot->logged, memory_order_relaxed);
	if (logged == now || !atomic_compare_exchange_strong(&slot->logged, &logged, now))
		return;
	struct dt_rec_signal_set rec = {{DT_REC_SIGNAL_SET, 0, 0}, set, 0, atomic_load(&slot->signals)};
	SHIM_LOG(&rec);
}

static void set_signals(struct shim_thread *t, uint32_t handler, uint32_t open)
{
	t->signals = (uint16_t)(handler | open << SHIM_SIGNALS_OPEN_SHIFT);
	shim_salt_renew(t);
}

static bool open_known(const struct shim_thread *t)
{
	return t->signals >> SHIM_SIGNALS_OPEN_SHIFT != SHIM_SIGNALS_OPEN_UNKNOWN;
}

static uint64_t seal_of(const struct shim_handler *handler)
{
	return (uintptr_t)handler ^ SEAL;
}

/* `here` lies on the stack of the handler, and the handler still runs. An alternate stack may be gone since. */
static bool is_live(const struct shim_thread *t, const struct shim_handler *handler, uintptr_t here)
{
	uintptr_t at = (uintptr_t)handler;
	if (at <= here || (here < t->stack_top && at >= t->stack_top))
		return false;
	struct shim_view view;
	uintptr_t seal;
	shim_view_open(&view, here);
	return shim_view_load(&view, (uintptr_t)&handler->seal, &seal) && seal == seal_of(handler);
}

const struct shim_handler *shim_signals_handler(const struct shim_thread *t, uintptr_t slot)
{
	return SHIM_UNLIKELY(t->handler != NULL) && is_live(t, t->handler, slot) ? t->handler : NULL;
}

/* A handler may not touch a context that the code it interrupts has just found and is about to read. */
static void choose_contexts(struct shim_thread *t)
{
	if (t->contexts)
		t->contexts = t->handler ? t->block->handler_contexts : t->block->contexts;
}

void shim_signals_enter(struct shim_thread *t, struct shim_handler *handler, int signal)
{
	*handler = (struct shim_handler){
	    .outer = t->handler,
	    .signals = t->signals,
	    .mask_known = t->mask_known,
	    .blocked = t->blocked,
	    .handled = t->handled,
	};
	handler->seal = seal_of(handler);
	if (SHIM_UNLIKELY(atomic_load_explicit(&handled_once, memory_order_relaxed) & bit(signal)))
		shim_signals_handler_set(signal, false, false);
	t->mask_known = false;
	t->handler = handler;
	choose_contexts(t);
	set_signals(t, (uint32_t)signal, SHIM_SIGNALS_OPEN_UNKNOWN);
}

void shim_signals_begin(struct shim_thread *t)
{
	if (SHIM_LIKELY(!t->handler))
		return;
	t->handler = NULL;
	t->mask_known = false;
	choose_contexts(t);
	set_signals(t, 0, SHIM_SIGNALS_OPEN_UNKNOWN);
}

void shim_signals_leave(struct shim_thread *t, struct shim_handler *handler, uint64_t blocked)
{
	bool same = handler->mask_known && handler->blocked == blocked && handler->handled == t->handled;
	uint32_t outer = handler->signals & SHIM_SIGNALS_HANDLER;
	uint32_t open = handler->signals >> SHIM_SIGNALS_OPEN_SHIFT;
	*(volatile uintptr_t *)&handler->seal = 0;
	t->handler = handler->outer;
	choose_contexts(t);
	t->blocked = blocked;
	t->mask_known = true;
	set_signals(t, outer, same ? open : SHIM_SIGNALS_OPEN_UNKNOWN);
}

void shim_signals_masked(struct shim_thread *t, int how, uint64_t set)
{
	uint64_t before = t->blocked;
	if (how == SIG_SETMASK) {
		t->blocked = set;
		t->mask_known = true;
	} else if (how == SIG_BLOCK) {
		t->blocked |= set;
	} else {
		t->blocked &= ~set;
	}
	/* Nothing to work out while the signals in question have no handler. */
	if (!open_known(t) || !((before ^ t->blocked) & t->handled))
		return;
	uint32_t open = t->mask_known ? intern(t->handled & ~t->blocked) : SHIM_SIGNALS_OPEN_UNKNOWN;
	set_signals(t, t->signals & SHIM_SIGNALS_HANDLER, open);
}

void shim_signals_mask_lost(struct shim_thread *t)
{
	t->mask_known = false;
	if (t->handled)
		set_signals(t, t->signals & SHIM_SIGNALS_HANDLER, SHIM_SIGNALS_OPEN_UNKNOWN);
}

/* What a handler interrupts may be a recording, which lies outside of it. */
void shim_signals_jump(struct shim_thread *t, uintptr_t target)
{
	const struct shim_handler *outermost = t->handler;
	while (outermost && outermost->outer)
		outermost = outermost->outer;
	bool ends_on_own = shim_on_own_stack(t, target);
	bool runs_on_own = shim_on_own_stack(t, (uintptr_t)outermost);
	if (!outermost || !ends_on_own || (runs_on_own && target <= (uintptr_t)outermost))
		return;
	shim_signals_begin(t);
	t->busy = 0;
}

/* What code does to itself comes at the places where it does so. */
static bool comes_anywhere(int signal)
{
	return signal != SIGSEGV && signal != SIGBUS && signal != SIGFPE && signal != SIGILL && signal != SIGTRAP &&
	       signal != SIGSYS;
}

bool shim_signals_may_wait(int signal)
{
	return comes_anywhere(signal) && !(atomic_load(&handled_once) & bit(signal));
}

/* All that threads remember of locks is looked at again, and with it which signals have handlers. */
static void tell_all_threads(void)
{
	for (uint32_t i = 0; i < SHIM_GENERATIONS; i++)
		atomic_fetch_add(&shim_generation[i], 1);
}

void shim_signals_handler_set(int signal, bool handled, bool once)
{
	if (signal < 1 || signal > DT_SIGNAL_MAX || !comes_anywhere(signal))
		return;
	if (once)
		atomic_fetch_or(&handled_once, bit(signal));
	else
		atomic_fetch_and(&handled_once, ~bit(signal));
	if (!handled)
		atomic_fetch_and(&shim_signals_handled, ~bit(signal));
	else if (!(atomic_load(&shim_signals_handled) & bit(signal)) &&
	         atomic_fetch_add(&installed[signal], 1) < TIMES_INSTALLED &&
	         !(atomic_fetch_or(&shim_signals_handled, bit(signal)) & bit(signal)))
		tell_all_threads();
}

static void ask_mask(struct shim_thread *t)
{
	uint64_t now;
	int saved = errno;
	t->mask_known = syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &now, sizeof now) == 0;
	if (t->mask_known)
		t->blocked = now;
	errno = saved;
}

static void refresh(struct shim_thread *t, const void *here)
{
	uint64_t handled = atomic_load_explicit(&shim_signals_handled, memory_order_relaxed);
	while (t->handler && !is_live(t, t->handler, (uintptr_t)here)) {
		/* Left by a longjmp. How the outer ones fared can't be known: a thread that jumps out of
		 * handlers does so to where none runs. */
		t->handler = NULL;
		t->signals = 0;
		t->mask_known = false;
	}
	choose_contexts(t);
	if (!t->mask_known && handled)
		ask_mask(t);
	t->handled = handled;
	set_signals(t, t->handler ? t->signals & SHIM_SIGNALS_HANDLER : 0, t->mask_known ? intern(handled & ~t->blocked) : 0);
}

void shim_signals_refresh(struct shim_thread *t, const void *here)
{
	if (t->handled != atomic_load_explicit(&shim_signals_handled, memory_order_relaxed) || !open_known(t) ||
	    (t->handler && !is_live(t, t->handler, (uintptr_t)here)))
		refresh(t, here);
}
