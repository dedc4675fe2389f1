/* bugs.h: the lock-order cycles met, each code's once.
 *
 * What a person would call one bug: cycles whose edges have the same places in the same order, up to
 * rotation, whatever the objects. A bug keeps the instance that got furthest towards a deadlock (the
 * first such): one filtered instance must not hide a real one. It counts the cycles of locks that got
 * equally far.
 *
 * Memory: the table's own. Threads: one at a time. Failure: DT_ERR_NOMEM. */
#ifndef DT_BUGS_H
#define DT_BUGS_H

#include "draft.h"
#include "filters.h"

struct dt_bug {
	uint32_t first_step, length; /* the instance: steps[first_step ..] */
	uint32_t first_place;        /* places[first_place ..], length of them: the identity */
	enum dt_reason reason;
	uint32_t reason_lock;
	uint32_t count;      /* 0: nothing recorded since dt_bugs_restart */
	uint64_t last_cycle; /* the last cycle counted */
	uint8_t worth;       /* how far it got; larger is nearer to a deadlock */
	bool said;           /* given to the sink */
	bool is_shadowed;    /* a note, and findings show all its places */
};

/* One edge of an instance, in the numbers of the tree. */
struct dt_step {
	uint32_t thread, node, hold_node;
};

struct dt_bugs {
	struct dt_tree *tree;
	DT_VEC(struct dt_bug) all;
	DT_VEC(struct dt_step) steps;
	DT_VEC(uint32_t) places;
	struct dt_pairmap by_hash;
	struct dt_draft draft;
};

void dt_bugs_init(struct dt_bugs *bugs, struct dt_tree *tree);
void dt_bugs_fini(struct dt_bugs *bugs);

/* Forget what was recorded, but not what was said. */
void dt_bugs_restart(struct dt_bugs *bugs);

/* Record the chooser's last choice, which got to `verdict`. `cycle` numbers the cycle of locks. */
enum dt_err dt_bugs_record(struct dt_bugs *bugs, const struct dt_chooser *chooser, enum dt_fell verdict,
                           uint32_t cycle, struct dt_bug **bug);

bool dt_bug_is_finding(const struct dt_bug *bug); /* neither filtered nor a note */
bool dt_bug_is_filtered(const struct dt_bug *bug);

/* Set is_shadowed of all that was recorded. */
enum dt_err dt_bugs_weigh(struct dt_bugs *bugs);

enum dt_err dt_bug_say(struct dt_bugs *bugs, struct dt_bug *bug, dt_finding_sink *sink, void *context);

#endif
