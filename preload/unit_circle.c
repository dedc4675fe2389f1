/* unit_circle.c: copies of all blocked threads' slots, thinned out to the set that can't go on. */
#include "hash.h"
#include "identity.h"
#include "incident.h"
#include "log.h"
#include "objects.h"
#include "region.h"
#include "stall.h"
#include "steer.h"
#include "thread.h"
#include "unit_circle.h"
#include "unwind_memory.h"
#include "waitfor.h"

enum { UNIT_CIRCLE_THREADS = 512, NOBODY = UINT32_MAX };

struct look {
	uint32_t count, reached_count;
	bool in[UNIT_CIRCLE_THREADS], is_reached[UNIT_CIRCLE_THREADS];
	uint32_t reached[UNIT_CIRCLE_THREADS]; /* in the order in which they are told */
	uint64_t link[UNIT_CIRCLE_THREADS];    /* what the one that it was reached from waits for */
	struct dt_board_slot copy[UNIT_CIRCLE_THREADS];
	struct shim_part parts[SHIM_PARTS_MAX];
};

static bool waits_for_others(const struct dt_board_slot *slot)
{
	return slot->state == DT_BOARD_BLOCKED && slot->wait == DT_WAIT_FOREVER &&
	       (slot->op == DT_OP_ACQUIRE || slot->op == DT_OP_SEM_WAIT || slot->op == DT_OP_JOIN) &&
	       !shim_thread_is_cancelled(slot->thread);
}

/* False: too many, or one is just changing. */
static bool collect(struct look *look)
{
	int32_t pid = shim_log_header()->pid;

	for (uint32_t i = 0; (i = shim_board_next(shim_board->blocked, i)) < DT_BOARD_SLOTS; i++) {
		if (shim_board->slots[i].pid != pid)
			continue;
		if (look->count == UNIT_CIRCLE_THREADS ||
		    !shim_board_read(&shim_board->slots[i], &look->copy[look->count]))
			return false;
		look->in[look->count] = waits_for_others(&look->copy[look->count]);
		look->count++;
	}
	return true;
}

static uint32_t units_held(const struct dt_board_slot *slot, uint64_t sem)
{
	const struct shim_held *more = (const void *)(uintptr_t)slot->held_address;
	uint32_t units = 0;

	for (uint32_t i = 0; i < slot->held_count && i < DT_BOARD_HELD; i++)
		if (slot->held[i].lock == sem && slot->held[i].kind == DT_LOCK_SEM)
			units += 1 + slot->held[i].units;
	for (uint32_t i = 0; i < slot->more_count; i++)
		if ((more[i].how & SHIM_HOW_HELD) && (uintptr_t)more[i].lock == sem)
			units += 1 + (more[i].how & SHIM_HOW_RELOCKS) / SHIM_HOW_RELOCK;
	return units;
}

/* Thread b of the look could end, by going on, what thread a waits for. */
static bool waits_for(const struct look *look, uint32_t a, uint32_t b)
{
	const struct dt_board_slot *waiter = &look->copy[a], *other = &look->copy[b];

	switch ((enum dt_op)waiter->op) {
	case DT_OP_JOIN:
		return other->thread == waiter->other_thread;
	case DT_OP_SEM_WAIT:
		return units_held(other, waiter->object);
	default:
		return shim_waitfor_in_the_way(other, waiter);
	}
}

/* All units are held by threads of the set, and not all by the waiter: it may have been given them to pass
 * on. */
static bool units_are_out(const struct look *look, uint32_t waiter)
{
	uint64_t object = look->copy[waiter].object;
	uint32_t all = shim_identity_own_units_of((void *)(uintptr_t)object), held = 0;

	if (!all || !shim_memory_readable((uintptr_t)object & ~(uintptr_t)7) ||
	    shim_sem_value((void *)(uintptr_t)object))
		return false;
	for (uint32_t i = 0; i < look->count; i++)
		held += look->in[i] ? units_held(&look->copy[i], object) : 0;
	return held == all && units_held(&look->copy[waiter], object) < all;
}

static bool is_stuck(const struct look *look, uint32_t waiter)
{
	if (look->copy[waiter].op == DT_OP_SEM_WAIT)
		return units_are_out(look, waiter);
	for (uint32_t i = 0; i < look->count; i++)
		if (look->in[i] && waits_for(look, waiter, i))
			return true;
	return false;
}

/* What is left are threads that only each other could help. */
static void thin_out(struct look *look)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (uint32_t i = 0; i < look->count; i++) {
			if (!look->in[i] || is_stuck(look, i))
				continue;
			look->in[i] = false;
			changed = true;
		}
	}
}

static uint32_t index_of(const struct look *look, const struct dt_board_slot *slot)
{
	for (uint32_t i = 0; i < look->count; i++)
		if (look->in[i] && look->copy[i].thread == slot->thread)
			return i;
	return NOBODY;
}

static void reach(struct look *look, uint32_t at, uint64_t link)
{
	look->is_reached[at] = true;
	look->link[at] = link;
	look->reached[look->reached_count++] = at;
}

/* Those that `start` waits for, those that they wait for, and so on. False: it is not among them, but waits
 * for a circle of others. */
static bool reach_all(struct look *look, uint32_t start)
{
	bool back = false;

	reach(look, start, 0);
	for (uint32_t next = 0; next < look->reached_count; next++) {
		uint32_t from = look->reached[next];
		for (uint32_t i = 0; i < look->count; i++) {
			if (!look->in[i] || !waits_for(look, from, i))
				continue;
			if (i == start) {
				look->link[start] = look->copy[from].object;
				back = true;
			} else if (!look->is_reached[i]) {
				reach(look, i, look->copy[from].object);
			}
		}
	}
	return back;
}

static bool have_stood(const struct look *look, uint64_t now_ns)
{
	for (uint32_t i = 0; i < look->reached_count; i++)
		if (now_ns - look->copy[look->reached[i]].since_ns < SHIM_UNIT_LOOK_NS / 2)
			return false;
	return true;
}

/* Each is as it was read, so there was a moment at which all were; and no semaphore has changed. */
static bool unchanged(const struct look *look)
{
	atomic_thread_fence(memory_order_seq_cst);
	for (uint32_t i = 0; i < look->reached_count; i++) {
		uint32_t at = look->reached[i];
		const struct dt_board_slot *copy = &look->copy[at],
		                           *slot = shim_board_of_thread(copy->thread);
		if (!slot || __atomic_load_n(&slot->sequence, __ATOMIC_SEQ_CST) != copy->sequence ||
		    (copy->op == DT_OP_SEM_WAIT && !units_are_out(look, at)))
			return false;
	}
	return true;
}

static bool is_new(const struct look *look)
{
	uint64_t key = 0;

	for (uint32_t i = 0; i < look->reached_count; i++) {
		const struct dt_board_slot *copy = &look->copy[look->reached[i]];
		key += shim_hash64((uint64_t)copy->tid << 32 | copy->sequence);
	}
	return shim_waitfor_claim(key);
}

static void tell(struct shim_thread *t, struct look *look)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < look->reached_count; i++)
		count = shim_waitfor_parts(&look->copy[look->reached[i]], look->link[look->reached[i]],
		                           look->parts, count, SHIM_PARTS_MAX);
	shim_incident_tell(t, DT_INCIDENT_DEADLOCK, DT_INCIDENT_UNITS, look->parts, count);
}

static void search(struct shim_thread *t, struct look *look, const struct dt_board_slot *slot)
{
	if (!collect(look))
		return;
	thin_out(look);
	uint32_t start = index_of(look, slot);
	if (start != NOBODY && reach_all(look, start) && have_stood(look, shim_now_ns()) && unchanged(look) &&
	    is_new(look))
		tell(t, look);
}

void shim_unit_circle_look(struct shim_thread *t, const struct dt_board_slot *slot)
{
	/* A handler may post; a circle that is certain was told, or one is being made. */
	if (shim_handlers_installed() || shim_waitfor_deadlocked() || shim_stall_told() || shim_steering)
		return;
	struct look *look = shim_region_map(sizeof *look, false);
	if (!look)
		return;
	search(t, look, slot);
	shim_region_unmap(look, sizeof *look);
}
