/* avoid.c: Dijkstra's banker between the program and its locks. What a thread in a section of more than one
 * unit asks for is granted by detect/avoid.h's test; sections.c knows what sections need, seats.c what
 * threads have. */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "avoid.h"
#include "block.h"
#include "identity.h"
#include "incident.h"
#include "note.h"
#include "options.h"
#include "seats.h"
#include "thread.h"
#include "waitfor.h"

enum { UNIT_PENDING = UINT32_MAX - 1 };

bool shim_avoid_on;

bool shim_avoid_open(void)
{
	if (!shim_options.avoid)
		return true;
	shim_avoid_on = shim_seats_open() && shim_sections_open();
	return shim_avoid_on;
}

void shim_avoid_forked(void)
{
	struct shim_thread *t = &shim_self;
	t->avoid = t->avoid_pending = 0;
	if (shim_avoid_on)
		shim_sections_forked();
}

static uint32_t units_of(uint32_t how)
{
	return (how & SHIM_HOW_KIND) == DT_LOCK_RWLOCK && !(how & SHIM_HOW_SHARED)
	           ? (uint32_t)DT_AVOID_READERS
	           : 1;
}

static bool held(const struct shim_held *e)
{
	return e->how & SHIM_HOW_HELD;
}

/* The outermost lock that is held below `index`. */
static struct shim_held *bottom(const struct shim_thread *t, uint32_t index)
{
	for (uint32_t i = 0; i < index; i++)
		if (held(&t->held[i]))
			return &t->held[i];
	return NULL;
}

static bool passes(const struct shim_thread *t)
{
	return t->busy || t->handler || t->avoid_passes;
}

/* Nothing was known of this section, and now it takes a second unit: what it holds counts from here on. That
 * unit is not held back: what could have been avoided had to be before the first. With the seats' lock. */
static bool begin_late(struct shim_thread *t, uint32_t index)
{
	struct shim_held *first = bottom(t, index);
	uint32_t section = first ? shim_section_make(first) : 0;
	if (!section || !shim_seat_begin(t, first->lock, section))
		return false;
	for (struct shim_held *e = first; e < &t->held[index]; e++) {
		uint32_t resource = held(e) ? shim_resource_get(e->lock, e->how & SHIM_HOW_KIND) : 0;
		uint32_t units = units_of(e->how);
		bool grew;
		if ((e->how & SHIM_HOW_KIND) == DT_LOCK_SEM)
			units += (e->how & SHIM_HOW_RELOCKS) / SHIM_HOW_RELOCK;
		uint32_t need = resource ? shim_seat_claim(t, resource, units, &grew) : DT_AVOID_NEEDS;
		if (need < DT_AVOID_NEEDS) {
			shim_seat_count(t, need, units);
			e->how |= SHIM_HOW_AVOIDED;
		}
	}
	return true;
}

/* What the claims did not say: told once of a section. */
static void say_exceeded(struct shim_thread *t, const struct shim_held *wanted)
{
	uint32_t section = shim_seat_of(t)->section;
	struct shim_part parts[2];
	if (!shim_sections_given() || !section || shim_section_at(section)->said)
		return;
	shim_section_at(section)->said = true;
	int saved = errno;
	t->busy = 1;
	const struct shim_held *first = bottom(t, t->depth);
	parts[0] = shim_part_of(t, DT_PART_USE, wanted->lock, wanted->how & SHIM_HOW_KIND, wanted->context);
	parts[0].part.op = DT_OP_ACQUIRE;
	if (first)
		parts[1] =
		    shim_part_of(t, DT_PART_HELD, first->lock, first->how & SHIM_HOW_KIND, first->context);
	shim_incident_misuse(t, DT_INCIDENT_CLAIM_EXCEEDED, parts, first ? 2 : 1);
	t->busy = 0;
	errno = saved;
}

static void say_gave_up(struct shim_thread *t, const struct shim_block *block)
{
	if (!block->slot || t->busy)
		return;
	t->busy = 1;
	shim_waitfor_tell_wait(t, block->slot, DT_INCIDENT_AVOIDANCE_GAVE_UP);
	t->busy = 0;
}

static void sleep_in_queue(struct shim_seat *seat)
{
	uint64_t end_ns = shim_now_ns() + (uint64_t)shim_options.avoid_patience * 1000000u, now_ns;
	while (atomic_load(&seat->queued) && (now_ns = shim_now_ns()) < end_ns) {
		uint64_t left_ns = end_ns - now_ns;
		struct timespec left = {(time_t)(left_ns / 1000000000u), (long)(left_ns % 1000000000u)};
		syscall(SYS_futex, &seat->queued, FUTEX_WAIT_PRIVATE, 1, &left, NULL, 0);
	}
}

/* Queued: wait for the grant, but no longer than patience lasts. The wait is shown like others. */
static void await_grant(struct shim_thread *t, const struct shim_held *e, uint32_t how)
{
	struct shim_block block;
	const struct shim_wait wait = {
	    .op = DT_OP_ACQUIRE, .how = how | SHIM_HOW_TIMED, .object = e->lock, .context = e->context};
	int saved = errno;
	shim_block_begin(&block, t, &wait);
	sleep_in_queue(shim_seat_of(t));
	if (atomic_load(&shim_seat_of(t)->queued)) {
		uint64_t mask;
		shim_seats_lock(&mask);
		bool stopped = shim_seat_stop_waiting(t);
		shim_seats_unlock(&mask);
		if (stopped)
			say_gave_up(t, &block);
	}
	shim_block_end(&block);
	errno = saved;
}

/* Whether the section that begins with `e` needs more than one unit is known, and it does not. */
static bool is_single(const struct shim_held *e)
{
	bool known;
	return !shim_section_find(e, &known) && known;
}

static bool has_declared(const struct shim_thread *t)
{
	return t->shown && shim_claims_any(&t->shown->claims);
}

/* With the seats' lock. */
static void claim_declared(struct shim_thread *t)
{
	for (uint32_t i = 0; i < SHIM_CLAIMS; i++) {
		const struct shim_claim *claim = &t->shown->claims.at[i];
		const void *resource = atomic_load(&claim->resource);
		uint32_t id = resource ? shim_resource_get(resource, shim_identity_kind(resource)) : 0;
		bool grew;
		if (id)
			shim_seat_claim(t, id, atomic_load(&claim->units), &grew);
	}
}

/* The thread is in a section that counts here, from now on maybe. *late: it was before. With the seats' lock.
 */
static bool is_in_section(struct shim_thread *t, uint32_t index, const struct shim_held *e, bool *late)
{
	*late = false;
	if (!bottom(t, index)) {
		uint32_t section = has_declared(t) ? shim_section_make(e) : shim_section_load(e);
		if (!section || !shim_seat_begin(t, e->lock, section))
			return false;
		claim_declared(t);
		return true;
	}
	return shim_seat_active(t) || (*late = begin_late(t, index));
}

enum answer { UNCOUNTED, GRANTED, QUEUED };

/* `e` is an entry of the wanted lock; `got`: the thread has it already. */
static enum answer request(struct shim_thread *t, uint32_t index, const struct shim_held *e, uint32_t how, bool got)
{
	uint64_t mask;
	uint32_t need = DT_AVOID_NEEDS;
	bool grew = false, late, granted = true;
	if (!bottom(t, index) && is_single(e) && !has_declared(t))
		return UNCOUNTED;
	shim_seats_lock(&mask);
	uint32_t resource = shim_resource_get(e->lock, how & SHIM_HOW_KIND);
	if (resource && is_in_section(t, index, e, &late))
		need = shim_seat_claim(t, resource, units_of(how), &grew);
	if (need < DT_AVOID_NEEDS && got)
		shim_seat_count(t, need, units_of(how));
	else if (need < DT_AVOID_NEEDS)
		granted = shim_seat_ask(t, need, units_of(how), late);
	shim_seats_unlock(&mask);
	if (grew)
		say_exceeded(t, e);
	return need == DT_AVOID_NEEDS ? UNCOUNTED : granted ? GRANTED : QUEUED;
}

bool shim_avoid_ask(struct shim_thread *t, uint32_t index, uint32_t how)
{
	if (passes(t))
		return true;
	t->avoid_pending = 0;
	if (how & (SHIM_HOW_TRY | SHIM_HOW_TIMED))
		return true;
	enum answer answer = request(t, index, &t->held[index], how, false);
	if (answer == GRANTED)
		t->avoid_pending = index + 1;
	return answer != QUEUED;
}

void shim_avoid_await(struct shim_thread *t, uint32_t index, uint32_t how)
{
	await_grant(t, &t->held[index], how);
	t->avoid_pending = index + 1;
}

void shim_avoid_want(struct shim_thread *t, uint32_t index, uint32_t how)
{
	if (!shim_avoid_ask(t, index, how))
		shim_avoid_await(t, index, how);
}

void shim_avoid_got(struct shim_thread *t, uint32_t index)
{
	struct shim_held *e = &t->held[index];
	bool counts = t->avoid_pending == index + 1;
	if (t->busy || t->handler)
		return;
	t->avoid_pending = 0;
	if (counts)
		shim_seat_got(t);
	else if (e->how & (SHIM_HOW_TRY | SHIM_HOW_TIMED) || t->avoid_passes)
		counts = request(t, index, e, e->how, true) != UNCOUNTED;
	if (counts)
		e->how |= SHIM_HOW_AVOIDED;
}

/* The thread has less than before. */
static void gave_back(struct shim_thread *t, const void *lock)
{
	const struct shim_held *first = bottom(t, t->depth);
	uint64_t mask;
	if (!first) {
		shim_seat_end(t);
	} else if (lock == shim_seat_of(t)->first && !shim_held_find(t, lock)) {
		/* What the section began with is released before others: what is still held begins another.
		 */
		shim_seats_lock(&mask);
		shim_seat_begin_anew(t, first->lock, shim_section_load(first));
		shim_seats_unlock(&mask);
	}
	shim_seats_serve();
}

void shim_avoid_released(struct shim_thread *t, const void *lock, uint32_t how)
{
	if (!shim_seat_active(t))
		return;
	shim_seat_release(t, shim_resource_find(lock, how & SHIM_HOW_KIND), units_of(how));
	gave_back(t, lock);
}

void shim_avoid_not_got(struct shim_thread *t, uint32_t index)
{
	if (t->avoid_pending != index + 1 || t->handler)
		return;
	t->avoid_pending = 0;
	t->held[index].how = 0;
	shim_seat_not_got(t);
	gave_back(t, t->held[index].lock);
}

void shim_avoid_want_unit(struct shim_thread *t, const void *sem, uint32_t how)
{
	const struct shim_held *e = passes(t) ? NULL : shim_held_find(t, sem);
	if (!e)
		return;
	t->avoid_pending = 0;
	if (how & (SHIM_HOW_TRY | SHIM_HOW_TIMED))
		return;
	enum answer answer = request(t, t->depth, e, DT_LOCK_SEM, false);
	if (answer == QUEUED)
		await_grant(t, e, DT_LOCK_SEM);
	if (answer != UNCOUNTED)
		t->avoid_pending = UNIT_PENDING;
}

void shim_avoid_got_unit(struct shim_thread *t, const void *sem, bool got)
{
	bool pending = t->avoid_pending == UNIT_PENDING;
	const struct shim_held *e = t->busy || t->handler ? NULL : shim_held_find(t, sem);
	if (!e)
		return;
	t->avoid_pending = 0;
	if (got && pending) {
		shim_seat_got(t);
	} else if (got && e->how & SHIM_HOW_AVOIDED) {
		request(t, t->depth, e, DT_LOCK_SEM, true);
	} else if (pending) {
		shim_seat_not_got(t);
		shim_seats_serve();
	}
}

void shim_avoid_thread_ended(struct shim_thread *t)
{
	uint64_t mask;
	if (!t->avoid)
		return;
	shim_seats_lock(&mask);
	shim_seat_give_up(t);
	shim_seats_unlock(&mask);
	shim_seats_serve();
}
