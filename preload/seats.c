/* seats.c: a request that may not be granted queues; whoever releases something goes through the queue in
 * order of arrival and grants for those that may now. First come is not always first served: the first may be
 * the very one that only the end of a later one makes safe. */
#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "region.h"
#include "seats.h"
#include "signals.h"

/* No mask that the kernel tells: SIGKILL is never blocked. */
#define MASK_KEPT UINT64_MAX

static struct state {
	struct dt_avoid bank;
	struct shim_seat seats[DT_AVOID_THREADS];
	_Atomic uint32_t lock;    /* 0 free, 1 taken, 2 and others wait */
	_Atomic uint32_t waiting; /* in the queue, or about to be */
	uint16_t first, last;     /* of the queue: thread number plus one */
	uint32_t hint;
} * state;

bool shim_seats_open(void)
{
	state = shim_region_map(sizeof *state, true);
	return state != NULL;
}

void shim_seats_lock(uint64_t *mask)
{
	uint64_t all = UINT64_MAX;
	uint32_t free = 0;
	*mask = MASK_KEPT;
	if (SHIM_UNLIKELY(atomic_load_explicit(&shim_signals_handled, memory_order_relaxed)))
		syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, mask, sizeof all);
	if (atomic_compare_exchange_strong(&state->lock, &free, 1))
		return;
	while (atomic_exchange(&state->lock, 2))
		syscall(SYS_futex, &state->lock, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
}

void shim_seats_unlock(const uint64_t *mask)
{
	if (atomic_exchange(&state->lock, 0) == 2)
		syscall(SYS_futex, &state->lock, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	if (SHIM_UNLIKELY(*mask != MASK_KEPT))
		syscall(SYS_rt_sigprocmask, SIG_SETMASK, mask, NULL, sizeof *mask);
}

static bool is_active(uint32_t at)
{
	return __atomic_load_n(&state->bank.active[at / 64], __ATOMIC_ACQUIRE) >> at % 64 & 1;
}

bool shim_seat_active(const struct shim_thread *t)
{
	return t->avoid && is_active(t->avoid - 1);
}

struct shim_seat *shim_seat_of(const struct shim_thread *t)
{
	return &state->seats[t->avoid - 1];
}

struct dt_avoid_thread *shim_seat_needs(const struct shim_thread *t)
{
	return &state->bank.threads[t->avoid - 1];
}

static void hold(struct dt_avoid_need *need, uint32_t units)
{
	__atomic_store_n(&need->held, units, __ATOMIC_SEQ_CST);
}

static bool take_seat(struct shim_thread *t)
{
	for (uint32_t i = 0; !t->avoid && i < DT_AVOID_THREADS; i++) {
		uint32_t at = (state->hint + i) % DT_AVOID_THREADS;
		if (state->seats[at].taken)
			continue;
		state->seats[at] = (struct shim_seat){.taken = true};
		state->bank.threads[at].count = 0;
		state->hint = at + 1;
		t->avoid = at + 1;
	}
	return t->avoid;
}

static uint32_t find_need(const struct dt_avoid_thread *thread, uint32_t resource)
{
	uint32_t i = 0;
	while (i < thread->count && thread->needs[i].resource != resource)
		i++;
	return i;
}

/* The index of a need; made with room for `claim` units. DT_AVOID_NEEDS: no room. */
static uint32_t make_need(const struct shim_thread *t, uint32_t resource, uint32_t claim)
{
	struct dt_avoid_thread *thread = shim_seat_needs(t);
	uint32_t i = find_need(thread, resource);
	if (i == DT_AVOID_NEEDS)
		return i;
	if (i == thread->count) {
		state->bank.total[resource] = shim_resource_at(resource)->total;
		thread->needs[i] = (struct dt_avoid_need){resource, claim, 0};
		shim_seat_of(t)->members[i] = 0;
		thread->count++;
	} else if (thread->needs[i].claim < claim) {
		thread->needs[i].claim = claim;
	}
	return i;
}

static void make_needs(const struct shim_thread *t, uint32_t section)
{
	const struct shim_section *s = shim_section_at(section);
	for (uint32_t i = 0; i < s->count; i++)
		make_need(t, s->needs[i].resource, s->needs[i].units);
}

static void enqueue(uint32_t at)
{
	struct shim_seat *seat = &state->seats[at];
	seat->before = state->last;
	seat->behind = 0;
	*(state->last ? &state->seats[state->last - 1].behind : &state->first) = (uint16_t)(at + 1);
	state->last = (uint16_t)(at + 1);
	atomic_store(&seat->queued, 1);
}

static void dequeue(uint32_t at)
{
	struct shim_seat *seat = &state->seats[at];
	*(seat->before ? &state->seats[seat->before - 1].behind : &state->first) = seat->behind;
	*(seat->behind ? &state->seats[seat->behind - 1].before : &state->last) = seat->before;
	atomic_fetch_sub(&state->waiting, 1);
	atomic_store(&seat->queued, 0);
}

/* Most wait for what is not even free: a look tells that. */
static void serve_queue(void)
{
	uint32_t behind;
	bool stocked = false;
	for (uint32_t at = state->first; at; at = behind) {
		struct shim_seat *seat = &state->seats[at - 1];
		behind = seat->behind;
		if (!stocked)
			dt_avoid_stock(&state->bank);
		stocked = dt_avoid_free(&state->bank,
		                        state->bank.threads[at - 1].needs[seat->need].resource) < seat->units;
		if (stocked || !dt_avoid_grant(&state->bank, at - 1, seat->need, seat->units))
			continue;
		atomic_store(&seat->grant, SHIM_GRANT_COUNTED);
		dequeue(at - 1);
		syscall(SYS_futex, &seat->queued, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	}
}

/* A longjmp out of a handler can leave the thread queued. */
static void leave_queue(const struct shim_thread *t)
{
	if (atomic_load(&shim_seat_of(t)->queued))
		dequeue(t->avoid - 1);
	atomic_store(&shim_seat_of(t)->grant, SHIM_GRANT_NONE);
}

bool shim_seat_begin(struct shim_thread *t, const void *first, uint32_t section)
{
	if (!take_seat(t))
		return false;
	dt_avoid_leave(&state->bank, t->avoid - 1);
	leave_queue(t);
	shim_seat_needs(t)->count = 0;
	shim_seat_of(t)->section = section;
	shim_seat_of(t)->first = first;
	make_needs(t, section);
	dt_avoid_enter(&state->bank, t->avoid - 1);
	return true;
}

void shim_seat_begin_anew(struct shim_thread *t, const void *first, uint32_t section)
{
	struct dt_avoid_thread *thread = shim_seat_needs(t);
	for (uint32_t i = 0; i < thread->count; i++)
		thread->needs[i].claim = thread->needs[i].held;
	if (section)
		make_needs(t, section);
	shim_seat_of(t)->section = section;
	shim_seat_of(t)->first = first;
}

void shim_seat_give_up(struct shim_thread *t)
{
	dt_avoid_leave(&state->bank, t->avoid - 1);
	leave_queue(t);
	shim_seat_of(t)->taken = false;
	t->avoid = 0;
}

uint32_t shim_seat_claim(struct shim_thread *t, uint32_t resource, uint32_t units, bool *grew)
{
	const struct shim_resource *about = shim_resource_at(resource);
	uint32_t at = make_need(t, resource, 0);
	if (at == DT_AVOID_NEEDS)
		return at;
	struct dt_avoid_need *need = &shim_seat_needs(t)->needs[at];
	uint32_t wanted = about->coarse ? about->total : need->held + units;
	*grew = wanted > need->claim;
	if (*grew) {
		need->claim = wanted;
		if (shim_seat_of(t)->section)
			shim_section_widen(shim_seat_of(t)->section, resource, wanted);
	}
	return at;
}

static uint64_t held_of(uint32_t resource)
{
	uint64_t sum = 0;
	for (uint32_t word = 0; word < DT_AVOID_THREADS / 64; word++) {
		uint64_t bits = __atomic_load_n(&state->bank.active[word], __ATOMIC_ACQUIRE);
		for (; bits; bits &= bits - 1) {
			const struct dt_avoid_thread *thread =
			    &state->bank.threads[word * 64 + (uint32_t)__builtin_ctzll(bits)];
			uint32_t i = find_need(thread, resource);
			sum +=
			    i < thread->count ? __atomic_load_n(&thread->needs[i].held, __ATOMIC_ACQUIRE) : 0;
		}
	}
	return sum;
}

/* More is held than there is: some of it was granted only. */
static void take_back(uint32_t resource, const struct shim_seat *but)
{
	uint64_t held = held_of(resource);
	for (uint32_t t = 0; held > state->bank.total[resource] && t < DT_AVOID_THREADS; t++) {
		struct shim_seat *seat = &state->seats[t];
		struct dt_avoid_need *need = &state->bank.threads[t].needs[seat->need];
		uint32_t counted = SHIM_GRANT_COUNTED;
		if (!is_active(t) || seat == but || need->resource != resource || !seat->units ||
		    !atomic_compare_exchange_strong(&seat->grant, &counted, SHIM_GRANT_UNCOUNTED))
			continue;
		__atomic_fetch_sub(&need->held, seat->units, __ATOMIC_SEQ_CST);
		held -= seat->units;
	}
}

void shim_seat_count(struct shim_thread *t, uint32_t at, uint32_t units)
{
	struct dt_avoid_need *need = &shim_seat_needs(t)->needs[at];
	const struct shim_resource *about = shim_resource_at(need->resource);
	if (!about->coarse)
		hold(need, need->held + units);
	else if (shim_seat_of(t)->members[at]++ == 0)
		hold(need, about->total);
	take_back(need->resource, shim_seat_of(t));
	serve_queue();
}

bool shim_seat_ask(struct shim_thread *t, uint32_t at, uint32_t units, bool uncounted)
{
	struct shim_seat *seat = shim_seat_of(t);
	const struct shim_resource *about = shim_resource_at(shim_seat_needs(t)->needs[at].resource);
	serve_queue();
	bool has = about->coarse && seat->members[at];
	seat->need = at;
	seat->units = has ? 0 : about->coarse ? about->total : units;
	/* Who releases looks at this after it has; who asks looks at what is held after this. */
	atomic_fetch_add(&state->waiting, 1);
	atomic_thread_fence(memory_order_seq_cst);
	if (uncounted) {
		atomic_store(&seat->grant, SHIM_GRANT_UNCOUNTED);
	} else if (has || dt_avoid_grant(&state->bank, t->avoid - 1, at, seat->units)) {
		atomic_store(&seat->grant, SHIM_GRANT_COUNTED);
	} else {
		enqueue(t->avoid - 1);
		return false;
	}
	atomic_fetch_sub(&state->waiting, 1);
	return true;
}

bool shim_seat_stop_waiting(struct shim_thread *t)
{
	struct shim_seat *seat = shim_seat_of(t);
	if (!atomic_load(&seat->queued))
		return false;
	dequeue(t->avoid - 1);
	atomic_store(&seat->grant, SHIM_GRANT_UNCOUNTED);
	return true;
}

void shim_seat_got(struct shim_thread *t)
{
	struct shim_seat *seat = shim_seat_of(t);
	uint32_t grant = atomic_exchange(&seat->grant, SHIM_GRANT_NONE);
	struct dt_avoid_need *need = &shim_seat_needs(t)->needs[seat->need];
	uint64_t mask;
	if (grant == SHIM_GRANT_UNCOUNTED) {
		shim_seats_lock(&mask);
		shim_seat_count(t, seat->need, seat->units);
		shim_seats_unlock(&mask);
	} else if (shim_resource_at(need->resource)->coarse) {
		seat->members[seat->need]++;
	}
}

void shim_seat_not_got(struct shim_thread *t)
{
	struct shim_seat *seat = shim_seat_of(t);
	struct dt_avoid_need *need = &shim_seat_needs(t)->needs[seat->need];
	if (atomic_exchange(&seat->grant, SHIM_GRANT_NONE) == SHIM_GRANT_COUNTED)
		hold(need, need->held - seat->units);
}

void shim_seat_release(struct shim_thread *t, uint32_t resource, uint32_t units)
{
	struct dt_avoid_thread *thread = shim_seat_needs(t);
	uint32_t i = find_need(thread, resource);
	if (!resource || i == thread->count)
		return;
	struct dt_avoid_need *need = &thread->needs[i];
	uint32_t *members = &shim_seat_of(t)->members[i];
	if (!shim_resource_at(resource)->coarse)
		hold(need, need->held > units ? need->held - units : 0);
	else if (*members && --*members == 0)
		hold(need, 0);
}

void shim_seat_end(struct shim_thread *t)
{
	dt_avoid_leave(&state->bank, t->avoid - 1);
}

void shim_seats_serve(void)
{
	uint64_t mask;
	if (SHIM_LIKELY(!atomic_load(&state->waiting)))
		return;
	shim_seats_lock(&mask);
	serve_queue();
	shim_seats_unlock(&mask);
}
