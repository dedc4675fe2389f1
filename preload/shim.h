/* shim.h: the shim's own types and the hot path.
 *
 * The shim runs inside a program that must not notice it. Its rules:
 *  - want before the call, got after it; a release is noted before the real release;
 *  - the fast path writes only to the calling thread's own memory and makes no system call;
 *  - what is new goes through note.c to the tables and the log, lock-free: a signal handler or a
 *    fork finds nothing held;
 *  - `busy` guards our recording only, never the real call: a handler that interrupts recording
 *    keeps its held stack right but records nothing;
 *  - errno and return values are the program's.
 *
 * Memory: everything comes from mmap (region.h) and is never given back before the process ends,
 * except what a finished thread leaves for the next one.
 * Threads: a struct shim_thread is written by its own thread and that thread's signal handlers. */
#ifndef SHIM_H
#define SHIM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <detect/log_format.h>

#define SHIM_LIKELY(x) __builtin_expect(!!(x), 1)
#define SHIM_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define SHIM_EXPORT __attribute__((visibility("default")))
/* On what the hot path reads: -fvisibility=hidden leaves declarations alone, and each access would first load
 * the address. */
#define SHIM_HIDDEN __attribute__((visibility("hidden")))

enum {
	SHIM_CONTEXTS = 64,        /* contexts a thread remembers, by call site and stack height */
	SHIM_VERIFY_FRAMES = 8,    /* return addresses compared with the stack at every use */
	SHIM_HELD_INLINE = 8,
	SHIM_HELD_MAX = 1 << 16,
	SHIM_TAGS = 1024,          /* to begin with; a power of two */
	SHIM_ONCES_KNOWN = 64,
	SHIM_TAG_GROWTHS = 5,      /* times four each: a million at most */
	SHIM_GENERATIONS = 4096,
	SHIM_SAMPLES = 4,          /* timed at once */
	SHIM_ALLOCATIONS = 32,     /* a thread's last allocations, to tell where a lock's block was made */
	SHIM_NO_ENTRY = UINT32_MAX
};

/* How a lock is taken: what distinguishes two acquisitions of one lock at one place. */
enum shim_how {
	SHIM_HOW_KIND = 0xf,       /* enum dt_lock_kind */
	SHIM_HOW_SHARED = 0x10,
	SHIM_HOW_TIMED = 0x20,
	SHIM_HOW_TRY = 0x40,
	SHIM_HOW_REBASED = 0x80,   /* its held set came about by an out-of-order release below it */
	SHIM_HOW_HELD = 0x100,     /* got: without it the entry is wanted, or being written */
	SHIM_HOW_RELOCK = 0x10000, /* one re-lock: recursive mutexes, repeated read locks */
	SHIM_HOW_RELOCKS = 0x3fff0000,
	SHIM_HOW_AVOIDED = 0x40000000, /* counts in avoid.c: its release comes to the slow path */
};
/* Timed: its release comes to the slow path. */
#define SHIM_HOW_SAMPLED 0x80000000u

/* One lock a thread holds or wants. The array is preceded by an entry that holds nothing, so that
 * what lies below the first needs no question. */
struct shim_held {
	void *lock;
	uint64_t signature;        /* identifies the chain of (lock, context, how) up to here */
	uint32_t context;          /* id of the interned stack */
	uint32_t acq;              /* id of the acquisition, 0: not looked up yet */
	uint32_t how;              /* enum shim_how; re-locks counted in the upper half */
	uint16_t sample;           /* sampled: which of the thread's, plus one */
	uint16_t signals;          /* the thread's, when it was wanted: signals.h */
};

struct shim_verify {
	uintptr_t slot, pc;
};

/* A context seen before by this thread: valid where its return addresses still lie on the stack.
 * `last_*` is the acquisition last made here: when it comes again there is nothing new. */
struct shim_context {
	uintptr_t slot;
	uint32_t id;
	uint16_t last_signals, zero; /* the thread's, with the salt */
	uint16_t verify_count, how;
	const void *last_lock;
	uint64_t last_parent;      /* signature of what was held */
	uint64_t last_era;         /* generation of the lock's bucket, and the thread's salt */
	uint64_t last_signature;
	uint32_t epoch;
	uint32_t folded;           /* acquisitions made here that were over the budget */
	struct shim_verify verify[SHIM_VERIFY_FRAMES];
};

/* An acquisition that is timed: stats.h. */
struct shim_sample {
	const void *lock;
	uint64_t begin_ns;
	uint32_t weight, zero;     /* 0: free */
};

struct shim_allocation {
	uintptr_t block, slot, pc;
	size_t bytes;
};

struct shim_thread {
	uint32_t depth;
	uint32_t capacity;         /* 0: not attached, or recording is off: the slow path decides */
	struct shim_held *held;
	struct shim_context *contexts;
	uintptr_t stack_top;       /* just past the stack's highest word, 0: not known */
	uint64_t salt;             /* changes with the segment and the signals, so that sightings are looked at again */
	uint32_t *tags;            /* what this thread has already recorded in this segment: seen.h */
	uint32_t tag_mask;
	uint32_t tag_misses;
	struct shim_matrix *matrix;
	uint32_t busy;
	uint32_t sample;           /* acquisitions to the next one that is timed */
	uint32_t id;               /* in the log */
	uint32_t segment;
	uint32_t process;          /* which process, counted by forks, it is registered in */
	uint32_t state;            /* enum shim_thread_state */
	uint32_t last_allocation;
	uint32_t has_stack_locks;
	int32_t tid;
	int32_t owner;             /* what glibc writes into a mutex that this thread locks; 0: not known */
	struct shim_allocation *allocations;  /* ring of the last few */
	struct shim_thread_block *block;
	struct shim_shown *shown;  /* what others may read */
	uint32_t distance, samples, random;
	struct shim_sample sampled[SHIM_SAMPLES];
	struct shim_once_call *once;
	struct dt_board_slot *board;   /* NULL: none */
	uint16_t signals;          /* the handler that runs, the handlers that may interrupt: signals.h */
	bool mask_known;
	uint64_t blocked;          /* signals, while mask_known */
	uint64_t handled;          /* shim_signals_handled as it was when `signals` was worked out */
	struct shim_handler *handler;  /* the innermost that runs */
	uint32_t cell, looks;      /* states.c: its cell, plus one; 0: none */
	uint32_t avoid;            /* avoid.c: its seat, plus one; 0: none */
	uint32_t avoid_pending;    /* entry that was granted and is not got yet, plus one; 0: none */
	uint32_t avoid_sample;     /* what `sample` would be */
	bool avoid_passes;         /* what is wanted now is not held back */
};

enum shim_thread_state { SHIM_THREAD_NEW, SHIM_THREAD_ATTACHING, SHIM_THREAD_READY, SHIM_THREAD_GONE };

extern __thread struct shim_thread shim_self __attribute__((tls_model("initial-exec")));

/* A bucket's number changes when the life of a lock in it ends: signatures of the old object no
 * longer match. Read-mostly. */
extern SHIM_HIDDEN _Atomic uint32_t shim_generation[SHIM_GENERATIONS];
/* Changes when code is unmapped: contexts of the old code no longer match. */
extern SHIM_HIDDEN _Atomic uint32_t shim_code_epoch;

static inline uint32_t shim_generation_bucket(const void *lock)
{
	uintptr_t a = (uintptr_t)lock;
	return (uint32_t)((a >> 3) ^ (a >> 15)) & (SHIM_GENERATIONS - 1);
}

static inline uint32_t shim_generation_of(const void *lock)
{
	return atomic_load_explicit(&shim_generation[shim_generation_bucket(lock)], memory_order_relaxed);
}

/* Multiply-fold mixing; the constants are odd with no structure (from splitmix64 and xxhash). */
static inline uint64_t shim_mix(uint64_t parent, const void *object, uint32_t generation, uint32_t context,
                                uint32_t how)
{
	uint64_t x = (uint64_t)(uintptr_t)object * 0x9e3779b97f4a7c15u;
	uint64_t y = (((uint64_t)context << 32) | generation) * 0xc2b2ae3d27d4eb4fu;
	x ^= parent + ((uint64_t)how << 48) + y;
	x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9u;
	return (x ^ (x >> 32)) | 1;
}

/* Slow paths (attach: thread.c; context.c; note.c). */
bool shim_attach(struct shim_thread *t);
struct shim_context *shim_context_find(struct shim_thread *t, uintptr_t slot);
uint32_t shim_context_of_allocation(struct shim_thread *t, const struct shim_allocation *a);
void shim_note_op(struct shim_thread *t, enum dt_op op, void *object, uint32_t how, uintptr_t slot);
/* False: the calling thread, which is observed, does not hold it. */
bool shim_release_slow(struct shim_thread *t, void *lock);
/* The calling thread holds `lock` already: count it once more. False: it does not. */
bool shim_relock(struct shim_thread *t, void *lock);

static inline __attribute__((always_inline)) struct shim_context *shim_context_place(struct shim_thread *t,
                                                                                    uintptr_t slot)
{
	uintptr_t pc = *(const uintptr_t *)slot;
	return &t->contexts[((pc >> 1) ^ (slot >> 4) ^ (slot >> 10)) & (SHIM_CONTEXTS - 1)];
}

/* Frame by frame outwards: as long as the inner ones match, the next slot is inside this stack. */
static inline __attribute__((always_inline)) bool shim_context_lies(const struct shim_context *c)
{
	const struct shim_verify *v = c->verify, *end = v + c->verify_count;
	do {
		if (SHIM_UNLIKELY(*(const volatile uintptr_t *)v->slot != v->pc))
			return false;
	} while (++v < end);
	return true;
}

void shim_not_got(struct shim_thread *t, uint32_t index);
void shim_stats_sample(struct shim_thread *t, uint32_t index);

/* Note what came of it. */
static inline __attribute__((always_inline)) void shim_got(struct shim_thread *t, uint32_t index, uint32_t how, bool got)
{
	if (SHIM_UNLIKELY(!got || index == SHIM_NO_ENTRY)) {
		shim_not_got(t, index);
		return;
	}
	t->held[index].how = how | SHIM_HOW_HELD;
	if (SHIM_UNLIKELY(--t->sample == 0))
		shim_stats_sample(t, index);
}

/* Note a release of the lock taken last, before the real one. False: nothing noted, it is shim_release_slow's. */
static inline __attribute__((always_inline)) bool shim_release_last(struct shim_thread *t, void *lock)
{
	struct shim_held *e = &t->held[(int32_t)t->depth - 1];
	if (SHIM_UNLIKELY(!t->capacity || e->lock != lock || e->how >= SHIM_HOW_RELOCK))
		return false;
	e->how = 0;
	atomic_signal_fence(memory_order_seq_cst);
	t->depth--;
	return true;
}

/* Note a release, before the real one. False: the calling thread does not hold it. */
static inline __attribute__((always_inline)) bool shim_release(struct shim_thread *t, void *lock)
{
	return SHIM_LIKELY(shim_release_last(t, lock)) || shim_release_slow(t, lock);
}

/* Where the return address of the current function lies. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define SHIM_SLOT() ((uintptr_t)__builtin_dwarf_cfa() - sizeof(void *))
#elif defined(__x86_64__)
#define SHIM_SLOT() ((uintptr_t)__builtin_frame_address(0) + sizeof(void *))
#else
#error "the shim knows the stack layout of x86-64 only"
#endif

/* The stack of a thread that has set up another (sigaltstack, makecontext) is not its own there. */
static inline bool shim_on_own_stack(const struct shim_thread *t, uintptr_t address)
{
	return address < t->stack_top && t->stack_top - address < (uintptr_t)1 << 30;
}

#endif
