/* model.h: the resolved report: what the emitters get. Pure data, all strings, no ids of the
 * engine's tables but those that link a finding's own parts to each other.
 *
 * Strings come from the program under test: any bytes, so an emitter escapes them as its format
 * asks. Memory: the report's arena; valid until report_free. */
#ifndef TOOLS_MODEL_H
#define TOOLS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <detect/finding.h>

struct report_frame {
	const char *function; /* NULL: no symbol */
	const char *file;     /* NULL: no line information */
	unsigned line, column;
	const char *module; /* path of the object file; NULL: none is known */
	uint64_t offset;    /* link-time address in the module, or the bare address without one */
	bool inlined;       /* has no frame of its own: inlined into the one that follows */
	bool inferred;      /* from a cache, not seen at this acquisition */
};

struct report_stack {
	struct report_frame *frames; /* innermost first */
	size_t count;
	bool truncated; /* there were more */
};

struct report_lock {
	uint32_t id;            /* the log's */
	const char *name;       /* unique within its finding */
	const char *class_name; /* stable across runs: no index, no line */
	const char *kind;       /* "mutex", "rwlock", … */
	const char *kind_words; /* the same in a sentence: "condition variable" */
	const char *origin;     /* "allocated at cache.c:88 in cache_new"; NULL when there is none */
};

struct report_thread {
	uint32_t id;       /* unique in its finding */
	uint32_t number;   /* in its process's log: what a person calls it by */
	int32_t pid;       /* of another process than the finding's; 0: its own */
	int32_t tid;       /* the kernel's; 0: not known */
	const char *name;  /* NULL: never named */
	const char *start; /* start function; NULL: not seen (main, foreign thread) */
	uint32_t parent;   /* 0: not seen */
	struct report_stack created;
};

/* What a race is about. */
struct report_memory {
	uint64_t address, bytes;
	const char *name;            /* "total", "cache.hits", "a variable of main" */
	bool has_name;               /* from the program, not made up here: it is the same in other runs */
	const char *place;           /* "global", "heap", "stack", "thread-local", "unknown" */
	const char *origin;          /* "global, counter.c:7"; NULL: nothing is known */
	uint64_t block, block_bytes; /* heap */
	uint32_t thread;             /* heap: who allocated it; 0: not known */
	struct report_stack allocated;
};

struct report_event {
	enum dt_event_kind kind;
	uint32_t thread;           /* struct report_thread.id */
	uint32_t lock;             /* struct report_lock.id; 0: none */
	uint32_t other_thread;     /* the thread that is joined; 0: none */
	uint32_t other_lock;       /* condition waits: the mutex, where it matters; 0: none */
	int32_t pid;               /* whose ids these are; 0: the finding's process's */
	const char *run;           /* merged facts: the run that it is from; NULL: the finding's process's */
	uint64_t since_ns;         /* when it began; 0: not known */
	const char *handler;       /* "SIGALRM": in its handler; NULL: in none, or of no matter */
	const char *interruptible; /* that signal's handler could interrupt it; NULL: of no matter */
	enum dt_op op;
	enum dt_mode mode;
	enum dt_wait wait;
	uint64_t address, bytes; /* of an access */
	bool forgotten;          /* an access of which the place is known at most, and not what was held */
	const uint32_t *holding; /* ids, outermost first */
	size_t holding_count;
	struct report_stack stack;
};

struct report_process {
	int32_t pid, ppid;
	uint64_t start_ns;
	const char *program;     /* what it is called: the last part of its executable's path */
	const char *const *argv; /* argc strings */
	size_t argc;
	bool exited, signalled, execed, live;
	int exit_status, signal; /* valid with exited, signalled */
	uint32_t threads, locks, acquisitions;
};

/* Rows by thread; ids as in the finding. */
struct report_matrices {
	size_t resource_count, thread_count, stuck_count;
	const uint32_t *resources, *available, *threads, *allocation, *claim, *stuck;
	const uint32_t *sections; /* by thread: how often a section was seen to begin as its did, about */
};

struct report_finding {
	const struct dt_rule *rule;
	enum dt_level level;
	enum dt_tier tier;
	enum dt_reason reason;
	bool filtered;           /* a candidate that is no finding, and why is in `reason` */
	const char *reason_lock; /* name, or NULL */
	bool known;              /* in the baseline */
	bool suppressed;
	bool happened;                   /* the shim saw it happen */
	bool broken;                     /* deadlock: the closing call was refused */
	bool limited;                    /* deadlock, self-deadlock: --lock-timeout ends a wait of it */
	bool cut;                        /* happened: there was more than is told here */
	uint64_t time_ns;                /* when it happened; 0: not known */
	struct report_matrices matrices; /* unsafe states; else no threads */
	size_t process;                  /* index: where it was seen first */
	uint64_t count;
	size_t run_count; /* merged facts: runs that show all of it; 0: none alone does, or there was one */
	const char *fingerprint;
	uint32_t bug;        /* as in dt_finding, until the process's findings are all there */
	const char *related; /* fingerprint of a finding that tells of the same bug; NULL: of none */
	const struct report_memory *memory; /* races; NULL: none */
	const char *message;                /* one sentence */
	const char *advice;                 /* what to change */
	struct report_lock *locks; /* first the cycle's, in its order, then the others that are held */
	size_t lock_count, cycle_lock_count;
	struct report_thread *threads;
	size_t thread_count;
	struct report_event *events;
	size_t event_count;
};

/* A lock of merged facts is that of all runs. */
#define NO_PROCESS SIZE_MAX

/* The lock-order graph of all processes, each with its own locks; or of merged facts. */
struct report_graph_lock {
	struct report_lock lock; /* its name is unique in its process */
	size_t process;          /* index, or NO_PROCESS */
	uint32_t component;      /* equal for locks on common cycles, from 1; 0: on none */
};

struct report_graph_edge {
	size_t from, to;       /* indices of locks: `to` was wanted while `from` was held */
	size_t finding;        /* index + 1 of a finding that shows it; 0: none does */
	uint32_t acquisitions; /* distinct ones that make it */
	const char *thread;    /* "thread 2 (teller_out)", of the stacks; NULL: not known */
	bool many_threads;     /* others made it too */
	bool direct;           /* `from` was the innermost lock held; else it follows from other edges */
	bool on_cycle;
	bool blocks; /* not all of it are tries */
	struct report_stack hold, want;
};

struct report_graph {
	struct report_graph_lock *locks; /* only those with edges */
	struct report_graph_edge *edges;
	size_t lock_count, edge_count;
	bool reduced; /* of acquisitions under very many locks only the direct edges are here */
};

/* How a lock was used: acquisitions and holds are estimated from samples, waits are all counted. */
struct report_contention {
	struct report_lock lock;
	size_t process; /* index */
	uint64_t acquisitions, samples, contended;
	uint64_t wait_total_ns, wait_max_ns, hold_total_ns, hold_max_ns;
	const char *wait_site, *hold_site; /* that cost most: "bank.c:31 in transfer"; NULL: none */
};

struct report_summary {
	size_t levels[DT_LEVEL_ERROR + 1]; /* by enum dt_level: what counts */
	size_t suppressed, known;
	size_t gone; /* in the baseline, and not found any more */
};

/* What a baseline says of a finding. Strings, "" where it says nothing. */
struct report_gone {
	const char *fingerprint, *rule, *level, *message;
};

struct report {
	struct report_process *processes; /* by start time */
	size_t process_count;
	struct report_finding *findings; /* errors, warnings, notes, and last the filtered candidates */
	size_t finding_count;
	const char **notices; /* what limits the report: each one line */
	size_t notice_count;
	bool has_baseline;
	const struct report_gone *gone; /* summary.gone of them */
	const char **remarks;           /* for --verbose */
	size_t remark_count;
	struct report_summary summary;
	struct report_graph graph;            /* empty unless it is asked for, as is what follows */
	struct report_contention *contention; /* of each process, what costs most first */
	size_t contention_count;
};

/* By id; NULL when the finding has none of that id. */
const struct report_lock *model_lock(const struct report_finding *finding, uint32_t id);
const struct report_thread *model_thread(const struct report_finding *finding, uint32_t id);

/* "error", "warning", "note". */
const char *model_level_name(enum dt_level level);

/* What a process is called: the last part of its executable's path, or of its first argument. */
const char *model_program(const struct dt_process *process);

/* The last part of a path. */
const char *model_base_name(const char *path);

#endif
