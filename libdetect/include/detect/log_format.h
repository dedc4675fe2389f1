/* log_format.h: the fact log, as it lies in the file. Shared by the writer (preload/) and the
 * reader (libdetect/).
 *
 * A log is one sparse file a process, mapped shared by the process under test, so that what was
 * written is there after SIGKILL and can be read while the process lives.
 *
 *   offset 0                 struct dt_log_header, DT_LOG_HEADER_BYTES long
 *   DT_LOG_HEADER_BYTES      records, each 8-byte aligned, one behind the other, up to the tail
 *
 * A record starts with struct dt_rec. A writer reserves by compare-and-swap of `words` into the
 * zeroed first 8 bytes at the tail, and publishes by one release store of the whole head with its
 * type. A record of type DT_REC_RESERVED was never finished (its writer was killed): skip `words`
 * and count it. Types not known here are skipped and counted too. A zero head before the tail is
 * damage: the log can be used up to there.
 *
 * Ids are 32-bit, 0 is none, and are unique in their kind within one log. They need not be dense,
 * and a record may come before one that it refers to (two threads append at once): resolve
 * references only when the log has been read to its end.
 * Addresses are those of the process; times are CLOCK_MONOTONIC nanoseconds unless said otherwise.
 *
 * Numbers are in the byte order of the machine; the header says which. */
#ifndef DETECT_LOG_FORMAT_H
#define DETECT_LOG_FORMAT_H

#include <stdint.h>

#define DT_LOG_MAGIC "DTFACTS\n" /* 8 bytes, no terminator in the file */
#define DT_LOG_VERSION 2u
#define DT_LOG_BYTE_ORDER 0x01020304u /* reads as 0x04030201 on the other kind of machine */
#define DT_LOG_HEADER_BYTES 4096u
#define DT_LOG_SUFFIX ".dtlog" /* file name: detect-<pid>-<n>.dtlog */
#define DT_ID_MAX (1u << 24)   /* ids are no larger */

struct dt_log_header {
	char magic[8];
	uint32_t version;
	uint32_t byte_order;
	uint32_t header_bytes; /* where records start */
	uint32_t arch;         /* e_machine of ELF: 62 x86-64, 183 AArch64 */
	int32_t pid, ppid;
	uint64_t start_ns;       /* CLOCK_REALTIME when the log was opened */
	uint64_t capacity_bytes; /* size of the file; records never pass it */
	uint64_t tail_bytes;     /* offset behind the last reserved record */
	uint64_t counters[64];   /* enum dt_counter */
};

/* Kept in the header so that they survive; each is a plain count. */
enum dt_counter {
	DT_COUNT_DROPPED,        /* records that found no room (log full or disk full) */
	DT_COUNT_FOLDED,         /* acquisitions recorded by lock class: over the instance budget */
	DT_COUNT_HELD_OVERFLOW,  /* acquisitions not kept: more locks held at once than the shim keeps */
	DT_COUNT_LOCKS_LOST,     /* locks without an id: the lock table was full */
	DT_COUNT_STACKS_LOST,    /* contexts without a stack: the stack table was full */
	DT_COUNT_ACQS_LOST,      /* acquisitions not recorded: the table was full */
	DT_COUNT_SEGMENTS_LOST,  /* must-happen-before edges not kept */
	DT_COUNT_SIGHTINGS_LOST, /* sightings over the bound kept for one acquisition */
	DT_COUNT_ONLINE_STOPPED, /* 1: the shim's own analysis stopped at its budget; the report is complete
	                          */
	DT_COUNT_THREADS_LOST,
	DT_COUNT_STATS_LOST,     /* samples and waits without a place: too many locks and sites */
	DT_COUNT_SIGNALS_LOST,   /* 1: the table of sets of signals was full */
	DT_COUNT_INTERVALS_LOST, /* sampled holds and waits that DT_REC_INTERVAL was not written for */
	DT_COUNT_INCIDENTS_LOST, /* incidents not told: the same at the same places, or too many */
	DT_COUNT_SLOTS_LOST,     /* threads without a slot on the board: too many at once */
	DT_COUNT_STATES_LOST,    /* times that what threads held of counted semaphores found no room */
	DT_COUNT_SHARED_LOST,    /* locks in shared memory that DT_REC_SHARED was not written for: too many */
	DT_COUNT_SHARED_SLOTS,   /* times that a thread shared its slot of the race runtime with another */
	DT_COUNT_UNWATCHED,      /* times that a thread found none, so that its accesses were not watched */
	DT_COUNT_RACES_STOPPED,  /* 1: no data race was told any more, since an order could not be kept */
	DT_COUNT_LOCK_STATES_LOST, /* times that what threads held of locks alone found no room */
	DT_COUNTERS
};

struct dt_rec {
	uint16_t type;  /* enum dt_rec_type */
	uint16_t flags; /* by type */
	uint32_t words; /* length of the whole record in 8-byte words, this head included; >= 1 */
};

enum dt_rec_type {
	DT_REC_RESERVED = 0,
	DT_REC_PROCESS,     /* struct dt_rec_process; text: argv, each NUL-terminated, then the exe path */
	DT_REC_MODULE,      /* struct dt_rec_module; text: path, NUL; then build id bytes */
	DT_REC_MODULE_END,  /* struct dt_rec_id: module unmapped */
	DT_REC_THREAD,      /* struct dt_rec_thread */
	DT_REC_THREAD_NAME, /* struct dt_rec_id; text: the name, NUL */
	DT_REC_THREAD_END,  /* struct dt_rec_id */
	DT_REC_SEGMENT,     /* struct dt_rec_segment */
	DT_REC_STACK,       /* struct dt_rec_stack; count program counters */
	DT_REC_LOCK,        /* struct dt_rec_lock */
	DT_REC_LOCK_END,    /* struct dt_rec_id: the object's life ended */
	DT_REC_ACQ,         /* struct dt_rec_acq */
	DT_REC_SIGHTING,    /* struct dt_rec_sighting */
	DT_REC_EXIT,        /* struct dt_rec_exit: ended by exit or _exit */
	DT_REC_EXEC,        /* struct dt_rec head only: replaced itself by exec */
	DT_REC_INCIDENT,    /* struct dt_rec_incident; then `count` struct dt_incident_part */
	DT_REC_SEM_SIGNAL,  /* struct dt_rec_id: a semaphore that threads post without having waited: no lock
	                     */
	DT_REC_STAT,        /* struct dt_rec_stat: its counters go on changing in place */
	DT_REC_INTERVAL,    /* struct dt_rec_interval */
	DT_REC_SIGNAL_SET,  /* struct dt_rec_signal_set */
	DT_REC_SHARED,      /* struct dt_rec_shared */
	DT_REC_FORK,        /* struct dt_rec_kin: what `segment` ended with */
	DT_REC_REAP,        /* struct dt_rec_kin: what `segment` began with */
	DT_REC_RACE,        /* struct dt_rec_race; then `count` struct dt_race_part */
	DT_REC_UNITS,       /* struct dt_rec_units */
	DT_REC_STATE,       /* struct dt_rec_state; then `count` struct dt_state_part */
	DT_REC_TYPES
};

struct dt_rec_id {
	struct dt_rec head;
	uint32_t id, zero;
};

struct dt_rec_process {
	struct dt_rec head;
	uint32_t argc, text_bytes;
	/* char text[]; */
};

/* One loaded ELF object. The running address of link-time address v is bias + v. */
struct dt_rec_module {
	struct dt_rec head;
	uint32_t id;
	uint16_t path_bytes;     /* with the NUL */
	uint16_t build_id_bytes; /* 0: none */
	uint64_t bias;
	uint64_t start, end; /* running addresses of its mapped segments: [start, end) */
	                     /* char path[]; unsigned char build_id[]; */
};

struct dt_rec_thread {
	struct dt_rec head;
	uint32_t id; /* 1 is the thread that the log's process started or forked with */
	int32_t tid; /* kernel thread id, 0 when not known */
	uint32_t first_segment;
	uint32_t create_stack; /* the pthread_create call's stack, 0: not seen */
	uint32_t parent;       /* creating thread, 0: not seen */
	uint32_t zero;
	uint64_t start_function; /* 0: not seen (main thread, foreign thread) */
};

/* Must-happen-before. A segment is a piece of one thread's life between two such synchronisations
 * (create, join, barrier, once); thread 0 is a meeting point (a round of a barrier, a finished
 * once routine). A record says that `pred` happens before `id`; one segment can have several
 * records. pred is always the smaller id, so the graph has no circles by construction. */
struct dt_rec_segment {
	struct dt_rec head;
	uint32_t id;
	uint32_t thread;
	uint32_t pred; /* 0: none (first segment of the first thread) */
	uint32_t zero;
};

enum dt_stack_flag {
	DT_STACK_TRUNCATED = 1, /* deeper than what was kept, or unwinding stopped early */
	DT_STACK_INFERRED = 2,  /* frames from `exact` on come from a cache and were not seen then */
};

struct dt_rec_stack {
	struct dt_rec head; /* flags: enum dt_stack_flag */
	uint32_t id;
	uint16_t count;
	uint16_t exact; /* how many of the frames were really seen */
	                /* uint64_t pc[count]; return addresses, innermost first: look up pc - 1 */
};

enum dt_lock_kind {
	DT_LOCK_MUTEX = 1,
	DT_LOCK_RWLOCK,
	DT_LOCK_SPIN,
	DT_LOCK_COND,
	DT_LOCK_SEM,
	DT_LOCK_BARRIER,
	DT_LOCK_ONCE,
	DT_LOCK_KINDS
};

enum dt_lock_flag {
	DT_LOCK_RECURSIVE = 1,
	DT_LOCK_ERRORCHECK = 2,
	DT_LOCK_ADAPTIVE = 4,
	DT_LOCK_ROBUST = 8,
	DT_LOCK_PI = 16,
	DT_LOCK_PSHARED = 32,
	DT_LOCK_PREFER_WRITER = 64, /* rwlock: a waiting writer holds back new readers */
	DT_LOCK_CLASS = 128,        /* not one object: any lock made at that place (over the budget) */
};

/* The last is of memory that is no lock. */
enum dt_lock_place {
	DT_PLACE_UNKNOWN,
	DT_PLACE_GLOBAL,
	DT_PLACE_HEAP,
	DT_PLACE_STACK,
	DT_PLACE_SHARED,
	DT_PLACE_THREAD_LOCAL
};

/* One object, not one address: the same address after destroy, free or munmap is another lock. */
struct dt_rec_lock {
	struct dt_rec head; /* flags: enum dt_lock_flag */
	uint32_t id;
	uint8_t kind, place; /* enum dt_lock_kind, enum dt_lock_place */
	uint16_t units;      /* semaphore: its value at init, 65535 at most; 0: a signal, or not known */
	uint64_t address;
	uint64_t block;       /* heap: address of its allocation, when known */
	uint64_t block_bytes; /* heap: size of its allocation, when known */
	uint32_t alloc_stack; /* where its memory was allocated, 0: not known */
	uint32_t init_stack;  /* its *_init call, 0: none seen (static initialiser) */
	uint32_t first_stack; /* its first acquisition that was recorded */
	uint32_t thread;      /* place stack: whose stack */
};

/* What a thread did to the object. */
enum dt_op {
	DT_OP_ACQUIRE = 1,  /* wanted `lock` while holding the parent chain, and holds it in the children */
	DT_OP_HOLD,         /* no acquisition: a held set that came about by an out-of-order release */
	DT_OP_COND_WAIT,    /* waited on condition `lock`; the parent chain is what stayed held (without the
	                       mutex) */
	DT_OP_COND_SIGNAL,  /* signal or broadcast on `lock` while holding the parent chain */
	DT_OP_JOIN,         /* joined thread `lock` (a thread id) while holding the parent chain */
	DT_OP_BARRIER_WAIT, /* waited at barrier `lock` while holding the parent chain */
	DT_OP_SEM_WAIT,     /* waited on semaphore `lock`, a signal, while holding the parent chain */
	DT_OP_SEM_POST,     /* posted it while holding the parent chain */
	DT_OPS
};

enum dt_mode { DT_MODE_EXCLUSIVE = 0, DT_MODE_SHARED = 1 };

/* How long the call may block. */
enum dt_wait { DT_WAIT_FOREVER = 0, DT_WAIT_TIMED = 1, DT_WAIT_TRY = 2 };

/* A node of the acquisition tree: "took `lock` at `stack` while holding what `parent` and its
 * ancestors say, in that order". Written when the lock is wanted, before the call can block.
 * parent 0: held nothing. A child of depth two or more is what the lock-order edges come from. */
struct dt_rec_acq {
	struct dt_rec head;
	uint32_t id, parent;
	uint32_t lock, stack;
	uint8_t op, mode, wait; /* enum dt_op, dt_mode, dt_wait */
	uint8_t handler;        /* ACQUIRE: in the handler of this signal; 0: in none */
	uint32_t
	    open_signals; /* ACQUIRE: id of the set of signals whose handlers could interrupt here; 0: none */
};

/* A state that was reached: what several threads held at one moment. The parts of a thread follow each other:
 * its acquisitions of semaphores with more than one unit, outermost first, the one it made last, and what it
 * has declared. */
struct dt_state_part {
	uint32_t thread;
	uint32_t acq;   /* 0: it has declared that it takes at most `units` of `lock` at once */
	uint32_t units; /* that it had by it */
	uint32_t lock;  /* 0 with an acquisition */
};

struct dt_rec_state {
	struct dt_rec head;
	uint32_t count, zero;
	/* struct dt_state_part parts[count]; */
};

enum dt_units_flag {
	DT_UNITS_GIVE_UP = 1,     /* the last of them by a call that tries, or has a time limit: it does not stay stuck */
	DT_UNITS_OUTWARDS_SHIFT = 1, /* the other bits: how far out from `acq` the semaphore's acquisition lies */
	DT_UNITS_OUTWARDS_MOST = UINT16_MAX >> DT_UNITS_OUTWARDS_SHIFT
};

/* While a thread held acquisition `acq`, which it had made last, it held, or wanted, so many units at once of a
 * semaphore: that of `acq`, or of one that `acq` lies in. */
struct dt_rec_units {
	struct dt_rec head; /* flags: enum dt_units_flag */
	uint32_t acq, units;
};

/* A set of signals. Bit n - 1 stands for signal n, as in the kernel's masks. */
struct dt_rec_signal_set {
	struct dt_rec head;
	uint32_t id, zero;
	uint64_t signals;
};

enum { DT_SIGNAL_MAX = 64 };

/* Where a lock that processes share lies: equal for all who map that memory. */
struct dt_rec_shared {
	struct dt_rec head;
	uint32_t lock, zero;
	uint64_t device, inode, offset; /* of the mapped file; memory without a name has an inode too */
};

/* Must-happen-before between processes. FORK: `segment` happens before all that process `pid` does from
 * `time_ns` on. REAP: all that it did up to then happens before `segment`. */
struct dt_rec_kin {
	struct dt_rec head;
	uint32_t segment;
	int32_t pid;
	uint64_t time_ns; /* CLOCK_REALTIME, as a log's start_ns */
};

/* A thread was seen doing `acq` in `segment`. Several are kept for one acquisition. */
struct dt_rec_sighting {
	struct dt_rec head;
	uint32_t acq, segment;
};

struct dt_rec_exit {
	struct dt_rec head;
	int32_t status;
	uint32_t zero;
};

/* What the shim itself saw happen, at the moment it did. The parts' order is told with each. */
enum dt_incident {
	DT_INCIDENT_DEADLOCK =
	    1, /* for each thread of the closed cycle: BLOCKED, then HELD for what it holds */
	DT_INCIDENT_SELF_DEADLOCK,       /* BLOCKED, then HELD */
	DT_INCIDENT_STALL,               /* as DEADLOCK, for every thread of the process */
	DT_INCIDENT_UNLOCK_NOT_LOCKED,   /* UNLOCK */
	DT_INCIDENT_UNLOCK_NOT_OWNER,    /* UNLOCK, then HELD by the owner if known */
	DT_INCIDENT_DESTROY_LOCKED,      /* DESTROY, then HELD if known */
	DT_INCIDENT_DESTROY_WAITED,      /* DESTROY, then BLOCKED for who waits */
	DT_INCIDENT_USE_DESTROYED,       /* USE, then DESTROY */
	DT_INCIDENT_INIT_LOCKED,         /* INIT, then HELD if known */
	DT_INCIDENT_EXIT_HOLDING_LOCK,   /* EXIT, then HELD */
	DT_INCIDENT_COND_MUTEX_MISMATCH, /* BLOCKED for the later wait and for the earlier one; `other_lock`
	                                    is the mutex */
	DT_INCIDENT_COND_WAIT_UNLOCKED,  /* BLOCKED; `other_lock` is the mutex */
	DT_INCIDENT_LOCK_HELD_AT_FORK,   /* USE, then HELD by the parent's thread */
	DT_INCIDENT_LONG_WAIT,           /* BLOCKED, then HELD by who held it, if known */
	DT_INCIDENT_LOCK_TIMEOUT,        /* BLOCKED, then HELD by who held it, if known */
	DT_INCIDENT_CLAIM_EXCEEDED,      /* USE, then HELD: what the section began with */
	DT_INCIDENT_AVOIDANCE_GAVE_UP,   /* BLOCKED, then HELD by who held it, if known */
	DT_INCIDENTS
};

enum dt_incident_flag {
	DT_INCIDENT_BROKEN = 1, /* deadlock: the closing call was refused (on_deadlock=break) */
	DT_INCIDENT_CUT = 2,    /* there was more to tell than there was room for parts */
	DT_INCIDENT_UNITS = 4,  /* deadlock: through a semaphore that only holders of its units have posted so far */
	DT_INCIDENT_LIMITED = 8, /* deadlock, self-deadlock: lock_timeout ends a wait of it */
};

enum dt_part {
	DT_PART_BLOCKED = 1, /* waits for `lock`, or for the end of `other_thread`, since `since_ns` */
	DT_PART_HELD, /* holds `lock`, acquired at `stack`; the thread of the BLOCKED before it, unless it
	                 says */
	DT_PART_UNLOCK,
	DT_PART_DESTROY,
	DT_PART_INIT,
	DT_PART_USE,
	DT_PART_EXIT,
	DT_PARTS
};

struct dt_incident_part {
	uint8_t part;           /* enum dt_part */
	uint8_t op, mode, wait; /* enum dt_op, dt_mode, dt_wait, where they say something */
	uint32_t thread, lock, stack;
	uint32_t other_thread; /* joined: the thread that is waited for */
	uint32_t other_lock;
	int32_t pid; /* whose ids these are; 0: this process's */
	uint32_t zero;
	uint64_t since_ns; /* 0: not known */
};

struct dt_rec_incident {
	struct dt_rec head; /* flags: enum dt_incident_flag */
	uint16_t incident;  /* enum dt_incident */
	uint16_t count;     /* parts */
	uint32_t thread;    /* who saw it: 0 is nobody in particular */
	uint64_t time_ns;
	/* struct dt_incident_part parts[count]; */
};

/* How a lock was used from one site. One acquisition in some is looked at (a sample); its weight is how many
 * it stands for, so that the sums are unbiased. Waits are all counted. Written by atomic additions. */
struct dt_rec_stat {
	struct dt_rec head;
	uint32_t lock, stack;   /* stack: of the acquisition */
	uint64_t acquisitions;  /* estimated: the weights of the samples */
	uint64_t samples;       /* how many were looked at */
	uint64_t hold_total_ns; /* estimated: weight times hold */
	uint64_t hold_max_ns;   /* of the samples */
	uint64_t contended;     /* calls that had to wait */
	uint64_t wait_total_ns, wait_max_ns;
};

enum dt_interval_kind { DT_INTERVAL_HOLD = 1, DT_INTERVAL_WAIT };

/* A sampled hold, or a wait of some length: for a picture of time, not for sums. */
struct dt_rec_interval {
	struct dt_rec head; /* flags: enum dt_interval_kind */
	uint32_t thread, lock;
	uint32_t stack, zero;
	uint64_t begin_ns, end_ns;
};

/* Two accesses to the same memory that nothing orders. */
enum dt_race {
	DT_RACE_DATA = 1,       /* not ordered in this run */
	DT_RACE_PREDICTED,      /* ordered in this run, but only by who took a lock first */
	DT_RACE_USE_AFTER_FREE, /* one of the two gave the block back */
	DT_RACES
};

enum dt_race_what {
	DT_RACE_READ = 1,
	DT_RACE_WRITE,
	DT_RACE_ATOMIC_READ,
	DT_RACE_ATOMIC_WRITE,
	DT_RACE_FREE,
	DT_RACE_HELD, /* `lock`, acquired at `stack`, is held at the access that follows */
	DT_RACE_WHATS
};

/* Of an access: older than the thread's history. Of its stack there is the innermost frame at most, and what was held
 * is not known. */
enum { DT_RACE_PART_FORGOTTEN = 1 };

/* Parts: for each of the two accesses, the later one first, what was held, then the access. */
struct dt_race_part {
	uint8_t what, mode; /* enum dt_race_what, enum dt_mode */
	uint16_t flags;     /* DT_RACE_PART_FORGOTTEN */
	uint32_t thread, stack; /* stack 0: the access is older than what is kept */
	uint32_t lock;
	uint64_t address;
	uint64_t bytes;
};

struct dt_rec_race {
	struct dt_rec head;
	uint16_t race;       /* enum dt_race */
	uint16_t count;      /* parts */
	uint8_t place, zero; /* enum dt_lock_place: of the memory */
	uint16_t zero2;
	uint64_t time_ns;
	uint64_t address; /* where the two meet */
	uint64_t bytes;
	uint64_t block, block_bytes; /* heap: its allocation */
	uint32_t alloc_stack, alloc_thread;
	uint32_t owner;       /* place stack, thread-local: whose */
	uint32_t owner_frame; /* place stack: a stack whose innermost frame has the variable; 0: not known */
	/* place stack, with owner_frame: where the address lies from the frame's CFA, and how far below that the stack
	 * pointer is at the call. Thread-local: where it lies in the program's block of such variables, and `block` is
	 * an address in the program; block 0: in a library's. */
	int32_t owner_offset;
	uint32_t owner_frame_bytes;
	/* struct dt_race_part parts[count]; */
};

#endif
