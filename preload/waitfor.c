/* waitfor.c: depth-first search over blocked threads; each is visited once.
 *
 * Source of the graph: R. C. Holt, "Some Deadlock Properties of Computer Systems" (1972), for resources of a
 * single unit a cycle is a deadlock. Readers of an rwlock are several holders of which each must let go
 * (an AND of edges), so there too one cycle is enough. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hash.h"
#include "identity.h"
#include "incident.h"
#include "note.h"
#include "options.h"
#include "process.h"
#include "region.h"
#include "thread.h"
#include "waitfor.h"

/* One thread on the path, and how far the search is among those that it waits for. */
struct level {
	uint32_t slot, sequence;
	uint32_t next; /* slot number to look at next */
	uint32_t other_thread;
	uint64_t object, key;
	uint8_t op, mode, prefers_writer, writers; /* writers: now among waiting writers */
	int32_t pid;
};

struct scratch {
	uint64_t visited[DT_BOARD_WORDS];
	struct level path[SHIM_CYCLE_MAX];
	struct dt_board_slot copy;
	struct shim_part parts[SHIM_PARTS_MAX];
	uint32_t depth;
	bool held_back; /* threads that are held back count as blocked */
};

static struct scratch *_Atomic spare;
static _Atomic bool deadlocked;

static struct scratch *take_scratch(void)
{
	struct scratch *s = atomic_exchange(&spare, NULL);

	return s ? s : shim_region_map(sizeof *s, false);
}

static void give_scratch(struct scratch *s)
{
	struct scratch *none = NULL;

	if (!atomic_compare_exchange_strong(&spare, &none, s))
		shim_region_unmap(s, sizeof *s);
}

bool shim_waitfor_deadlocked(void)
{
	return atomic_load(&deadlocked);
}

void shim_waitfor_forked(void)
{
	atomic_store(&deadlocked, false);
}

static bool same(uint64_t lock, uint64_t key, int32_t pid, const struct level *wanted)
{
	if (key || wanted->key)
		return key == wanted->key;
	return lock == wanted->object && pid == wanted->pid;
}

static bool conflict(uint8_t mode, uint8_t other)
{
	return mode == DT_MODE_EXCLUSIVE || other == DT_MODE_EXCLUSIVE;
}

/* What did not fit the slot: the thread's own held stack, which is never unmapped then, and does not change
 * while the thread is blocked (a reader checks the slot's sequence afterwards). Another process's can't be
 * read. */
static const struct shim_held *more_of(const struct dt_board_slot *slot)
{
	return slot->pid == getpid() ? (const struct shim_held *)(uintptr_t)slot->held_address : NULL;
}

static bool holds_more(const struct dt_board_slot *copy, const struct level *wanted)
{
	const struct shim_held *held = more_of(copy);

	if (!held || copy->pid != wanted->pid)
		return false;
	for (uint32_t i = 0; i < copy->more_count; i++) {
		uint8_t mode = held[i].how & SHIM_HOW_SHARED ? DT_MODE_SHARED : DT_MODE_EXCLUSIVE;
		if ((held[i].how & SHIM_HOW_HELD) && (uintptr_t)held[i].lock == wanted->object &&
		    conflict(mode, wanted->mode) && !shim_released_elsewhere(held[i].lock))
			return true;
	}
	return false;
}

static bool holds(const struct dt_board_slot *copy, const struct level *wanted)
{
	for (uint32_t i = 0; i < copy->held_count && i < DT_BOARD_HELD; i++) {
		const struct dt_board_held *h = &copy->held[i];
		if (same(h->lock, h->key, copy->pid, wanted) && conflict(h->mode, wanted->mode) &&
		    !(copy->pid == wanted->pid && shim_released_elsewhere((void *)(uintptr_t)h->lock)))
			return true;
	}
	return copy->more_count && holds_more(copy, wanted);
}

/* A writer that waits for the rwlock which a reader wants, and is let in first. */
static bool waits_to_write(const struct dt_board_slot *copy, const struct level *wanted)
{
	return copy->op == DT_OP_ACQUIRE && copy->mode == DT_MODE_EXCLUSIVE &&
	       copy->wait == DT_WAIT_FOREVER && same(copy->object, copy->key, copy->pid, wanted);
}

static bool is_edge(const struct scratch *s)
{
	const struct dt_board_slot *copy = &s->copy;

	return (copy->state == DT_BOARD_BLOCKED || (s->held_back && copy->state == DT_BOARD_HELD_BACK)) &&
	       copy->wait == DT_WAIT_FOREVER &&
	       (copy->op == DT_OP_ACQUIRE || copy->op == DT_OP_JOIN);
}

static struct level level_of(uint32_t slot, const struct dt_board_slot *copy)
{
	return (struct level){
	    .slot = slot,
	    .sequence = copy->sequence,
	    .other_thread = copy->other_thread,
	    .object = copy->object,
	    .key = copy->key,
	    .op = copy->op,
	    .mode = copy->mode,
	    .prefers_writer = copy->flags & DT_BOARD_PREFERS_WRITER && copy->mode == DT_MODE_SHARED,
	    .pid = copy->pid,
	};
}

bool shim_waitfor_in_the_way(const struct dt_board_slot *other, const struct dt_board_slot *waiter)
{
	struct level wanted = level_of(0, waiter);

	return holds(other, &wanted) ||
	       (wanted.prefers_writer && other->thread != waiter->thread && waits_to_write(other, &wanted));
}

/* The slot of the thread that is waited for, which may be another process's. */
static const struct dt_board_slot *joined(const struct level *join)
{
	if (join->pid == getpid())
		return shim_board_of_thread(join->other_thread);
	for (uint32_t at = 0; (at = shim_board_next(shim_board->blocked, at)) < DT_BOARD_SLOTS; at++)
		if (shim_board->slots[at].pid == join->pid &&
		    shim_board->slots[at].thread == join->other_thread)
			return &shim_board->slots[at];
	return NULL;
}

/* The next blocked thread that stands in the way of the path's last one, copied; DT_BOARD_SLOTS: no more. */
static uint32_t next_in_the_way(struct scratch *s)
{
	struct level *last = &s->path[s->depth - 1];

	if (last->op == DT_OP_JOIN) {
		const struct dt_board_slot *slot = last->next ? NULL : joined(last);
		last->next = 1;
		return slot && shim_board_read(slot, &s->copy) && s->copy.thread == last->other_thread
		           ? shim_board_index(slot)
		           : DT_BOARD_SLOTS;
	}
	for (;;) {
		uint32_t at =
		    shim_board_next(last->writers ? shim_board->blocked : shim_board->holders, last->next);
		if (at == DT_BOARD_SLOTS && last->prefers_writer && !last->writers) {
			last->writers = 1;
			last->next = 0;
			continue;
		}
		if (at == DT_BOARD_SLOTS)
			return at;
		last->next = at + 1;
		if (shim_board_read(&shim_board->slots[at], &s->copy) &&
		    (last->writers ? at != last->slot && waits_to_write(&s->copy, last)
		                   : holds(&s->copy, last)))
			return at;
	}
}

/* The path from the walker back to itself, in s->path; false: there is none. */
static bool search(struct scratch *s, uint32_t start)
{
	while (s->depth) {
		uint32_t at = next_in_the_way(s);
		if (at == start)
			return true;
		if (at == DT_BOARD_SLOTS) {
			s->depth--;
			continue;
		}
		uint64_t bit = (uint64_t)1 << at % 64;
		if ((s->visited[at / 64] & bit) || !is_edge(s) || s->depth == SHIM_CYCLE_MAX)
			continue;
		s->visited[at / 64] |= bit;
		s->path[s->depth++] = level_of(at, &s->copy);
	}
	return false;
}

/* A process that was killed leaves its slots behind. */
static bool lives(int32_t pid)
{
	int saved = errno;
	bool dead = pid != getpid() && syscall(SYS_kill, pid, 0) != 0 && errno == ESRCH;
	errno = saved;
	return !dead;
}

/* Cancelled in pthread_join: its wait is over. */
static bool may_leave(const struct level *member)
{
	return member->op == DT_OP_JOIN && member->pid == getpid() &&
	       shim_thread_is_cancelled(shim_board->slots[member->slot].thread);
}

/* Every member is still as it was read: so there was a moment at which all were. */
static bool unchanged(const struct scratch *s)
{
	atomic_thread_fence(memory_order_seq_cst);
	for (uint32_t i = 0; i < s->depth; i++)
		if (__atomic_load_n(&shim_board->slots[s->path[i].slot].sequence, __ATOMIC_SEQ_CST) !=
		        s->path[i].sequence ||
		    !lives(s->path[i].pid) || may_leave(&s->path[i]))
			return false;
	return true;
}

/* pthread_join of the thread itself: glibc answers EDEADLK, and the program goes on. */
static bool is_refused_anyway(const struct scratch *s)
{
	return s->depth == 1 && s->path[0].op == DT_OP_JOIN;
}

/* With no room left for claims, one told twice is better than one not told. */
bool shim_waitfor_claim(uint64_t key)
{
	key |= 1;
	for (uint32_t i = 0; i < DT_BOARD_CLAIMS; i++) {
		uint64_t *at = &shim_board->claims[(key + i) % DT_BOARD_CLAIMS], found = 0;
		if (__atomic_compare_exchange_n(at, &found, key, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return true;
		if (found == key)
			return false;
	}
	return true;
}

/* True for the first to see this cycle, wherever it begins. */
static bool claim(const struct scratch *s)
{
	uint64_t key = 0;

	for (uint32_t i = 0; i < s->depth; i++)
		key += shim_hash64((uint64_t)s->path[i].slot << 32 | s->path[i].sequence);
	return shim_waitfor_claim(key);
}

static struct shim_part held_part(const struct dt_board_slot *slot, const struct dt_board_held *h)
{
	return (struct shim_part){.part = {.part = DT_PART_HELD,
	                                   .op = DT_OP_ACQUIRE,
	                                   .thread = slot->thread,
	                                   .lock = h->id,
	                                   .stack = h->stack,
	                                   .mode = h->mode,
	                                   .pid = slot->pid == getpid() ? 0 : slot->pid},
	                          .lock = (const void *)(uintptr_t)h->lock};
}

/* Entry `at` of all that the slot's thread holds; false: no lock that is held. */
static bool held_at(const struct dt_board_slot *slot, uint32_t at, struct shim_part *part)
{
	bool initialised;

	if (at < slot->held_count) {
		*part = held_part(slot, &slot->held[at]);
		return true;
	}
	const struct shim_held *h = more_of(slot);
	if (!h || !(h[at - slot->held_count].how & SHIM_HOW_HELD))
		return false;
	h += at - slot->held_count;
	*part = held_part(slot, &(const struct dt_board_held){
	                            .lock = (uintptr_t)h->lock,
	                            .id = shim_identity_now(h->lock, &initialised),
	                            .stack = h->context,
	                            .mode = h->how & SHIM_HOW_SHARED ? DT_MODE_SHARED : DT_MODE_EXCLUSIVE});
	return true;
}

uint32_t shim_waitfor_parts(const struct dt_board_slot *slot, uint64_t link, struct shim_part *parts,
                            uint32_t count, uint32_t max)
{
	struct shim_part part;

	if (count < max)
		parts[count++] = (struct shim_part){
		    .part = {.part = DT_PART_BLOCKED,
		             .op = slot->op,
		             .mode = slot->mode,
		             .wait = slot->wait,
		             .thread = slot->thread,
		             .lock = slot->object_id,
		             .stack = slot->stack,
		             .other_thread = slot->op == DT_OP_JOIN ? slot->other_thread : 0,
		             .other_lock = slot->mutex_id,
		             .pid = slot->pid == getpid() ? 0 : slot->pid,
		             .since_ns = slot->since_ns},
		    .lock = (const void *)(uintptr_t)slot->object};
	for (int link_first = 1; link_first >= 0; link_first--)
		for (uint32_t i = 0; i < slot->held_count + slot->more_count && count < max; i++)
			if (held_at(slot, i, &part) && ((uintptr_t)part.lock == link) == (bool)link_first)
				parts[count++] = part;
	return count;
}

/* What the member before this one waits for: shown first of all it holds. */
static uint64_t link_to(const struct scratch *s, uint32_t member, const struct dt_board_slot *slot)
{
	const struct level *before = &s->path[(member + s->depth - 1) % s->depth];

	if (!before->key)
		return before->object;
	for (uint32_t i = 0; i < slot->held_count && i < DT_BOARD_HELD; i++)
		if (slot->held[i].key == before->key)
			return slot->held[i].lock;
	return before->object;
}

static void tell(struct shim_thread *t, struct scratch *s, bool broken)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < s->depth; i++)
		if (shim_board_read(&shim_board->slots[s->path[i].slot], &s->copy))
			count = shim_waitfor_parts(&s->copy, link_to(s, i, &s->copy), s->parts, count,
			                           SHIM_PARTS_MAX);
	if (!broken)
		atomic_store(&deadlocked, true);
	shim_incident_tell(t, s->depth == 1 ? DT_INCIDENT_SELF_DEADLOCK : DT_INCIDENT_DEADLOCK,
	                   broken                     ? DT_INCIDENT_BROKEN
	                   : shim_options.lock_timeout ? DT_INCIDENT_LIMITED
	                                               : 0,
	                   s->parts, count);
}

void shim_waitfor_act(void)
{
	if (shim_options.on_deadlock == SHIM_ON_DEADLOCK_EXIT) {
		shim_process_ending((int)shim_options.exitcode);
		syscall(SYS_exit_group, (int)shim_options.exitcode);
	}
	if (shim_options.on_deadlock == SHIM_ON_DEADLOCK_ABORT) {
		signal(SIGABRT, SIG_DFL);
		abort();
	}
}

/* on_deadlock=exit: the other processes of the cycle can't go on either. */
static void end_others(const struct scratch *s)
{
	for (uint32_t i = 0; shim_options.on_deadlock == SHIM_ON_DEADLOCK_EXIT && i < s->depth; i++)
		if (s->path[i].pid != getpid())
			syscall(SYS_kill, s->path[i].pid, SIGKILL);
}

static bool report(struct shim_thread *t, struct scratch *s, bool refusable)
{
	bool refuse = refusable && shim_options.on_deadlock == SHIM_ON_DEADLOCK_BREAK;

	if (!unchanged(s) || !claim(s))
		return false;
	if (is_refused_anyway(s)) {
		tell(t, s, true);
		return true;
	}
	tell(t, s, refuse);
	end_others(s);
	shim_waitfor_act();
	return refuse;
}

static void start_search(struct scratch *s, const struct dt_board_slot *slot, bool held_back)
{
	memset(s->visited, 0, sizeof s->visited);
	s->path[0] = level_of(shim_board_index(slot), slot);
	s->depth = 1;
	s->held_back = held_back;
}

bool shim_waitfor_would_close(const struct dt_board_slot *slot)
{
	struct scratch *s = take_scratch();

	if (!s)
		return false;
	start_search(s, slot, true);
	bool would = search(s, shim_board_index(slot));
	give_scratch(s);
	return would;
}

bool shim_waitfor_is_closed(const struct dt_board_slot *slot)
{
	struct scratch *s = take_scratch();

	if (!s)
		return false;
	start_search(s, slot, false);
	bool closed = holds(slot, &s->path[0]) || search(s, shim_board_index(slot));
	give_scratch(s);
	return closed;
}

bool shim_waitfor_check(struct shim_thread *t, struct dt_board_slot *slot, bool refusable)
{
	struct scratch *s = take_scratch();
	uint32_t start = shim_board_index(slot);
	bool refuse = false;

	if (!s)
		return false;
	start_search(s, slot, false);
	/* Who waits for itself waits for nobody else, whoever may be in the way too. */
	if (holds(slot, &s->path[0]) || search(s, start))
		refuse = report(t, s, refusable);
	give_scratch(s);
	return refuse;
}

/* The holder may be running: then only what the lock itself says is known, and that is in the log. */
void shim_waitfor_tell_wait(struct shim_thread *t, const struct dt_board_slot *slot, enum dt_incident incident)
{
	struct scratch *s = take_scratch();

	if (!s)
		return;
	uint32_t count = shim_waitfor_parts(slot, 0, s->parts, 0, SHIM_PARTS_MAX);
	s->path[0] = level_of(shim_board_index(slot), slot);
	s->depth = 1;
	uint32_t at = next_in_the_way(s);
	if (at != DT_BOARD_SLOTS && at != shim_board_index(slot))
		count = shim_waitfor_parts(&s->copy, slot->object, s->parts, count, SHIM_PARTS_MAX);
	shim_incident_tell(t, incident, 0, s->parts, count);
	give_scratch(s);
}
