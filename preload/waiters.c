/* waiters.c: two counts in a word, by compare-and-swap, by address of the condition. An entry that nobody
 * waits at may become another condition's. */
#include <stdatomic.h>

#include "region.h"
#include "waiters.h"

enum { CONDITIONS = 1 << 13, TRIES = 16 };

struct shim_waiters {
	_Atomic uintptr_t cond;
	_Atomic uint64_t counts; /* waiting << 32 | woken and not back */
	_Atomic uintptr_t mutex;
};

static struct shim_waiters *table;

bool shim_waiters_open(void)
{
	table = shim_region_map(CONDITIONS * sizeof *table, true);
	return table != NULL;
}

static struct shim_waiters *entry(uintptr_t cond, uint32_t i)
{
	return &table[((cond >> 3) + (cond >> 15) + i) % CONDITIONS];
}

static struct shim_waiters *find(const void *cond, bool add)
{
	uintptr_t wanted = (uintptr_t)cond;

	for (uint32_t i = 0; table && i < TRIES; i++) {
		struct shim_waiters *w = entry(wanted, i);
		uintptr_t found = atomic_load_explicit(&w->cond, memory_order_acquire);
		if (!found && !add)
			return NULL;
		if (found == wanted || (!found && atomic_compare_exchange_strong(&w->cond, &found, wanted)) ||
		    found == wanted)
			return w;
	}
	for (uint32_t i = 0; add && table && i < TRIES; i++) {
		struct shim_waiters *w = entry(wanted, i);
		uintptr_t found = atomic_load(&w->cond);
		if (!atomic_load(&w->counts) && atomic_compare_exchange_strong(&w->cond, &found, wanted))
			return w;
	}
	return NULL;
}

static uint32_t waiting(uint64_t counts)
{
	return (uint32_t)(counts >> 32);
}

static uint32_t woken(uint64_t counts)
{
	return (uint32_t)counts;
}

static uint64_t pack(uint32_t all, uint32_t up)
{
	return (uint64_t)all << 32 | (up < all ? up : all);
}

struct shim_waiters *shim_waiters_enter(const void *cond, const void *mutex, const void **other)
{
	struct shim_waiters *w = find(cond, true);

	*other = NULL;
	if (!w)
		return NULL;
	uint64_t before = atomic_fetch_add(&w->counts, (uint64_t)1 << 32);
	/* Another condition took it between the two. */
	if (atomic_load(&w->cond) != (uintptr_t)cond) {
		shim_waiters_leave(w, false);
		return NULL;
	}
	uintptr_t theirs = atomic_exchange(&w->mutex, (uintptr_t)mutex);
	/* Those that were woken have the condition behind them, and may be its last. */
	if (waiting(before) > woken(before) && theirs && theirs != (uintptr_t)mutex)
		*other = (const void *)theirs;
	return w;
}

/* Who timed out may have left a wake-up to another. */
void shim_waiters_leave(struct shim_waiters *w, bool was_woken)
{
	if (!w)
		return;
	uint64_t now = atomic_load(&w->counts), next;
	do {
		if (!waiting(now))
			return;
		next = pack(waiting(now) - 1, woken(now) - (was_woken && woken(now)));
	} while (!atomic_compare_exchange_weak(&w->counts, &now, next));
}

void shim_waiters_wake(const void *cond, bool all)
{
	struct shim_waiters *w = find(cond, false);
	uint64_t now = w ? atomic_load_explicit(&w->counts, memory_order_relaxed) : 0, next;

	while (waiting(now) > woken(now)) {
		next = pack(waiting(now), all ? waiting(now) : woken(now) + 1);
		if (atomic_compare_exchange_weak(&w->counts, &now, next))
			return;
	}
}

uint32_t shim_waiters_asleep(const void *cond, bool *known)
{
	struct shim_waiters *w = find(cond, true);
	uint64_t now = w ? atomic_load(&w->counts) : 0;

	*known = w != NULL;
	return waiting(now) - woken(now);
}

bool shim_waiters_pending(const void *cond)
{
	struct shim_waiters *w = find(cond, true);

	return !w || woken(atomic_load(&w->counts));
}
