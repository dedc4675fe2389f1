/* waits.h: is a lock that is held during a wait needed by a thread that could end the wait?
 *
 * A wait: a node of op COND_WAIT, JOIN or BARRIER_WAIT with something held. A waker: another thread
 * that signals the condition, is joined, or arrives at the barrier.
 *
 * Memory: its own. Threads: one at a time. Failure: DT_ERR_NOMEM. */
#ifndef DT_WAITS_H
#define DT_WAITS_H

#include "tree.h"

/* How near to a deadlock a wait with a lock comes. */
enum dt_wait_worth {
	DT_WAIT_NOTHING,
	DT_WAIT_READERS,
	DT_WAIT_TRIES,
	DT_WAIT_GATE,
	DT_WAIT_ORDERED,
	DT_WAIT_WORD_GIVEN,
	DT_WAIT_OTHER_WAKER,
	DT_WAIT_UNITS_LEFT,
	DT_WAIT_APART, /* from here on a note, */
	DT_WAIT_POSTED_UNDER,
	DT_WAIT_GIVES_UP,
	DT_WAIT_CLASS,
	DT_WAIT_POLICY, /* and from here on a finding */
	DT_WAIT_ALL,
};

/* A wait with one lock held, and the thread that shows best that this may be a deadlock. */
struct dt_wait_case {
	uint32_t wait_node, hold_node, waiter;
	uint32_t other, need_node; /* who needs the lock, and where */
	uint32_t wake_node;        /* its signal or arrival; DT_NONE: it is joined */
	uint32_t reason_lock;
	enum dt_wait_worth worth;
};

/* A thread that could end the wait at hand. */
struct dt_waker {
	uint32_t thread;
	uint32_t node; /* a signal or arrival of it; its first unordered one if there is one */
	uint32_t seen_at; /* when it did so: a record number */
	bool ordered;  /* all of them are kept apart from the wait */
	bool needs;    /* it takes the lock at hand, and not only by trying */
};

struct dt_waits {
	struct dt_facts *facts;
	struct dt_tree *tree;
	struct dt_alloc *alloc;
	DT_VEC(struct dt_list) acts;    /* by vertex: what was done to it, */
	DT_VEC(uint32_t) next_act;      /* by node: the next of that */
	DT_VEC(uint32_t) waits;         /* nodes */
	DT_VEC(uint32_t) signals;       /* nodes, with something held */
	DT_VEC(struct dt_waker) wakers; /* of the wait at hand */
	DT_VEC(struct dt_held) held;    /* during it */
	DT_VEC(uint32_t) holders;       /* threads that wait with a unit of the semaphore at hand */
	struct dt_idmap waker_of;       /* thread to its index in `slots`, + 1 */
	DT_VEC(uint32_t) slots;         /* its index in wakers, + 1, if it is one now */
	uint64_t steps, max_steps;
};

void dt_waits_init(struct dt_waits *waits, struct dt_facts *facts, struct dt_tree *tree, uint64_t max_steps);
void dt_waits_fini(struct dt_waits *waits);

/* Of enum dt_op: a wait for another thread; what can end one. */
bool dt_waits_is_wait(uint32_t op);
bool dt_waits_is_signal(uint32_t op);

/* Take in the tree's nodes that were added since. */
enum dt_err dt_waits_update(struct dt_waits *waits);

/* Judge the wait `node`, as seen in `segment`: one answer for each lock held whose need was seen.
 * Nothing more is answered when the steps have run out. */
typedef enum dt_err dt_wait_answer(void *context, const struct dt_wait_case *found);
enum dt_err dt_waits_judge(struct dt_waits *waits, uint32_t node, uint32_t segment, dt_wait_answer *answer,
                           void *context);

#endif
