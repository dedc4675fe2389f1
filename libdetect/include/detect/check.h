/* check.h: the analyses. A check is {open, feed, finish} over facts; the table of them is
 * dt_checks. dt_analyse runs all of them over settled facts.
 *
 * The live host (the shim) feeds acquisitions as they come and gets a finding the moment it can be
 * known; the batch host (the reporter) only finishes, which looks at all the facts itself. Fed or not, what
 * was emitted at the end is the same for the same facts, but that what was emitted live can't be taken
 * back: a cycle of three locks or more, before a shorter one with the same code places was seen; a wait,
 * before another thread that may end it was. */
#ifndef DETECT_CHECK_H
#define DETECT_CHECK_H

#include <detect/finding.h>

struct dt_check_options {
	uint32_t max_cycle_length;     /* locks in a cycle; 0: 16 */
	uint64_t max_search_steps;     /* per strongly connected component; 0: 4 million */
	bool rwlock_prefer_writer;     /* treat every rwlock as preferring writers */
	bool want_filtered;            /* also emit the candidates that fell to a filter */
};

/* The sink owns nothing: copy what must outlive the call. */
typedef void dt_finding_sink(void *context, const struct dt_finding *finding);

/* What a search was stopped at: findings beyond it may be missing. */
enum dt_bound {
	DT_BOUND_CYCLES = 1,  /* steps for cycles: pairs of locks are looked at first, then the shortest cycles */
	DT_BOUND_SIGHTS = 2,  /* exemplars of lock orders that are kept */
	DT_BOUND_DEPTH = 4,   /* locks held at one acquisition */
	DT_BOUND_WAITS = 8,   /* steps for waits with a lock held */
	DT_BOUND_STATES = 16, /* resources of one state */
};

struct dt_check_state;
struct dt_check {
	const char *name;
	enum dt_err (*open)(struct dt_check_state **out, struct dt_facts *facts, struct dt_alloc *alloc,
	                    const struct dt_check_options *options, dt_finding_sink *sink, void *context);
	/* A sighting of `acq` was added to the facts, which are settled up to here. Emits at once
	 * what is now known. NULL: it waits for finish. */
	enum dt_err (*feed)(struct dt_check_state *state, uint32_t acq, uint32_t segment);
	/* Emit what feed could not, in deterministic order. */
	enum dt_err (*finish)(struct dt_check_state *state);
	void (*close)(struct dt_check_state *state);
	/* The bounds that were hit, enum dt_bound: said in the report. NULL: there is none. */
	uint32_t (*bounded)(const struct dt_check_state *state);
};
extern const struct dt_check *const dt_checks[];  /* NULL-terminated */

struct dt_analysis {
	uint32_t bounded; /* enum dt_bound */
};

/* All checks over settled facts; findings to the sink, errors first, then warnings, then notes. */
enum dt_err dt_analyse(struct dt_facts *facts, struct dt_alloc *alloc, const struct dt_check_options *options,
                       dt_finding_sink *sink, void *context, struct dt_analysis *result);

#endif
