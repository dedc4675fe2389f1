/* states.h: the state of allocation at hand, shared by the test of unsafe states (check_states.c) and what is
 * said of one (state_finding.c). */
#ifndef DT_STATES_H
#define DT_STATES_H

#include <detect/banker.h>

#include "checks.h"
#include "idmap.h"
#include "pairmap.h"
#include "vec.h"

enum { DT_STATE_THREADS = 64, DT_STATE_RESOURCES = 64 };

#define DT_STATE_ALL UINT32_MAX /* units: of an rwlock, for writing */

/* What may come to be wanted of a lock while an acquisition is held; of one that is held by then: together with what is. */
struct dt_state_want {
	uint32_t units;
	uint32_t by;   /* id of the acquisition that wants it; 0: known from earlier runs */
	uint32_t seen; /* of the one whose sightings tell when that was; 0: at any time */
	uint32_t next; /* another of the same: index of wants, plus one */
};

/* A state that is to be reported. */
struct dt_state_best {
	uint32_t index, stuck;
};

/* A thread of the state at hand. */
struct dt_state_member {
	uint32_t thread, acq; /* acq: what it took last and still holds; 0: it has ended */
	uint32_t first_acq;
};

struct dt_check_state {
	struct dt_facts *facts;
	struct dt_alloc *alloc;
	dt_finding_sink *sink;
	void *context;
	bool cut; /* something was too large */
	struct dt_idmap held_locks; /* those that are held in any state: 1 */
	struct dt_pairmap want_of;  /* (acquisition, lock) to the first of its wants */
	DT_VEC(struct dt_state_want) wants;
	struct dt_pairmap said; /* situations: number of its best state */
	DT_VEC(struct dt_state_best) bests;
	/* The state at hand. */
	const struct dt_state *reached;
	struct dt_state_member members[DT_STATE_THREADS];
	uint32_t member_count;
	bool in_time; /* what was only wanted before the state came about is left out */
	uint32_t resources[DT_STATE_RESOURCES], resource_count;
	uint32_t total[DT_STATE_RESOURCES];
	int64_t available[DT_STATE_RESOURCES];
	uint32_t allocation[DT_STATE_THREADS][DT_STATE_RESOURCES],
	    claim[DT_STATE_THREADS][DT_STATE_RESOURCES];
	/* What the finding points into. */
	uint32_t flat_allocation[DT_STATE_THREADS * DT_STATE_RESOURCES],
	    flat_claim[DT_STATE_THREADS * DT_STATE_RESOURCES];
	uint32_t flat_available[DT_STATE_RESOURCES], threads[DT_STATE_THREADS], stuck[DT_STATE_THREADS],
	    sections[DT_STATE_THREADS];
	uint32_t work[DT_BANKER_WORK(DT_STATE_THREADS, DT_STATE_RESOURCES)];
	DT_VEC(struct dt_event) events;
	DT_VEC(uint32_t) holding;
};

/* state_wants.c: once, before the first state. DT_ERR_NOMEM. */
enum dt_err dt_state_wants_open(struct dt_check_state *state);
/* The greatest want of a lock that a member of the state may come to have while it holds `acq`. NULL: none. */
const struct dt_state_want *dt_state_want(const struct dt_check_state *state, const struct dt_state_member *member,
                                          uint32_t acq, uint32_t lock);
/* The most units of a lock that a member held at once, or wanted, while it held `acq`, which is of that lock or lies in
 * one that is. */
uint32_t dt_state_most(const struct dt_check_state *state, const struct dt_state_member *member, uint32_t acq,
                       uint32_t lock);

/* The number of a lock among those that the state's threads hold; DT_STATE_RESOURCES: it is none of them. */
uint32_t dt_state_resource(const struct dt_check_state *state, uint32_t lock);
/* How many units a thread of the state had by an acquisition. */
uint32_t dt_state_units(const struct dt_check_state *state, uint32_t thread, uint32_t acq);
/* The state at hand as matrices, as it was before anybody gave back. */
struct dt_banker dt_state_flatten(struct dt_check_state *state);
/* Tell of the state at hand, whose members with an acquisition are stuck. */
enum dt_err dt_state_tell(struct dt_check_state *state);

#endif
