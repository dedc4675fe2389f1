/* finding.h: what a check found, in terms of the facts' ids. Names and lines come later (tools/). */
#ifndef DETECT_FINDING_H
#define DETECT_FINDING_H

#include <detect/facts.h>

enum dt_level { DT_LEVEL_NOTE, DT_LEVEL_WARNING, DT_LEVEL_ERROR };

/* How sure the verdict is; every finding has one. */
enum dt_tier { DT_TIER_CERTAIN, DT_TIER_POSSIBLE, DT_TIER_NOTE };

/* Why a candidate is no finding, or a lesser one. Each has a short name and a sentence in
 * dt_reason_name and dt_reason_text; `--verbose` prints them. */
enum dt_reason {
	DT_REASON_NONE,
	DT_REASON_SAME_THREAD,   /* demotes: one thread made every edge */
	DT_REASON_GATE_LOCK,     /* a common lock is held at every edge and excludes */
	DT_REASON_ORDERED,       /* create/join/barrier/once order the edges */
	DT_REASON_TRY,           /* an edge only tries */
	DT_REASON_TIMED,         /* demotes: an edge gives up after a time */
	DT_REASON_READERS,       /* readers don't exclude each other */
	DT_REASON_READER_POLICY, /* would block only if the rwlock preferred writers */
	DT_REASON_CLASS_ONLY,    /* demotes: known by lock class only, over the budget */
	DT_REASON_UNITS_LEFT,    /* a semaphore has more units than the threads that wait so were seen to hold */
	DT_REASON_OTHER_WAKER,   /* another thread signals without needing the lock */
	DT_REASON_WORD_GIVEN,    /* the other signals before it takes the lock, or under it */
	DT_REASON_APART,         /* demotes: it signals in another part of the program than where it takes the lock */
	DT_REASON_POSTED_UNDER,  /* demotes: a semaphore's units are posted under the lock only */
	DT_REASON_OWN_UNITS,     /* demotes: through a semaphore that so far only holders of its units posted */
	DT_REASON_DEADLOCKED,    /* the state became an actual deadlock, which is reported */
	DT_REASONS
};
const char *dt_reason_name(enum dt_reason reason);
const char *dt_reason_text(enum dt_reason reason);

enum dt_rule_id {
	DT_RULE_LOCK_ORDER_CYCLE,
	DT_RULE_WAIT_WHILE_HOLDING,
	DT_RULE_UNSAFE_STATE,
	DT_RULE_DEADLOCK,
	DT_RULE_SELF_DEADLOCK,
	DT_RULE_STALL,
	DT_RULE_UNLOCK_NOT_LOCKED,
	DT_RULE_UNLOCK_NOT_OWNER,
	DT_RULE_DESTROY_LOCKED,
	DT_RULE_DESTROY_WAITED,
	DT_RULE_USE_DESTROYED,
	DT_RULE_INIT_LOCKED,
	DT_RULE_EXIT_HOLDING_LOCK,
	DT_RULE_COND_MUTEX_MISMATCH,
	DT_RULE_COND_WAIT_UNLOCKED,
	DT_RULE_LOCK_IN_SIGNAL_HANDLER,
	DT_RULE_LOCK_HELD_AT_FORK,
	DT_RULE_LONG_WAIT,
	DT_RULE_DATA_RACE,
	DT_RULE_PREDICTED_RACE,
	DT_RULE_USE_AFTER_FREE_RACE,
	DT_RULE_LOCK_TIMEOUT,
	DT_RULE_CLAIM_EXCEEDED,
	DT_RULE_AVOIDANCE_GAVE_UP,
	DT_RULES
};

/* One row a rule: `detect explain`, the docs and the formats are printed from it. */
struct dt_rule {
	enum dt_rule_id id;
	const char *name;    /* "lock-order-cycle" */
	enum dt_level level; /* the usual one */
	const char *summary; /* one line */
	const char *text;    /* what it means, an example, how to mend it: plain paragraphs */
};
extern const struct dt_rule dt_rules[DT_RULES];
/* The rule that an incident breaks. */
enum dt_rule_id dt_rule_of_incident(enum dt_incident incident);
const struct dt_rule *dt_rule_find(const char *name); /* NULL: no such rule */

enum dt_event_kind {
	DT_EVENT_HOLD,     /* `lock` was acquired at `stack` and is still held at the event that follows */
	DT_EVENT_ACQUIRE,  /* wants `lock` at `stack` while holding `holding` */
	DT_EVENT_WAIT,     /* waits on `lock` (condition, barrier) or joins `other_thread` at `stack` */
	DT_EVENT_SIGNAL,   /* signals `lock` at `stack` */
	DT_EVENT_UNLOCK,   /* releases `lock` at `stack` */
	DT_EVENT_DESTROY,  /* destroys `lock` at `stack` */
	DT_EVENT_INIT,     /* initialises `lock` at `stack` */
	DT_EVENT_USE,      /* does `op` to `lock` at `stack` */
	DT_EVENT_EXIT,     /* the thread ends */
	DT_EVENT_READ,     /* reads `bytes` at `address`, at `stack` (0: not known any more) */
	DT_EVENT_WRITE,
	DT_EVENT_ATOMIC_READ,
	DT_EVENT_ATOMIC_WRITE,
	DT_EVENT_FREE,     /* gives the block around `address` back */
	DT_EVENT_KINDS
};
/* "SIGALRM", "SIGRTMIN+2". */
const char *dt_signal_name(uint32_t signal);
const char *dt_event_name(enum dt_event_kind kind); /* "hold", "acquire", "wait", "signal", ... */

struct dt_event {
	enum dt_event_kind kind;
	uint32_t thread, lock, stack;
	uint32_t other_thread;  /* joins: the thread waited for */
	uint32_t other_lock;    /* condition waits: the mutex, where it matters */
	int32_t pid;            /* whose ids these are; 0: the finding's process's */
	uint64_t since_ns;      /* when it began, by the log's clock; 0: not known */
	uint32_t handler;       /* it was in the handler of this signal; 0: in none, or of no matter */
	uint32_t interruptible; /* the handler of this signal could interrupt it; 0: of no matter */
	enum dt_op op;
	enum dt_mode mode;
	enum dt_wait wait;
	uint64_t address, bytes;   /* of an access */
	bool forgotten;            /* an access of which the place is known at most, and not what was held */
	uint32_t *holding;         /* lock ids, outermost first */
	uint32_t holding_count;
};

/* What a race is about. place is UNKNOWN for what is neither in a heap block nor on a thread's stack: a
 * global, most often, which the symbols of the module around `address` tell. */
struct dt_memory {
	uint64_t address, bytes;   /* bytes 0: the finding is about no memory */
	enum dt_lock_place place;
	uint64_t block, block_bytes;          /* heap */
	uint32_t alloc_stack, alloc_thread;
	uint32_t owner, owner_frame;          /* stack: whose, and a stack whose innermost frame has it */
	int32_t owner_offset;                 /* as in struct dt_rec_race */
	uint32_t owner_frame_bytes;
	uint32_t order;                       /* record number, for dt_facts_module_at */
};

/* A state of allocation (Dijkstra 1965; Habermann 1969). `resources` are locks; rows are by thread. */
struct dt_matrices {
	uint32_t resource_count, thread_count, stuck_count;
	const uint32_t *resources, *available;
	const uint32_t *threads, *allocation, *claim; /* allocation, claim: thread_count rows of resource_count */
	const uint32_t *stuck;                        /* threads that nothing lets end */
	const uint32_t *sections; /* by thread: how often the run saw a section begin as its did, about */
};

struct dt_finding {
	enum dt_rule_id rule;
	enum dt_level level;
	enum dt_tier tier;
	enum dt_reason reason;     /* why filtered or demoted; NONE for a plain finding */
	bool filtered;             /* true: no finding, shown by --verbose only */
	uint32_t reason_lock;      /* gate lock, rwlock: the lock the reason speaks of, or 0 */
	bool happened;             /* the shim saw it happen, and has said so: no analysis */
	bool broken;               /* deadlock: the closing call was refused, the program went on */
	bool limited;              /* deadlock, self-deadlock: --lock-timeout ends a wait of it */
	bool cut;                  /* happened: more threads or locks than there was room for in the log */
	uint64_t time_ns;          /* when it happened, by the log's clock; 0: not known */
	struct dt_matrices matrices; /* unsafe states */
	struct dt_memory memory;   /* races */
	uint32_t bug;              /* findings of a process with the same one tell of the same bug; 0: of none other */
	uint32_t count;            /* how many instances this stands for (same code places, other objects) */
	uint32_t *locks;           /* the cycle's locks in order, canonical rotation */
	uint32_t lock_count;
	struct dt_event *events; /* for a cycle: HOLD then ACQUIRE for every edge, in the cycle's order */
	uint32_t event_count;
};

#endif
