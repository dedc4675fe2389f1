/* textlog_run.h: the state of a run that a text log tells, and the recorder that watches it.
 *
 * Threads, objects and places are numbers from 0 in order of their first mention. Memory: of the run,
 * freed by dt_run_fini; names belong to the text. Threads: one at a time. Failure: DT_ERR_NOMEM, or
 * DT_ERR_SYNTAX for what can't have happened, with run->error filled in. */
#ifndef DT_TEXTLOG_RUN_H
#define DT_TEXTLOG_RUN_H

#include <detect/log_format.h>

#include "log_write.h"
#include "pairmap.h"
#include "textlog.h"
#include "vec.h"

#define DT_NOBODY UINT32_MAX

/* How an object is taken. */
struct dt_run_how {
	enum dt_mode mode;
	enum dt_wait wait;
};

struct dt_run_held {
	uint32_t object, id; /* its id in the log then */
	uint32_t stack, acq; /* acq 0: not looked up since what lies below changed */
	struct dt_run_how how;
	uint32_t handler, open_signals; /* when it was wanted */
	bool rebased;     /* what lies below is not what it was acquired under */
	uint32_t relocks; /* how often it was taken again */
};

enum dt_run_state { DT_RUN_FREE, DT_RUN_WANTS, DT_RUN_WAITS, DT_RUN_JOINS, DT_RUN_AT_BARRIER, DT_RUN_GONE };

struct dt_run_thread {
	const char *name;
	uint32_t segment;
	uint32_t stack, line_stack; /* where it is; where it is for this line only */
	bool has_stack, has_line_stack;
	enum dt_run_state state;
	struct dt_run_held next; /* wants, waits: what it will hold */
	uint32_t joined;         /* joins: the thread */
	uint64_t blocked;        /* signals */
	DT_VEC(uint32_t) handling; /* the signals whose handlers run, the innermost last */
	DT_VEC(struct dt_run_held) held;
};

struct dt_run_object {
	const char *name;
	enum dt_lock_kind kind;
	uint16_t flags;
	uint32_t id;     /* in the log, 0: not yet, or destroyed */
	uint32_t writer; /* the thread that has it alone, or DT_NOBODY */
	uint32_t holders;
	uint32_t barrier_count;
	uint32_t units; /* semaphore; 0: a signal */
	uint32_t meeting;         /* once: the finished routine */
	DT_VEC(uint32_t) arrived; /* barrier: threads of this round */
};

struct dt_run_place {
	const char *name; /* NULL: a line of the text */
	char made[16];
};

struct dt_run_stack {
	uint64_t *pc; /* innermost first */
	uint32_t count;
	bool logged;
};

/* A node of the acquisition tree; the id is the number + 1. */
struct dt_run_acq {
	struct dt_rec_acq rec;
	uint32_t first_child, next; /* ids */
};

struct dt_run {
	struct dt_alloc *alloc;
	struct dt_log_buffer log;
	struct dt_textlog_error *error;
	uint32_t line;
	DT_VEC(struct dt_run_thread) threads;
	DT_VEC(struct dt_run_object) objects;
	DT_VEC(struct dt_run_place) places;
	DT_VEC(struct dt_run_stack) stacks; /* the id is the number + 1 */
	DT_VEC(struct dt_run_acq) acqs;
	DT_VEC(uint32_t) object_of_id; /* by id - 1 */
	struct dt_pairmap sighted;
	uint32_t first_acq, segments;
	uint64_t handled;                 /* signals with a handler */
	DT_VEC(uint64_t) signal_sets;     /* the id is the number + 1 */
};

/* The words of a line. */
enum { DT_RUN_WORDS_MAX = 160 };
struct dt_run_words {
	char *at[DT_RUN_WORDS_MAX];
	uint32_t count;
};

enum dt_err dt_run_init(struct dt_run *run, struct dt_alloc *alloc, struct dt_textlog_error *error);
void dt_run_fini(struct dt_run *run);

/* Say that the line can't be: the words up to a NULL are put together. Answers DT_ERR_SYNTAX. */
enum dt_err dt_run_refuse(struct dt_run *run, const char *word, ...);

/* Do what one line says; it has a word at least. textlog_verbs.c. */
enum dt_err dt_run_read(struct dt_run *run, struct dt_run_words *words);

/* Names: textlog_names.c. DT_NOBODY: nothing has that name. */
uint32_t dt_run_find_thread(const struct dt_run *run, const char *name);
uint32_t dt_run_find_object(const struct dt_run *run, const char *name);
enum dt_err dt_run_add_object(struct dt_run *run, const char *name, enum dt_lock_kind kind, uint32_t *object);
/* The object's id in the log, which gets its record at its first use, at `stack`. */
enum dt_err dt_run_object_id(struct dt_run *run, uint32_t object, uint32_t stack, uint32_t *id);
/* NULL: the place that is the current line. */
enum dt_err dt_run_place(struct dt_run *run, const char *name, uint64_t *pc);
const char *dt_run_place_name(const struct dt_run *run, uint64_t pc);
/* A stack of these places, its record written when it is used first. */
enum dt_err dt_run_stack(struct dt_run *run, const uint64_t *pc, uint32_t count, uint32_t *stack);
enum dt_err dt_run_use_stack(struct dt_run *run, uint32_t stack);

/* The acquisition tree: textlog_tree.c. What `thread` holds is looked up, or recorded, from the
 * bottom up; acq 0 is nothing held. */
enum dt_err dt_run_top(struct dt_run *run, uint32_t thread, uint32_t *acq);
/* `thread` does `op` to the object or thread with that id, under what it holds. */
enum dt_err dt_run_act(struct dt_run *run, uint32_t thread, enum dt_op op, uint32_t id, struct dt_run_how how,
                       uint32_t stack, uint32_t *acq);
/* The index of what it holds, the last first; DT_NOBODY. */
uint32_t dt_run_held(const struct dt_run *run, uint32_t thread, uint32_t object);
enum dt_err dt_run_push(struct dt_run *run, uint32_t thread, const struct dt_run_held *held);
void dt_run_remove(struct dt_run *run, uint32_t thread, uint32_t index);

/* Threads and what they do: textlog_run.c. A thread that acts takes up what it waited for. */
enum dt_err dt_run_add_thread(struct dt_run *run, const char *name, uint32_t *thread);
/* The thread's next segment, behind its last one and `pred`. */
enum dt_err dt_run_next_segment(struct dt_run *run, uint32_t thread, uint32_t pred);
enum dt_err dt_run_resume(struct dt_run *run, uint32_t thread);
enum dt_err dt_run_stack_of(struct dt_run *run, uint32_t thread, uint32_t *stack);
enum dt_err dt_run_want(struct dt_run *run, uint32_t thread, uint32_t object, struct dt_run_how how);
enum dt_err dt_run_got(struct dt_run *run, uint32_t thread, uint32_t object, struct dt_run_how how);
enum dt_err dt_run_release(struct dt_run *run, uint32_t thread, uint32_t object);
enum dt_err dt_run_create(struct dt_run *run, uint32_t thread, const char *name, const char *function);
enum dt_err dt_run_join(struct dt_run *run, uint32_t thread, uint32_t joined, struct dt_run_how how);
enum dt_err dt_run_wait(struct dt_run *run, uint32_t thread, uint32_t cond, uint32_t mutex,
                        struct dt_run_how how);
enum dt_err dt_run_signal(struct dt_run *run, uint32_t thread, uint32_t cond);
enum dt_err dt_run_await(struct dt_run *run, uint32_t thread, uint32_t sem, struct dt_run_how how);
enum dt_err dt_run_post(struct dt_run *run, uint32_t thread, uint32_t sem);
enum dt_err dt_run_barrier(struct dt_run *run, uint32_t thread, uint32_t barrier);
enum dt_err dt_run_once(struct dt_run *run, uint32_t thread, uint32_t once);
enum dt_err dt_run_destroy(struct dt_run *run, uint32_t thread, uint32_t object);
enum dt_err dt_run_name(struct dt_run *run, uint32_t thread, const char *name);
enum dt_err dt_run_exit(struct dt_run *run, uint32_t thread);

/* Signals: textlog_signals.c. The number that a name stands for; 0: none. */
uint32_t dt_run_signal_number(const char *name);
enum dt_err dt_run_handles(struct dt_run *run, uint32_t thread, uint32_t signal);
enum dt_err dt_run_returns(struct dt_run *run, uint32_t thread);
/* What `held`, wanted by the thread now, is to say about signals. */
enum dt_err dt_run_signals(struct dt_run *run, uint32_t thread, struct dt_run_held *held);

/* Processes: textlog_processes.c. The two declarations, and the two verbs with their words. */
enum dt_err dt_run_process(struct dt_run *run, const struct dt_run_words *words);
enum dt_err dt_run_shared(struct dt_run *run, const struct dt_run_words *words);
enum dt_err dt_run_forks(struct dt_run *run, uint32_t thread, const struct dt_run_words *words);
enum dt_err dt_run_reaps(struct dt_run *run, uint32_t thread, const struct dt_run_words *words);

#endif
