/* stats.c: the table of sites, and the samples of each thread. */
#include <errno.h>

#include "avoid.h"
#include "block.h"
#include "hash.h"
#include "identity.h"
#include "log.h"
#include "process.h"
#include "region.h"
#include "states.h"
#include "stats.h"
#include "tables.h"

enum {
	SITES = 1 << 16,
	SITES_BY_LOCK = SITES / 2, /* then by class */
	SITES_MOST = SITES / 4 * 3,
	TRIES = 128,
	EARLY = 32, /* samples before they get rarer */
	DOUBLINGS_MOST = 10,
	INTERVALS_MOST = 100000,
	WAIT_SHOWN_NS = 50000
};

struct site {
	_Atomic uint64_t key;     /* lock << 32 | stack */
	_Atomic uintptr_t record; /* 0: being made, or there was no room */
};

static struct site *sites;
static _Atomic uint32_t site_count, interval_count;

void shim_stats_forked(void)
{
	atomic_store(&site_count, 0);
	atomic_store(&interval_count, 0);
}

bool shim_stats_open(void)
{
	sites = shim_region_map(SITES * sizeof *sites, true);
	return sites != NULL;
}

/* The record of a site; NULL: none, or another thread is just making it. */
static struct dt_rec_stat *record_of(uint32_t lock, uint32_t stack)
{
	uint64_t key = (uint64_t)lock << 32 | stack;
	for (uint32_t i = (uint32_t)shim_hash64(key), tries = 0; tries < TRIES; i++, tries++) {
		struct site *site = &sites[i % SITES];
		uint64_t found = atomic_load_explicit(&site->key, memory_order_acquire);
		if (!found && atomic_load(&site_count) < SITES_MOST &&
		    atomic_compare_exchange_strong(&site->key, &found, key)) {
			atomic_fetch_add(&site_count, 1);
			struct dt_rec_stat rec = {.head = {DT_REC_STAT, 0, 0}, .lock = lock, .stack = stack};
			shim_stack_log(stack);
			struct dt_rec *record = shim_log_add(&rec.head, sizeof rec);
			atomic_store(&site->record, (uintptr_t)record);
			return (struct dt_rec_stat *)record;
		}
		if (found == key)
			return (struct dt_rec_stat *)atomic_load(&site->record);
		if (!found)
			break;
	}
	shim_log_count(DT_COUNT_STATS_LOST, 1);
	return NULL;
}

static uint32_t lock_of(struct shim_thread *t, const void *lock, enum dt_lock_kind kind, uint32_t context)
{
	return atomic_load_explicit(&site_count, memory_order_relaxed) < SITES_BY_LOCK
	           ? shim_identity_of(t, (void *)(uintptr_t)lock, kind, context, 0)
	           : shim_identity_class_of(t, (void *)(uintptr_t)lock, kind, context);
}

static void add(uint64_t *to, uint64_t n)
{
	__atomic_fetch_add(to, n, __ATOMIC_RELAXED);
}

static void raise_to(uint64_t *most, uint64_t n)
{
	uint64_t now = __atomic_load_n(most, __ATOMIC_RELAXED);
	while (now < n &&
	       !__atomic_compare_exchange_n(most, &now, n, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static void show(struct shim_thread *t, enum dt_interval_kind kind, uint32_t lock, uint32_t stack,
                 uint64_t begin_ns, uint64_t end_ns)
{
	if (atomic_load_explicit(&interval_count, memory_order_relaxed) >= INTERVALS_MOST ||
	    atomic_fetch_add(&interval_count, 1) >= INTERVALS_MOST) {
		shim_log_count(DT_COUNT_INTERVALS_LOST, 1);
		return;
	}
	struct dt_rec_interval rec = {
	    {DT_REC_INTERVAL, (uint16_t)kind, 0}, t->id, lock, stack, 0, begin_ns, end_ns};
	SHIM_LOG(&rec);
}

void shim_stats_waited(struct shim_thread *t, const void *lock, enum dt_lock_kind kind, uint32_t context,
                       uint64_t begin_ns, uint64_t end_ns)
{
	uint32_t id = lock_of(t, lock, kind, context);
	struct dt_rec_stat *stat = id ? record_of(id, context) : NULL;
	uint64_t wait_ns = end_ns - begin_ns;
	if (!stat)
		return;
	add(&stat->contended, 1);
	add(&stat->wait_total_ns, wait_ns);
	raise_to(&stat->wait_max_ns, wait_ns);
	if (wait_ns >= WAIT_SHOWN_NS)
		show(t, DT_INTERVAL_WAIT, id, context, begin_ns, end_ns);
}

/* Xorshift (Marsaglia 2003). */
static uint32_t next_random(struct shim_thread *t)
{
	uint32_t x = t->random ? t->random : t->id * 2654435761u | 1;
	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return t->random = x;
}

/* Every one, then on average every 2nd, 4th, ... 1024th; never in step with the program. */
static uint32_t next_distance(struct shim_thread *t)
{
	uint32_t doublings = t->samples / EARLY;
	uint32_t period = 1u << (doublings < DOUBLINGS_MOST ? doublings : DOUBLINGS_MOST);
	return period == 1 ? 1 : 1 + next_random(t) % (2 * period - 1);
}

/* One that can't be timed adds its weight to the next. */
static bool take_sample(struct shim_thread *t, struct shim_held *e, uint32_t weight)
{
	if (t->busy)
		return false;
	for (uint32_t i = 0; i < SHIM_SAMPLES; i++) {
		struct shim_sample *sample = &t->sampled[i];
		if (sample->weight)
			continue;
		t->samples++;
		*sample = (struct shim_sample){.lock = e->lock, .weight = weight, .begin_ns = shim_now_ns()};
		e->sample = (uint16_t)(i + 1);
		e->how |= SHIM_HOW_SAMPLED;
		return true;
	}
	/* Too many at once, or those of locks that left the held stack unseen: begin again. */
	for (uint32_t i = 0; i < SHIM_SAMPLES; i++)
		t->sampled[i].weight = 0;
	return false;
}

/* Every acquisition comes here then; one in so many is to be timed. */
static bool avoided(struct shim_thread *t, uint32_t index)
{
	t->sample = 1;
	shim_avoid_got(t, index);
	return t->avoid_sample > 1 && --t->avoid_sample;
}

void shim_stats_sample(struct shim_thread *t, uint32_t index)
{
	if (SHIM_UNLIKELY(shim_avoid_on) && avoided(t, index))
		return;
	uint32_t weight = t->distance ? t->distance : 1;
	bool taken = take_sample(t, &t->held[index], weight);
	shim_states_look(t);
	t->sample = next_distance(t);
	t->distance = t->sample + (taken ? 0 : weight);
	if (SHIM_UNLIKELY(shim_avoid_on)) {
		t->avoid_sample = t->sample;
		t->sample = 1;
	}
}

static void count(struct shim_thread *t, const struct shim_held *e, const struct shim_sample *sample,
                  uint64_t end_ns)
{
	uint32_t id = lock_of(t, e->lock, e->how & SHIM_HOW_KIND, e->context);
	struct dt_rec_stat *stat = id ? record_of(id, e->context) : NULL;
	uint64_t hold_ns = end_ns - sample->begin_ns;
	if (!stat)
		return;
	add(&stat->acquisitions, sample->weight);
	add(&stat->samples, 1);
	add(&stat->hold_total_ns, hold_ns * sample->weight);
	raise_to(&stat->hold_max_ns, hold_ns);
	show(t, DT_INTERVAL_HOLD, id, e->context, sample->begin_ns, end_ns);
}

void shim_stats_released(struct shim_thread *t, struct shim_held *e)
{
	struct shim_sample sample = {0};
	e->how &= ~(uint32_t)SHIM_HOW_SAMPLED;
	if (e->sample && e->sample <= SHIM_SAMPLES && t->sampled[e->sample - 1].lock == e->lock) {
		sample = t->sampled[e->sample - 1];
		t->sampled[e->sample - 1].weight = 0;
	}
	if (!sample.weight || t->busy || !shim_process_check(t))
		return;
	int saved = errno;
	t->busy = 1;
	count(t, e, &sample, shim_now_ns());
	t->busy = 0;
	errno = saved;
}
