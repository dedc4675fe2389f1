/* sync.c: objects, their clocks and heap blocks, each in a sparse array; numbers of free ones are chained. */
#include "sync.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../region.h"
#include "trace.h"

enum {
	SYNCS_MAX = 1 << 24,
	BLOCKS_MAX = 1 << 26,
	IS_BLOCK = 1u << 31,
	PAGE = 4096,
	CLEAR_BY_HAND = 256 * 1024,
	BLOCK_SEARCH = 64 << 20,
	CLOCKS_A_REGION = 64,
	PAGES_AT_ONCE = 2048
};

static struct race_sync *syncs;
static struct race_block *blocks;
static uint32_t sync_count = 1, block_count = 1, free_syncs, free_blocks;
static struct race_clock *free_clocks;

bool race_sync_open(void)
{
	syncs = shim_region_map((size_t)SYNCS_MAX * sizeof *syncs, false);
	blocks = shim_region_map((size_t)BLOCKS_MAX * sizeof *blocks, false);
	return syncs && blocks;
}

struct race_clock *race_clock_new(void)
{
	race_list_lock(RACE_LIST_SYNCS);
	if (!free_clocks) {
		struct race_clock *fresh = shim_region_map(CLOCKS_A_REGION * sizeof *fresh, false);
		for (int i = 0; fresh && i < CLOCKS_A_REGION; i++) {
			*(struct race_clock **)(void *)&fresh[i] = free_clocks;
			free_clocks = &fresh[i];
		}
	}
	struct race_clock *clock = free_clocks;
	if (clock)
		free_clocks = *(struct race_clock **)(void *)clock;
	race_list_unlock(RACE_LIST_SYNCS);
	if (clock) {
		__builtin_memset(clock, 0, sizeof *clock);
		clock->era = race_era;
	} else {
		race_give_up();
	}
	return clock;
}

void race_clock_free(struct race_clock *clock)
{
	if (!clock)
		return;
	race_list_lock(RACE_LIST_SYNCS);
	*(struct race_clock **)(void *)clock = free_clocks;
	free_clocks = clock;
	race_list_unlock(RACE_LIST_SYNCS);
}

void race_sync_forked(void)
{
	for (uint32_t i = 1; i < sync_count; i++)
		syncs[i].lock = 0;
}

static uint32_t sync_new(uintptr_t address)
{
	race_list_lock(RACE_LIST_SYNCS);
	uint32_t id = free_syncs;
	if (id)
		free_syncs = syncs[id].next_free;
	else if (sync_count < SYNCS_MAX)
		id = sync_count++;
	race_list_unlock(RACE_LIST_SYNCS);
	if (id)
		syncs[id].address = address;
	else
		race_give_up();
	return id;
}

static void sync_free(uint32_t id)
{
	struct race_sync *sync = &syncs[id];
	race_spin_lock(&sync->lock);
	race_clock_free(sync->clock);
	race_clock_free(sync->must);
	sync->clock = sync->must = NULL;
	sync->last_epoch = 0;
	sync->address = 0;
	race_spin_unlock(&sync->lock);
	race_list_lock(RACE_LIST_SYNCS);
	sync->next_free = free_syncs;
	free_syncs = id;
	race_list_unlock(RACE_LIST_SYNCS);
}

static uint32_t *sync_cell(uintptr_t address)
{
	uint32_t *meta = race_meta_of(address);
	uint32_t found = __atomic_load_n(meta, __ATOMIC_ACQUIRE);
	return found & IS_BLOCK ? &blocks[found & ~(uint32_t)IS_BLOCK].sync : meta;
}

struct race_sync *race_sync_lock(uintptr_t address, bool make)
{
	address &= ~(uintptr_t)7;
	for (int tries = 0; tries < 8; tries++) {
		uint32_t *cell = sync_cell(address), found = __atomic_load_n(cell, __ATOMIC_ACQUIRE);
		if (!found) {
			if (!make || !(found = sync_new(address)))
				return NULL;
			uint32_t none = 0;
			if (!__atomic_compare_exchange_n(cell, &none, found, false, __ATOMIC_ACQ_REL,
			                                 __ATOMIC_ACQUIRE)) {
				sync_free(found);
				found = none;
			}
		}
		if (found & IS_BLOCK)
			continue;
		struct race_sync *sync = &syncs[found];
		race_spin_lock(&sync->lock);
		if (SHIM_LIKELY(sync->address == address))
			return sync;
		/* Forgotten in between. */
		race_spin_unlock(&sync->lock);
	}
	return NULL;
}

static void bring_up_to_date(struct race_sync *sync)
{
	if (sync->clock)
		race_clock_refresh(sync->clock);
	if (sync->must)
		race_clock_refresh(sync->must);
	if (sync->last_era < race_slot_eras[sync->last_slot])
		sync->last_epoch = 0;
}

static bool is_proof(const struct race_sync *sync)
{
	return sync->last_epoch && !__atomic_load_n(&race_slot_mixed[sync->last_slot], __ATOMIC_ACQUIRE);
}

static bool knows_all(const struct race_thread *t, const struct race_sync *sync)
{
	return t->clock.epoch[sync->last_slot] >= sync->last_epoch && is_proof(sync);
}

static bool knows_all_must(const struct race_thread *t, const struct race_sync *sync)
{
	return sync->last_must && t->must.epoch[sync->last_slot] >= sync->last_epoch && is_proof(sync);
}

void race_sync_acquire(struct race_thread *t, struct race_sync *sync, bool must)
{
	if (!sync->clock)
		return;
	race_clock_refresh(&t->clock);
	race_clock_refresh(&t->must);
	bring_up_to_date(sync);
	if (!knows_all(t, sync) && race_clock_join(&t->clock, sync->clock))
		race_learned(t);
	if (must && sync->must && !knows_all_must(t, sync) && race_clock_join(&t->must, sync->must))
		race_learned(t);
}

/* Nothing was done in this epoch, so that it says no more than the one before. */
static bool says_nothing_new(const struct race_hot *hot)
{
	return race_epoch_idle(hot) && !hot->thread->clock_grew;
}

static void publish(struct race_clock **to, const struct race_clock *from, bool store)
{
	if (!*to && !(*to = race_clock_new()))
		return;
	if (store)
		race_clock_copy(*to, from);
	else
		race_clock_join(*to, from);
}

/* The object has this thread's clocks as they were when its last epoch ended, and they have not grown since.
 */
static bool lacks_own_only(const struct race_thread *t, const struct race_sync *sync)
{
	return sync->last_thread == t && sync->last_slot == t->slot && sync->last_epoch &&
	       sync->last_epoch + 1 == t->epoch && !t->clock_grew;
}

void race_sync_release(struct race_hot *hot, struct race_sync *sync, enum shim_race_sync how, bool must)
{
	struct race_thread *t = hot->thread;
	race_clock_refresh(&t->clock);
	race_clock_refresh(&t->must);
	bring_up_to_date(sync);
	bool store = how == SHIM_RACE_STORE || !sync->clock || knows_all(t, sync);
	bool idle = says_nothing_new(hot);
	uint16_t *own = &t->clock.epoch[t->slot], *own_must = &t->must.epoch[t->slot];
	*own -= idle;
	*own_must -= idle;
	if (lacks_own_only(t, sync) && sync->last_must && must) {
		sync->clock->epoch[t->slot] = *own;
		sync->must->epoch[t->slot] = *own_must;
	} else {
		publish(&sync->clock, &t->clock, store);
		/* A lock's must clock is what is known when its protected data show that the order was no
		 * accident. */
		publish(&sync->must, &t->must, must && store);
		sync->last_must = must && store && sync->clock && sync->must;
	}
	sync->last_thread = t;
	sync->last_slot = t->slot;
	sync->last_epoch = store ? *own : 0;
	sync->last_era = race_era;
	*own += idle;
	*own_must += idle;
	if (!idle)
		race_epoch_next(hot);
}

void race_sync_silence(struct race_sync *sync)
{
	race_clock_free(sync->clock);
	race_clock_free(sync->must);
	sync->clock = sync->must = NULL;
	sync->last_epoch = 0;
}

/* ---- blocks and ranges ---- */

void race_block_add(uintptr_t start, size_t bytes, uint32_t stack, uint32_t thread)
{
	race_list_lock(RACE_LIST_SYNCS);
	uint32_t id = free_blocks;
	if (id)
		free_blocks = blocks[id].next_free;
	else if (block_count < BLOCKS_MAX)
		id = block_count++;
	race_list_unlock(RACE_LIST_SYNCS);
	if (!id)
		return;
	blocks[id] = (struct race_block){.bytes = bytes, .stack = stack, .thread = thread};
	uint32_t *meta = race_meta_of(start),
	         old = __atomic_exchange_n(meta, id | IS_BLOCK, __ATOMIC_ACQ_REL);
	if (old && !(old & IS_BLOCK))
		sync_free(old);
}

static void forget(uint32_t found)
{
	if (!(found & IS_BLOCK)) {
		sync_free(found);
		return;
	}
	uint32_t id = found & ~(uint32_t)IS_BLOCK;
	uint32_t sync = __atomic_exchange_n(&blocks[id].sync, 0, __ATOMIC_ACQ_REL);
	if (sync)
		sync_free(sync);
	race_list_lock(RACE_LIST_SYNCS);
	blocks[id].next_free = free_blocks;
	free_blocks = id;
	race_list_unlock(RACE_LIST_SYNCS);
}

static bool resident(const void *page)
{
	unsigned char answer;
	return syscall(SYS_mincore, page, (size_t)PAGE, &answer) == 0 && (answer & 1);
}

static void clear_words(uint32_t *from, uint32_t *to)
{
	for (uint32_t *meta = from; meta < to; meta++)
		if (*meta) {
			uint32_t found = __atomic_exchange_n(meta, 0, __ATOMIC_ACQ_REL);
			if (found)
				forget(found);
		}
}

void race_meta_clear(uintptr_t start, size_t bytes)
{
	uint32_t *from = race_meta_of(start), *to = race_meta_of(start + bytes + 7);
	if (bytes < CLEAR_BY_HAND) {
		clear_words(from, to);
		return;
	}
	int saved = errno;
	while (from < to) {
		/* Only pages that were ever written: asked for many at a time. */
		unsigned char answers[PAGES_AT_ONCE];
		char *page = (char *)((uintptr_t)from & ~(uintptr_t)(PAGE - 1)),
		     *end = page + (size_t)PAGES_AT_ONCE * PAGE;
		if (end > (char *)to)
			end = (char *)(((uintptr_t)to + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
		if (syscall(SYS_mincore, page, (size_t)(end - page), answers) != 0)
			break;
		for (size_t i = 0; page + i * PAGE < end; i++) {
			uint32_t *first = (uint32_t *)(void *)(page + i * PAGE),
			         *next = first + PAGE / sizeof *first;
			if (answers[i] & 1)
				clear_words(first > from ? first : from, next < to ? next : to);
		}
		from = (uint32_t *)(void *)end;
	}
	errno = saved;
}

const struct race_block *race_block_find(uintptr_t address, uintptr_t *start)
{
	address &= ~(uintptr_t)7;
	for (uintptr_t at = address; address - at < BLOCK_SEARCH && at > PAGE; at -= 8) {
		uint32_t *meta = race_meta_of(at);
		if (((uintptr_t)meta & (PAGE - 1)) == PAGE - sizeof *meta &&
		    !resident((void *)((uintptr_t)meta & ~(uintptr_t)(PAGE - 1)))) {
			at -= (PAGE / sizeof *meta - 1) * 8;
			continue;
		}
		uint32_t found = __atomic_load_n(meta, __ATOMIC_ACQUIRE);
		if (!(found & IS_BLOCK))
			continue;
		const struct race_block *block = &blocks[found & ~(uint32_t)IS_BLOCK];
		*start = at;
		return at + block->bytes > address ? block : NULL;
	}
	return NULL;
}
