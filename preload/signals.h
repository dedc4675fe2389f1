/* signals.h: whose handler a thread runs, and which handlers can interrupt it: part of what an acquisition is.
 *
 * A thread keeps both in one small number, t->signals: the handler's signal (0: none) in the low bits, above it the id
 * of a set of signals: those with a handler that it does not block. Most threads of most programs have 0 there
 * for life. The word goes into t->salt, so that a place is looked at anew under other signals, and costs the
 * fast path nothing.
 *
 * The set is worked out on the slow path only (shim_signals_refresh): after a change it is SHIM_SIGNALS_OPEN_UNKNOWN,
 * which no remembered place has. A new handler is made known to all threads by the locks' generations.
 *
 * Memory: static. Threads: any, also in handlers; lock-free. Failure: a full table of sets gives the empty one,
 * and is counted. */
#ifndef SHIM_SIGNALS_H
#define SHIM_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

#include "shim.h"

enum {
	SHIM_SIGNALS_HANDLER = 0x7f,
	SHIM_SIGNALS_OPEN_SHIFT = 7,
	SHIM_SIGNALS_OPEN_UNKNOWN = 0x1ff
};

/* One run of a handler: lies on its stack, below the handler's frames. */
struct shim_handler {
	uintptr_t seal;              /* tells a live one from what a longjmp left behind */
	struct shim_handler *outer;
	uint32_t signals;            /* of the thread, to be put back */
	bool mask_known;
	uint64_t blocked, handled;
};

/* The signals that have a handler in this process, but for those that code causes itself. */
extern _Atomic uint64_t shim_signals_handled;

void shim_signals_enter(struct shim_thread *t, struct shim_handler *handler, int signal);
/* `blocked`: what the thread blocks from here on. */
void shim_signals_leave(struct shim_thread *t, struct shim_handler *handler, uint64_t blocked);

/* The calling thread changed its mask: `how` as for sigprocmask. */
void shim_signals_masked(struct shim_thread *t, int how, uint64_t set);
/* Its mask may be another one (a longjmp has restored it, say). */
void shim_signals_mask_lost(struct shim_thread *t);

/* The calling thread is about to jump to where its stack ends at `target`. If that is outside of all handlers that it
 * runs, it has left them, and a recording that the outermost has interrupted is given up: the thread records again. */
void shim_signals_jump(struct shim_thread *t, uintptr_t target);

/* It comes from without, and its handler stays when it has come. */
bool shim_signals_may_wait(int signal);
/* The process has, or no longer has, a handler of it. once: it is taken away at the first signal. */
void shim_signals_handler_set(int signal, bool handled, bool once);

/* Bring t->signals up to date; at the start of each slow path. `here`: an address in the caller's frame. */
void shim_signals_refresh(struct shim_thread *t, const void *here);

/* The run of a handler that the caller at `slot` is inside; NULL: none. */
const struct shim_handler *shim_signals_handler(const struct shim_thread *t, uintptr_t slot);

/* Write the set to the log, unless it is there. */
void shim_signals_log(uint32_t set);
void shim_signals_forked(void);
/* The calling thread is registered in a new process. The child of a fork in a handler goes on in there with a life of
 * its own (PostgreSQL's servers do): it runs no handler. */
void shim_signals_begin(struct shim_thread *t);

static inline uint64_t shim_signals_salt(uint32_t signals)
{
	return signals * 0xd6e8feb86659fd93u;
}

#endif
