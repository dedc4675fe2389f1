/* tables.c: insert-only hash tables, by linear probing with compare-and-swap.
 *
 * An acquisition's key is a 64-bit mix of its six parts and is taken as its identity: among a
 * million of them two would collide with a chance of about 1 in 40 million. */
#include <string.h>

#include "hash.h"
#include "log.h"
#include "modules.h"
#include "options.h"
#include "region.h"
#include "signals.h"
#include "tables.h"

enum {
	STACK_SLOTS = 1 << 17,
	STACK_LIMIT = STACK_SLOTS / 4 * 3,
	FRAME_POOL_WORDS = 8 << 20,
	ACQ_SLOTS = 1 << 21,
	ACQ_LIMIT = ACQ_SLOTS / 4 * 3,
	ACQ_MANY = 1 << 15,
	ACQ_ID_BITS = 21,     /* of a slot: the rest is of the key */
	ACQ_ID_MASK = (1 << ACQ_ID_BITS) - 1,
	SIGHTINGS_SEEN = 5,   /* remembered, so as not to log them again */
	SIGHTINGS_LOGGED = 64 /* of one acquisition, then they are only counted */
};

struct stack_slot {
	_Atomic uint64_t key;
	_Atomic uint32_t first; /* index in the frame pool, plus one: 0 until the frames are there */
	uint16_t count, flags;
	_Atomic uint32_t logged; /* number of the process, counted by forks, that has it in its log */
	uint32_t zero;
};

/* In the order in which they were made, so that ever new acquisitions fill one page after the other. */
struct acq {
	uint64_t key;
	_Atomic uint32_t seen[SIGHTINGS_SEEN];
	_Atomic uint32_t sightings;
};

static const size_t ACQS_BYTES = (ACQ_LIMIT + 1) * sizeof(struct acq);
_Static_assert(ACQ_LIMIT <= ACQ_ID_MASK, "an acquisition's number fits into its slot");

static struct stack_slot *stacks;
static uintptr_t *frame_pool;
/* A few bits of a key and the number of the acquisition, which has it whole: a look-up in a table of thousands of
 * pages is a miss of the caches each time, so what is probed is as small as can be. */
static _Atomic uint32_t *acq_slots;
static struct acq *acqs;
static _Atomic uint32_t stack_count, frame_count, acq_count;
static _Atomic uint32_t process_number = 1;

bool shim_tables_open(void)
{
	stacks = shim_region_map(STACK_SLOTS * sizeof *stacks, false);
	frame_pool = shim_region_map(FRAME_POOL_WORDS * sizeof *frame_pool, false);
	acq_slots = shim_region_map_growing(ACQ_SLOTS * sizeof *acq_slots, true);
	acqs = shim_region_map_growing(ACQS_BYTES, true);
	return stacks && frame_pool && acq_slots && acqs;
}

void shim_tables_forked(void)
{
	atomic_fetch_add(&process_number, 1);
	atomic_store(&acq_count, 0);
}

static uint64_t stack_key(const struct shim_frame *frames, size_t count, bool complete)
{
	uint64_t key = atomic_load_explicit(&shim_code_epoch, memory_order_relaxed) * 2u + complete;
	for (size_t i = 0; i < count; i++)
		key = shim_hash64(key + frames[i].pc + 0x9e3779b97f4a7c15u);
	return key | 1;
}

/* Whoever meets a slot without frames has them too, and need not wait for the one who took it: the first to come wins. */
static bool stack_fill(struct stack_slot *slot, const struct shim_frame *frames, size_t count, bool complete)
{
	uint32_t first = atomic_fetch_add(&frame_count, (uint32_t)count);
	if (first + count > FRAME_POOL_WORDS) {
		atomic_fetch_sub(&frame_count, (uint32_t)count);
		return false;
	}
	for (size_t i = 0; i < count; i++)
		frame_pool[first + i] = frames[i].pc;
	slot->count = (uint16_t)count;
	slot->flags = complete ? 0 : DT_STACK_TRUNCATED;
	uint32_t nobodys = 0;
	atomic_compare_exchange_strong(&slot->first, &nobodys, first + 1);
	return true;
}

uint32_t shim_stack_intern(const struct shim_frame *frames, size_t count, bool complete)
{
	uint64_t key = stack_key(frames, count, complete);
	for (uint32_t i = (uint32_t)(key >> 32), tries = 0; tries < 64; i++, tries++) {
		struct stack_slot *slot = &stacks[i & (STACK_SLOTS - 1)];
		uint64_t found = atomic_load_explicit(&slot->key, memory_order_acquire);
		if (found == 0) {
			if (atomic_load(&stack_count) >= STACK_LIMIT)
				break;
			if (atomic_compare_exchange_strong(&slot->key, &found, key)) {
				atomic_fetch_add(&stack_count, 1);
				found = key;
			}
		}
		if (found != key)
			continue;
		if (!atomic_load_explicit(&slot->first, memory_order_acquire) &&
		    !stack_fill(slot, frames, count, complete))
			break;
		return (i & (STACK_SLOTS - 1)) + 1;
	}
	shim_log_count(DT_COUNT_STACKS_LOST, 1);
	return 0;
}

size_t shim_stack_pcs(uint32_t id, const uintptr_t **pcs)
{
	if (!id || id > STACK_SLOTS)
		return 0;
	struct stack_slot *slot = &stacks[id - 1];
	uint32_t first = atomic_load_explicit(&slot->first, memory_order_acquire);
	if (!first)
		return 0;
	*pcs = &frame_pool[first - 1];
	return slot->count;
}

uintptr_t shim_stack_pc(uint32_t id)
{
	const uintptr_t *pcs;
	return shim_stack_pcs(id, &pcs) ? pcs[0] : 0;
}

void shim_stack_log(uint32_t id)
{
	const uintptr_t *pcs;
	size_t count = shim_stack_pcs(id, &pcs);
	if (!count)
		return;
	struct stack_slot *slot = &stacks[id - 1];
	uint32_t now = atomic_load_explicit(&process_number, memory_order_relaxed);
	uint32_t logged = atomic_load_explicit(&slot->logged, memory_order_relaxed);
	if (logged == now || !atomic_compare_exchange_strong(&slot->logged, &logged, now))
		return;
	for (size_t i = 0; i < count; i++)
		shim_modules_see(pcs[i]);
	struct dt_rec_stack rec = {{DT_REC_STACK, slot->flags, 0}, id, (uint16_t)count, (uint16_t)count};
	shim_log_append(&rec.head, sizeof rec, pcs, count * sizeof *pcs, NULL, 0);
}

static uint64_t acq_key(uint32_t parent, uint32_t lock, uint32_t stack, enum dt_op op, uint32_t how,
                        uint32_t signals)
{
	uint64_t key = shim_hash64(((uint64_t)parent << 32 | lock) + 0x9e3779b97f4a7c15u);
	key = shim_hash64(key ^ ((uint64_t)stack << 32 | (uint32_t)op << 16 | (how & 0xff)));
	if (signals)
		key = shim_hash64(key + signals);
	return key | 1;
}

static void acq_log(uint32_t id, uint32_t parent, uint32_t lock, uint32_t stack, enum dt_op op, uint32_t how,
                    uint32_t signals)
{
	shim_stack_log(stack);
	struct dt_rec_acq rec = {{DT_REC_ACQ, 0, 0}, id, parent, lock, stack, (uint8_t)op, 0, 0, 0, 0};
	rec.handler = signals & SHIM_SIGNALS_HANDLER;
	rec.open_signals = signals >> SHIM_SIGNALS_OPEN_SHIFT;
	shim_signals_log(rec.open_signals);
	rec.mode = how & SHIM_HOW_SHARED ? DT_MODE_SHARED : DT_MODE_EXCLUSIVE;
	rec.wait = how & SHIM_HOW_TRY ? DT_WAIT_TRY : how & SHIM_HOW_TIMED ? DT_WAIT_TIMED : DT_WAIT_FOREVER;
	SHIM_LOG(&rec);
}

/* So many that every page of the slots is in use, and further ones are likely: with huge pages a look-up misses one
 * cache the less. */
static void expect_many(void)
{
	shim_region_enlarge_pages(acq_slots, 0, ACQ_SLOTS * sizeof *acq_slots, true);
	shim_region_enlarge_pages(acqs, ACQ_MANY * sizeof *acqs, ACQS_BYTES, false);
}

/* A number of its own; 0 when there are no more. One that loses its slot to another thread stays unused. */
static uint32_t acq_make(uint64_t key)
{
	if (atomic_load_explicit(&acq_count, memory_order_relaxed) >= ACQ_LIMIT)
		return 0;
	uint32_t id = atomic_fetch_add_explicit(&acq_count, 1, memory_order_relaxed) + 1;
	if (id > ACQ_LIMIT)
		return 0;
	acqs[id].key = key;
	if (SHIM_UNLIKELY(id == ACQ_MANY))
		expect_many();
	return id;
}

uint32_t shim_acq_get(uint32_t parent, uint32_t lock, uint32_t stack, enum dt_op op, uint32_t how,
                      uint32_t signals, bool add)
{
	if (signals >> SHIM_SIGNALS_OPEN_SHIFT == SHIM_SIGNALS_OPEN_UNKNOWN)
		signals &= SHIM_SIGNALS_HANDLER;
	how &= SHIM_HOW_SHARED | SHIM_HOW_TIMED | SHIM_HOW_TRY;
	uint64_t key = acq_key(parent, lock, stack, op, how, signals);
	uint32_t id = 0;
	for (uint32_t i = (uint32_t)(key >> 32), tries = 0; tries < 256; i++, tries++) {
		_Atomic uint32_t *slot = &acq_slots[i & (ACQ_SLOTS - 1)];
		uint32_t found = atomic_load_explicit(slot, memory_order_acquire);
		if (found == 0) {
			if (!add || !(id = id ? id : acq_make(key)))
				break;
			if (atomic_compare_exchange_strong(slot, &found, (uint32_t)key << ACQ_ID_BITS | id)) {
				acq_log(id, parent, lock, stack, op, how, signals);
				return id;
			}
		}
		uint32_t candidate = found & ACQ_ID_MASK;
		if (found == ((uint32_t)key << ACQ_ID_BITS | candidate) && acqs[candidate].key == key)
			return candidate;
	}
	if (add)
		shim_log_count(DT_COUNT_ACQS_LOST, 1);
	return 0;
}

bool shim_acq_sighted(uint32_t acq, uint32_t segment)
{
	struct acq *a = &acqs[acq];
	for (int i = 0; i < SIGHTINGS_SEEN; i++)
		if (atomic_load_explicit(&a->seen[i], memory_order_relaxed) == segment)
			return false;
	uint32_t n = atomic_load_explicit(&a->sightings, memory_order_relaxed);
	if (n >= SIGHTINGS_LOGGED) {
		shim_log_count(DT_COUNT_SIGHTINGS_LOST, 1);
		return false;
	}
	n = atomic_fetch_add_explicit(&a->sightings, 1, memory_order_relaxed);
	atomic_store_explicit(&a->seen[n % SIGHTINGS_SEEN], segment, memory_order_relaxed);
	struct dt_rec_sighting rec = {{DT_REC_SIGHTING, 0, 0}, acq, segment};
	SHIM_LOG(&rec);
	return true;
}

uint32_t shim_acq_count(void)
{
	return atomic_load_explicit(&acq_count, memory_order_relaxed);
}
