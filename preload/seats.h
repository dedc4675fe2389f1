/* seats.h: the threads that are in sections of more than one unit, what each needs and has, and the queue of
 * those that may not have what they ask for yet. The state of avoid.c.
 *
 * A unit that was granted counts as held before the lock itself is got, so that nobody else is granted it;
 * but what the shim did not grant (a try, a section that nobody knew of) may be in the way of that: then the
 * grant is taken back, and the unit counts again when it is got.
 *
 * Memory: one region that the child of a fork finds zeroed. Threads: functions that say so need the lock; a
 * seat's thread counts out what it releases without it. */
#ifndef SHIM_SEATS_H
#define SHIM_SEATS_H

#include <stdbool.h>

#include <detect/avoid.h>

#include "sections.h"
#include "shim.h"

enum shim_grant { SHIM_GRANT_NONE, SHIM_GRANT_COUNTED, SHIM_GRANT_UNCOUNTED };

struct shim_seat {
	_Atomic uint32_t queued; /* a futex: 1 while in the queue */
	_Atomic uint32_t grant;  /* enum shim_grant: of what is granted and not yet got */
	uint32_t need, units;    /* what that is, or what is asked for */
	uint16_t before, behind; /* in the queue: thread number plus one */
	bool taken;
	uint32_t section;
	const void *first;                /* the lock that it began with */
	uint32_t members[DT_AVOID_NEEDS]; /* of a coarse resource: how many of its locks are held */
};

bool shim_seats_open(void);

/* With all signals blocked meanwhile, where the program has handlers, so that none runs, jumps away or stays while the
 * lock is held. */
void shim_seats_lock(uint64_t *mask);
void shim_seats_unlock(const uint64_t *mask);

/* The thread is in a section. */
bool shim_seat_active(const struct shim_thread *t);
struct shim_seat *shim_seat_of(const struct shim_thread *t);
struct dt_avoid_thread *shim_seat_needs(const struct shim_thread *t);

/* With the lock: */

/* The thread is in this section, which began with `first`, and has nothing yet. False: no seat is free. */
bool shim_seat_begin(struct shim_thread *t, const void *first, uint32_t section);
/* The section goes on as another one, which began with `first`; what is held stays. */
void shim_seat_begin_anew(struct shim_thread *t, const void *first, uint32_t section);
void shim_seat_give_up(struct shim_thread *t);
/* The index of the need for so many units more. *grew: that is more than was claimed, and is claimed now.
 * DT_AVOID_NEEDS: no room. */
uint32_t shim_seat_claim(struct shim_thread *t, uint32_t resource, uint32_t units, bool *grew);
/* The thread has got units, whoever granted them. */
void shim_seat_count(struct shim_thread *t, uint32_t need, uint32_t units);
/* Ask for units: false when the seat is in the queue now. `uncounted`: take them without asking. */
bool shim_seat_ask(struct shim_thread *t, uint32_t need, uint32_t units, bool uncounted);
/* No longer wait for the grant. False: it has come. */
bool shim_seat_stop_waiting(struct shim_thread *t);

/* Without it: */

/* What was granted was got, or was not. */
void shim_seat_got(struct shim_thread *t);
void shim_seat_not_got(struct shim_thread *t);
void shim_seat_release(struct shim_thread *t, uint32_t resource, uint32_t units);
/* The section is over. */
void shim_seat_end(struct shim_thread *t);
/* Something is free: grant it to those who wait. */
void shim_seats_serve(void);

#endif
