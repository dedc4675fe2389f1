/* engine.h: the race engine's own types: threads, slots, the trace.
 *
 * The algorithm is FastTrack's (Flanagan, Freund, PLDI 2009): an access is stamped with an epoch (slot,
 * count) and is ordered before another thread's when that thread's vector clock has reached the epoch.
 * A bounded number of epochs a word instead of its adaptive read clocks, as ThreadSanitizer does it.
 *
 *   thread  has a slot and counts epochs in it: one ends whenever something is published
 *   slot    a component of all clocks. A thread that ends gives it back, and the next one goes on
 *           counting where it stopped, preferably one that comes after it anyway; more threads than
 *           slots share them (what races between two that share one is not seen). A slot whose epochs
 *           are used up is out of use until nobody is in it and its cells are swept from the shadow; who
 *           finds none at all is unwatched: it goes on to learn and to publish, so that others stay in order.
 *   trace   what a thread did lately: calls, accesses, locks, epochs; the stack of an access that is
 *           found in a cell is read from there (trace.c)
 *
 * Memory: regions of the shim. Threads: hot state is its thread's; slots under a spin lock that is held for
 * a few instructions, or for a sweep. A signal that interrupts the engine (busy) waits until that is left. */
#ifndef SHIM_RACE_ENGINE_H
#define SHIM_RACE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "near.h"
#include "race.h"
#include "shadow.h"

enum {
	RACE_FRAMES_MAX = 1 << 16, /* calls deep; deeper ones are counted only */
	RACE_LOCKS_MAX = 64,       /* held at once, as far as a report needs them */
	RACE_EXACT = 1024, /* accesses that look and leave in one step, from when others were met (access.c) */
	RACE_IGNORE_READS = 1,
	RACE_IGNORE_WRITES = 2,
	RACE_IGNORE_SYNC = 4,
	RACE_UNWATCHED = 8,        /* no slot is left: its accesses leave nothing behind */
	RACE_ANY_CANCELLATION = 1, /* it may be cancelled at any instruction */
	RACE_SIGNAL_WAITS = 2
};

/* A call that has not returned: where to, and where its frame lies. */
struct race_frame {
	uintptr_t pc, stack;
};

struct race_lock {
	const void *lock;
	uint32_t context, how;
	uint32_t learned; /* what its earlier holders had published is known (predict.c) */
};

struct race_part;
struct race_worn_table;
struct race_thread;

struct race_hot {
	race_cell stamp;          /* 0: not followed. The first: near.h */
	uint32_t busy;            /* race_enter */
	uint64_t *trace;          /* next free word */
	uintptr_t traced_pc;      /* of the last access that was traced */
	struct race_frame *frame; /* next free one */
	struct race_thread *thread;
	/* Four times a stamp that was judged to come before, with nothing to say of it; race_enter forgets it. */
	__m128i ordered;
	union {
		struct {
			uint32_t exact; /* accesses that still look and leave in one step */
			uint32_t ignore;
		};
		uint64_t special; /* either */
	};
	uint32_t waiting; /* RACE_ANY_CANCELLATION, RACE_SIGNAL_WAITS (interrupt.c) */
	bool gone;
};

struct race_thread {
	struct race_clock clock;
	struct race_clock must;       /* the same without the order in which locks were taken */
	struct race_clock to_acquire; /* read by relaxed loads: known after an acquire fence */
	struct race_clock to_release; /* known before the last release fence: published by relaxed stores */
	bool has_to_acquire, has_to_release;
	bool clock_grew;      /* since the last epoch began */
	uint32_t id;          /* in the log */
	uint32_t slot, epoch; /* slot RACE_SLOTS: it has none, and its epoch is always 1 */
	uint32_t tries;       /* epochs without a slot */
	uint32_t lockset;
	uint64_t *epoch_trace; /* where the trace stood when the epoch began */
	uint32_t ignore_reads, ignore_writes, ignore_sync;
	uint32_t lock_count, unlearned; /* unlearned: how many of them are not learned */
	struct race_lock locks[RACE_LOCKS_MAX];
	uintptr_t stack_start, stack_end; /* 0: not known */
	uintptr_t pointer;                /* of the thread: thread-local variables are counted from it */
	uint32_t deeper;                  /* calls beyond frames */
	struct race_part *parts;          /* newest first */
	struct race_worn_table *worn;     /* of parts that were used again; the next thread goes on with it */
	uint32_t part_count;
	bool live;
	struct race_thread *next_all, *next_free;
	struct race_frame *frames;
	struct race_hot saved; /* of a fiber that is not running */
};

extern __thread struct race_hot race_hot RACE_NEAR(hot) __attribute__((tls_model("initial-exec")));

extern bool race_many_threads;           /* there was a second one */
extern struct race_thread *race_threads; /* all that ever were; published by release stores */

/* The calling thread is followed; if need be, from now on. */
bool race_attach(void);
/* False: no such thing in this process. */
bool race_start(void);

struct race_thread *race_thread_new(uint32_t id);
void race_thread_free(struct race_thread *t);

/* A thread or an order can't be kept: from here on an order may be missing, so no race is told any more. Said
 * in a line. */
void race_give_up(void);

/* Slots (slot.c). */
void race_slot_take(struct race_thread *t);
void race_slot_leave(struct race_thread *t);
/* The calling thread's epoch ends: everything up to here is published. */
void race_epoch_next(struct race_hot *hot);

/* The thread has learned something of others: now it is likeliest to meet them at one word (access.c). */
static inline void race_learned(struct race_thread *t)
{
	/* Another thread of its slot has published a later epoch than this one's: what it does in that would seem to be
	 * known to all who know the other. */
	if (SHIM_UNLIKELY(t->clock.epoch[t->slot] > t->epoch) && race_hot.thread == t)
		race_epoch_next(&race_hot);
	t->clock_grew = true;
	if (race_hot.thread == t && __atomic_load_n(&race_many_threads, __ATOMIC_RELAXED))
		race_hot.exact = RACE_EXACT;
}

/* Its slot has changed. */
static inline void race_watch(struct race_hot *hot)
{
	if (SHIM_UNLIKELY(hot->thread->slot == RACE_SLOTS))
		hot->ignore |= RACE_UNWATCHED;
	else
		hot->ignore &= ~(uint32_t)RACE_UNWATCHED;
}

/* Nothing was done in this epoch yet. */
static inline bool race_epoch_idle(const struct race_hot *hot)
{
	return hot->trace == hot->thread->epoch_trace;
}

/* Spin locks of the engine: those of its lists here, in the order in which they are taken; each object has
 * its own. */
enum race_list {
	RACE_LIST_REPORTS,
	RACE_LIST_SETS,
	RACE_LIST_THREADS,
	RACE_LIST_SLOTS,
	RACE_LIST_SYNCS,
	RACE_LIST_PARTS,
	RACE_LISTS
};
struct race_list_lock {
	_Alignas(RACE_LINE) uint32_t word;
};
extern struct race_list_lock race_list_locks[RACE_LISTS];

void race_spin_wait(uint32_t *lock);

static inline void race_spin_lock(uint32_t *lock)
{
	if (SHIM_UNLIKELY(__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE)))
		race_spin_wait(lock);
}

static inline void race_spin_unlock(uint32_t *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

static inline void race_list_lock(enum race_list list)
{
	race_spin_lock(&race_list_locks[list].word);
}

static inline void race_list_unlock(enum race_list list)
{
	race_spin_unlock(&race_list_locks[list].word);
}

static inline struct race_hot *race_self(void)
{
	struct race_hot *hot = &race_hot;
	return SHIM_LIKELY(hot->stamp) || race_attach() ? hot : NULL;
}

/* In the engine, the thread may hold its locks: a handler that interrupts it keeps out, and a cancellation
 * waits. */
void race_cancellation_waits(void);
void race_let_come(struct race_hot *hot);
/* In the child of a fork: what came before it came to the parent. */
void race_signal_is_parents(struct race_hot *hot);

/* A stamp that no cell has. */
static inline void race_forget_order(struct race_hot *hot)
{
	hot->ordered = race_each(~(race_cell)0);
}

static inline void race_enter(struct race_hot *hot)
{
	hot->busy = 1;
	race_forget_order(hot);
	if (SHIM_UNLIKELY(hot->waiting))
		race_cancellation_waits();
}

static inline void race_leave(struct race_hot *hot)
{
	hot->busy = 0;
	if (SHIM_UNLIKELY(hot->waiting))
		race_let_come(hot);
}

/* In the child of a fork: locks that other threads held are free. */
void race_sync_forked(void);
void race_report_forked(void);

/* An access that may be new. */
static inline __attribute__((always_inline)) void race_access_one(uintptr_t address, unsigned bytes_log,
                                                                  uint32_t kind, uintptr_t pc)
{
	race_access_stamped(race_hot.stamp, address, bytes_log, kind, pc);
}

#endif
