/* facts_tables.h: what is inside struct dt_facts, for the files that fill and search it (facts*.c).
 *
 * Tables are in order of arrival; an id map gives index + 1. What hangs on an element (paths, lists of
 * ids) lies in chunks that are freed together. Memory: of the facts. Threads: one at a time. */
#ifndef DT_FACTS_TABLES_H
#define DT_FACTS_TABLES_H

#include <detect/facts.h>

#include "idmap.h"
#include "vec.h"

enum { DT_REACHES = 64 };

/* Which segments happen before `to`, of those with an id from `low` on: a bit for each index. */
struct dt_reach {
	uint32_t to, low;
	uint64_t *bits;
	uint32_t words;
};

struct dt_order {
	struct dt_reach recent[DT_REACHES]; /* by id of `to` */
	struct dt_reach spare;              /* when there is no memory for one of those */
	uint32_t *walk;                     /* room for every segment of settled facts */
	uint32_t walk_room;
	uint32_t highest; /* the largest `to` */
};

/* A record about something that has no record yet. */
struct dt_pending {
	uint16_t type; /* enum dt_rec_type */
	uint32_t id, segment, order;
	const char *name;
};

struct dt_signal_set {
	uint32_t id;
	uint64_t signals;
};

struct dt_blob_chunk;

struct dt_facts {
	struct dt_alloc *alloc;
	struct dt_blob_chunk *blobs;
	struct dt_process process;
	uint64_t counters[DT_COUNTERS]; /* of the header */
	bool lent;                      /* records need not be copied */
	uint64_t unfinished, unknown, sightings_over;
	uint32_t order; /* number of the last record */
	DT_VEC(struct dt_module) modules;
	DT_VEC(struct dt_thread) threads;
	DT_VEC(struct dt_segment) segments;
	DT_VEC(struct dt_stack) stacks;
	DT_VEC(struct dt_lock) locks;
	DT_VEC(struct dt_acq) acqs;
	DT_VEC(struct dt_incident_fact) incidents;
	DT_VEC(struct dt_stat) stats;
	DT_VEC(struct dt_interval) intervals;
	DT_VEC(struct dt_signal_set) signal_sets;
	DT_VEC(struct dt_shared) shared;
	DT_VEC(struct dt_kin) kin;
	DT_VEC(struct dt_state) states;
	DT_VEC(struct dt_units) units;
	DT_VEC(struct dt_claim) claims;
	struct dt_idmap module_ids, thread_ids, segment_ids, stack_ids, lock_ids, acq_ids, signal_set_ids;
	DT_VEC(struct dt_race_fact) races;
	DT_VEC(uint32_t) unsettled; /* indices of acquisitions that were looked at and have no depth */
	uint32_t looked_at;         /* acquisitions from this index on have none either */
	DT_VEC(struct dt_pending) pending;
	struct dt_order before;
};

/* Memory that lives as long as the facts, 8-byte aligned; NULL when there is none. */
void *dt_facts_blob(struct dt_facts *facts, size_t bytes);

/* A record as long as the facts live: where it is when records are lent, else copied. NULL: no memory. */
const void *dt_facts_keep(struct dt_facts *facts, const void *record, size_t bytes);

/* The id of the stack with that index; 0 when its record was overwritten. */
uint32_t dt_facts_stack_id(const struct dt_facts *facts, uint32_t index);

/* Append to a list of ids in such memory. */
bool dt_facts_list_push(struct dt_facts *facts, uint32_t **list, uint32_t *count, uint32_t id);

/* Do what a record says about something that may have no record yet: `done` says whether it had. */
enum dt_err dt_facts_apply(struct dt_facts *facts, const struct dt_pending *about, bool *done);

/* What happens before `segment` has changed. */
void dt_order_changed(struct dt_order *order, uint32_t segment);
/* Make room for searches over `segments` segments. */
bool dt_order_reserve(struct dt_order *order, struct dt_alloc *alloc, uint32_t segments);
void dt_order_fini(struct dt_order *order, struct dt_alloc *alloc);

#endif
