/* sync.h: what the engine knows of addresses: synchronisation objects and heap blocks, found through the
 * meta words of the shadow.
 *
 * Memory: of pools, given back when the object or block is forgotten. Threads: each object under its own
 * spin lock, which an atomic operation holds while it is done, so that value and clock agree. */
#ifndef SHIM_RACE_SYNC_H
#define SHIM_RACE_SYNC_H

#include "engine.h"

struct race_sync {
	_Alignas(RACE_LINE) uint32_t lock;
	uint32_t next_free;
	uintptr_t address;        /* 0: free */
	struct race_clock *clock; /* what its last releases published; NULL: nothing */
	struct race_clock *must;
	uint32_t last_slot, last_epoch; /* clock is all that was known then and there; epoch 0: not so */
	uint32_t last_era;
	bool last_must; /* and so is must */
	const struct race_thread *last_thread;
};

struct race_block {
	uint64_t bytes;
	uint32_t stack, thread;
	uint32_t sync; /* the object at its beginning */
	uint32_t next_free;
};

bool race_sync_open(void);

/* The object at an address, locked; NULL: there is none (and none was to be made), or no memory. */
struct race_sync *race_sync_lock(uintptr_t address, bool make);

static inline void race_sync_unlock(struct race_sync *sync)
{
	race_spin_unlock(&sync->lock);
}

/* Under the object's lock. */
void race_sync_acquire(struct race_thread *t, struct race_sync *sync, bool must);
void race_sync_release(struct race_hot *hot, struct race_sync *sync, enum shim_race_sync how, bool must);
/* Publish nothing any more. */
void race_sync_silence(struct race_sync *sync);

/* Readers publish to writers only, in an object of their own: the next word of the lock. */
static inline const void *race_readers_of(const void *lock)
{
	return (const char *)lock + 8;
}

static inline bool race_is_rwlock(uint32_t how)
{
	return (how & SHIM_HOW_KIND) == DT_LOCK_RWLOCK;
}

struct race_clock *race_clock_new(void);
void race_clock_free(struct race_clock *clock);

/* Heap blocks. */
void race_block_add(uintptr_t start, size_t bytes, uint32_t stack, uint32_t thread);
/* The block around an address. */
const struct race_block *race_block_find(uintptr_t address, uintptr_t *start);
/* Forget objects and the blocks in a range. */
void race_meta_clear(uintptr_t start, size_t bytes);

#endif
