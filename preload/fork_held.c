/* fork_held.c: the other threads are gone, but the pages with their records were copied with the rest. */
#include <string.h>

#include "board.h"
#include "fork_held.h"
#include "incident.h"
#include "objects.h"
#include "unwind_memory.h"

enum { LOCKS = 256, HELD_MOST = 4096 };

struct fork_held {
	_Atomic uintptr_t lock; /* 0: forgotten, or told */
	uint32_t thread, context;
	int32_t pid, owner;
};

static struct fork_held table[LOCKS];
static _Atomic uint32_t count;

static bool all_readable(uintptr_t start, size_t bytes)
{
	for (uintptr_t page = start & ~(uintptr_t)7; page < start + bytes; page = (page | 4095) + 1)
		if (!shim_memory_readable(page))
			return false;
	return true;
}

static void collect_thread(const struct shim_thread *other, int32_t pid)
{
	if (other == &shim_self || !all_readable((uintptr_t)other, sizeof *other) ||
	    other->depth > HELD_MOST ||
	    !all_readable((uintptr_t)other->held, other->depth * sizeof *other->held))
		return;
	for (uint32_t i = 0; i < other->depth && count < LOCKS; i++) {
		const struct shim_held *h = &other->held[i];
		if ((h->how & SHIM_HOW_HELD) && (h->how & SHIM_HOW_KIND) != DT_LOCK_SEM)
			table[count++] =
			    (struct fork_held){(uintptr_t)h->lock, other->id, h->context, pid, other->owner};
	}
}

void shim_fork_held_collect(void)
{
	const struct shim_thread *other;
	uint32_t slot = 0;
	int32_t parent;

	atomic_store(&count, 0);
	while ((other = shim_board_forked_thread(&slot, &parent)))
		collect_thread(other, parent);
}

static struct fork_held *find(const void *lock)
{
	for (uint32_t i = 0; i < atomic_load_explicit(&count, memory_order_relaxed); i++)
		if (atomic_load(&table[i].lock) == (uintptr_t)lock)
			return &table[i];
	return NULL;
}

void shim_fork_held_forget(const void *lock)
{
	struct fork_held *held = find(lock);

	if (held)
		atomic_store(&held->lock, 0);
}

/* Still as it was at the fork. A lock in shared memory is the parent's to release. */
static bool is_still_held(const struct fork_held *held, const void *lock, enum dt_lock_kind kind)
{
	if (shim_object_is_shared(lock, kind))
		return false;
	return kind == DT_LOCK_MUTEX    ? shim_mutex_owner(lock) == held->owner
	       : kind == DT_LOCK_RWLOCK ? !shim_rwlock_is_free(lock)
	                                : kind == DT_LOCK_SPIN;
}

void shim_fork_held_check(struct shim_thread *t, const void *lock, enum dt_lock_kind kind, uint32_t context)
{
	struct fork_held *held = find(lock);
	uintptr_t address = (uintptr_t)lock;

	if (!held || !is_still_held(held, lock, kind) ||
	    !atomic_compare_exchange_strong(&held->lock, &address, 0))
		return;
	struct shim_part parts[2] = {shim_part_of(t, DT_PART_USE, (void *)(uintptr_t)lock, kind, context)};
	parts[1] = (struct shim_part){.part = {.part = DT_PART_HELD,
	                                       .op = DT_OP_ACQUIRE,
	                                       .thread = held->thread,
	                                       .stack = held->context,
	                                       .pid = held->pid},
	                              .lock = lock};
	shim_incident_tell(t, DT_INCIDENT_LOCK_HELD_AT_FORK, 0, parts, 2);
}
