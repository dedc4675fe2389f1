/* hook_barrier.c: pthread_barrier_t as must-happen-before.
 *
 * A round's arrivals leave their segment in the round's half of the barrier's array before the real
 * wait; after it, all of them are there. The first to leave makes the meeting point; one that finds
 * it half made takes the arrivals as its predecessors itself, and so waits for nobody. Two halves
 * are enough: when a round's first thread arrives, all have left the last but one. */
#include <errno.h>
#include <pthread.h>

#include "block.h"
#include "hook.h"
#include "identity.h"
#include "log.h"
#include "misuse.h"
#include "objects.h"
#include "process.h"
#include "race/race.h"
#include "region.h"
#include "thread.h"

enum { BARRIERS = 1024, PARTICIPANTS_MAX = 4096, MAKING = UINT32_MAX };

struct barrier {
	_Atomic uintptr_t address;
	uint32_t count;            /* 0: not followed (shared with other processes, or too many) */
	uint32_t process;          /* arrivals of a parent process mean nothing in a child */
	uint32_t room;             /* participants the array is made for */
	_Atomic uint32_t arrivals;
	_Atomic uint32_t meeting[2];
	_Atomic uint32_t *segments;
};
static struct barrier barriers[BARRIERS];

static struct barrier *barrier_of(const void *address, bool add)
{
	uintptr_t wanted = (uintptr_t)address;
	for (uint32_t i = 0; i < 64; i++) {
		struct barrier *b = &barriers[((wanted >> 3) + (wanted >> 14) + i) % BARRIERS];
		uintptr_t found = atomic_load(&b->address);
		if (!found && !add)
			return NULL;
		if (!found && atomic_compare_exchange_strong(&b->address, &found, wanted))
			found = wanted;
		if (found == wanted)
			return b;
	}
	return NULL;
}

static void begin(struct shim_thread *t, const void *address, uint32_t count)
{
	struct barrier *b = barrier_of(address, true);
	if (!b) {
		shim_log_count(DT_COUNT_SEGMENTS_LOST, 1);
		return;
	}
	b->count = 0;
	if (count > b->room && count <= PARTICIPANTS_MAX) {
		b->segments = shim_region_map(2 * count * sizeof *b->segments, false);
		b->room = b->segments ? count : 0;
	}
	b->process = t->process;
	atomic_store(&b->arrivals, 0);
	if (count <= b->room)
		b->count = count;
}

static void leave(struct shim_thread *t, struct barrier *b, uint32_t round)
{
	_Atomic uint32_t *meeting = &b->meeting[round & 1], *segments = b->segments + (round & 1) * b->count;
	uint32_t id = 0;
	if (atomic_compare_exchange_strong(meeting, &id, MAKING)) {
		id = shim_segment_meeting();
		for (uint32_t i = 0; id && i < b->count; i++)
			shim_segment_order(id, 0, atomic_load(&segments[i]));
		atomic_store(meeting, id);
	}
	if (id != MAKING) {
		shim_segment_next(t, id);
		return;
	}
	shim_segment_next(t, 0);
	for (uint32_t i = 0; i < b->count; i++)
		shim_segment_order(t->segment, t->id, atomic_load(&segments[i]));
}

bool shim_barrier_is_complete(const void *address)
{
	const struct barrier *b = barrier_of(address, false);
	return !b || !b->count || atomic_load(&b->arrivals) % b->count == 0;
}

SHIM_HOOK_AHEAD(int, pthread_barrier_wait, (pthread_barrier_t *barrier));

static int wait_blocking(struct shim_thread *t, pthread_barrier_t *barrier, uintptr_t slot)
{
	int result;
	SHIM_BLOCKING(result, t,
	              (&(const struct shim_wait){.op = DT_OP_BARRIER_WAIT, .how = DT_LOCK_BARRIER, .object = barrier,
	                                         .context = shim_context_now(t, slot)}),
	              EDEADLK, SHIM_REAL(pthread_barrier_wait)(barrier));
	return result;
}

SHIM_HOOK(int, pthread_barrier_wait, (pthread_barrier_t *barrier))
{
	struct shim_thread *t = &shim_self;
	shim_note_op(t, DT_OP_BARRIER_WAIT, barrier, DT_LOCK_BARRIER, SHIM_SLOT());
	struct barrier *b = t->capacity && !t->busy && shim_process_check(t) ? barrier_of(barrier, false) : NULL;
	if (!b || !b->count || b->process != t->process) {
		shim_race_release(barrier, SHIM_RACE_JOIN, true);
		int unfollowed = wait_blocking(t, barrier, SHIM_SLOT());
		shim_race_acquire(barrier, true);
		return unfollowed;
	}
	uint32_t arrival = atomic_fetch_add(&b->arrivals, 1), round = arrival / b->count;
	if (arrival % b->count == 0)
		atomic_store(&b->meeting[round & 1], 0);
	atomic_store(&b->segments[(round & 1) * b->count + arrival % b->count], t->segment);
	/* Two rounds can be under way at a time: each has an object of its own. */
	const void *round_object = (const char *)barrier + 8 * (round & 1);
	shim_race_release(round_object, SHIM_RACE_JOIN, true);
	/* The last to arrive goes on at once. */
	bool last = arrival % b->count == b->count - 1;
	int result = last ? SHIM_REAL(pthread_barrier_wait)(barrier) : wait_blocking(t, barrier, SHIM_SLOT());
	if (result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD)
		leave(t, b, round);
	shim_race_acquire(round_object, true);
	return result;
}

SHIM_HOOK(int, pthread_barrier_init,
          (pthread_barrier_t *barrier, const pthread_barrierattr_t *attributes, unsigned count))
{
	struct shim_thread *t = &shim_self;
	int result = SHIM_REAL(pthread_barrier_init)(barrier, attributes, count);
	if (result != 0)
		return result;
	shim_identity_born(t, barrier, DT_LOCK_BARRIER, SHIM_SLOT());
	int shared = PTHREAD_PROCESS_PRIVATE;
	if (attributes)
		pthread_barrierattr_getpshared(attributes, &shared);
	begin(t, barrier, shared == PTHREAD_PROCESS_PRIVATE ? count : 0);
	return result;
}

SHIM_HOOK(int, pthread_barrier_destroy, (pthread_barrier_t *barrier))
{
	shim_misuse_destroy(&shim_self, barrier, DT_LOCK_BARRIER, SHIM_SLOT());
	int result = SHIM_REAL(pthread_barrier_destroy)(barrier);
	if (result == 0) {
		shim_misuse_destroyed(&shim_self, barrier, DT_LOCK_BARRIER, SHIM_SLOT());
		shim_identity_ended(barrier);
	}
	return result;
}
