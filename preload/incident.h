/* incident.h: say and log what the shim saw happen (detect/log_format.h: struct dt_rec_incident).
 *
 * Threads: any, at once; callers have `busy` set, so that nothing is recorded meanwhile.
 * Failure: a log without room drops the record and counts it; the text is said all the same. */
#ifndef SHIM_INCIDENT_H
#define SHIM_INCIDENT_H

#include <stdbool.h>

#include <detect/log_format.h>

#include "shim.h"

enum { SHIM_PARTS_MAX = 256 };

struct shim_part {
	struct dt_incident_part part;
	const void *lock; /* the address that part.lock stands for, for the text */
};

/* What the calling thread does to a lock, at a context: for the first part of a misuse. */
struct shim_part shim_part_of(struct shim_thread *t, enum dt_part part, void *lock, enum dt_lock_kind kind,
                              uint32_t context);

/* Another process now: what was told is told anew. */
void shim_incident_forked(void);

/* A misuse: the same one at the same places is told a few times, then only counted (DT_COUNT_INCIDENTS_LOST).
 */
void shim_incident_misuse(struct shim_thread *t, enum dt_incident incident, struct shim_part *parts,
                          uint32_t count);

/* A deadlock, stall or long wait. As many parts as SHIM_PARTS_MAX: there may have been more, and that is
 * said. */
void shim_incident_tell(struct shim_thread *t, enum dt_incident incident, uint32_t flags,
                        struct shim_part *parts, uint32_t count);

#endif
