/* avoid.c: the banker at work. A request that may not be granted queues; whoever releases something goes
 * through the queue in order of arrival and grants for those that may now. First come is not first served:
 * the first may be the very one that only a later one's end makes safe. */
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <detect/avoid.h>

#include "avoid.h"
#include "block.h"
#include "incident.h"
#include "note.h"
#include "options.h"
#include "region.h"
#include "sections.h"
#include "waitfor.h"

enum { QUEUED = 1, GRANTED, UNIT_PENDING = UINT32_MAX - 1 };

/* What a thread has here beside its needs: its own, but for the queue's. */
struct seat {
	_Atomic uint32_t state;  /* QUEUED, GRANTED: a futex */
	uint32_t need, units;    /* asked for */
	uint16_t before, behind; /* in the queue: thread number plus one */
	bool taken;
	uint32_t section;
	const void *first;                /* the lock it began with */
	uint32_t members[DT_AVOID_NEEDS]; /* coarse: how many of its locks are held */
};

static struct state {
	struct dt_avoid bank;
	struct seat seats[DT_AVOID_THREADS];
	_Atomic uint32_t lock;    /* 0 free, 1 taken, 2 and others wait */
	_Atomic uint32_t waiting; /* in the queue */
	uint16_t first, last;     /* of the queue: thread number plus one */
	uint32_t hint;
} * state; /* wiped by fork */

bool shim_avoid_on;

bool shim_avoid_open(void)
{
	if (!shim_options.avoid)
		return true;
	state = shim_region_map(sizeof *state, true);
	shim_avoid_on = state && shim_sections_open();
	return shim_avoid_on;
}

void shim_avoid_forked(void)
{
	struct shim_thread *t = &shim_self;
	t->avoid = t->avoid_pending = 0;
	if (shim_avoid_on)
		shim_sections_forked();
}

/* With all signals blocked, so that no handler can run, jump away or stay while the lock is held. */
static void lock_state(uint64_t *mask)
{
	uint64_t all = UINT64_MAX;
	uint32_t free = 0;
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, mask, sizeof all);
	if (atomic_compare_exchange_strong(&state->lock, &free, 1))
		return;
	while (atomic_exchange(&state->lock, 2))
		syscall(SYS_futex, &state->lock, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
}

static void unlock_state(const uint64_t *mask)
{
	if (atomic_exchange(&state->lock, 0) == 2)
		syscall(SYS_futex, &state->lock, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, mask, NULL, sizeof *mask);
}

static uint32_t units_of(uint32_t how)
{
	return (how & SHIM_HOW_KIND) == DT_LOCK_RWLOCK && !(how & SHIM_HOW_SHARED)
	           ? (uint32_t)DT_AVOID_READERS
	           : 1;
}

static bool active(const struct shim_thread *t)
{
	uint32_t at = t->avoid - 1;
	return t->avoid && state->bank.active[at / 64] >> at % 64 & 1;
}

static struct dt_avoid_thread *needs_of(const struct shim_thread *t)
{
	return &state->bank.threads[t->avoid - 1];
}

static struct seat *seat_of(const struct shim_thread *t)
{
	return &state->seats[t->avoid - 1];
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

/* From here on: with the lock held. */

static bool take_seat(struct shim_thread *t)
{
	for (uint32_t i = 0; !t->avoid && i < DT_AVOID_THREADS; i++) {
		uint32_t at = (state->hint + i) % DT_AVOID_THREADS;
		if (state->seats[at].taken)
			continue;
		state->seats[at] = (struct seat){.taken = true};
		state->bank.threads[at].count = 0;
		state->hint = at + 1;
		t->avoid = at + 1;
	}
	return t->avoid;
}

/* The index of a need; made with room for `claim` units. DT_AVOID_NEEDS: no room. */
static uint32_t need_at(struct dt_avoid_thread *thread, uint32_t resource, uint32_t claim)
{
	uint32_t i = 0;
	while (i < thread->count && thread->needs[i].resource != resource)
		i++;
	if (i == DT_AVOID_NEEDS)
		return i;
	if (i == thread->count) {
		state->bank.total[resource] = shim_resource_at(resource)->total;
		thread->needs[i] = (struct dt_avoid_need){resource, claim, 0};
		thread->count++;
	} else if (thread->needs[i].claim < claim) {
		thread->needs[i].claim = claim;
	}
	return i;
}

static void dequeue(uint32_t at)
{
	struct seat *seat = &state->seats[at];
	*(seat->before ? &state->seats[seat->before - 1].behind : &state->first) = seat->behind;
	*(seat->behind ? &state->seats[seat->behind - 1].before : &state->last) = seat->before;
	atomic_fetch_sub(&state->waiting, 1);
}

static void enqueue(uint32_t at, uint32_t need, uint32_t units)
{
	struct seat *seat = &state->seats[at];
	seat->need = need;
	seat->units = units;
	seat->before = state->last;
	seat->behind = 0;
	*(state->last ? &state->seats[state->last - 1].behind : &state->first) = (uint16_t)(at + 1);
	state->last = (uint16_t)(at + 1);
	atomic_store(&seat->state, QUEUED);
}

static void serve_queue(void)
{
	uint32_t behind;
	for (uint32_t at = state->first; at; at = behind) {
		struct seat *seat = &state->seats[at - 1];
		behind = seat->behind;
		if (!dt_avoid_grant(&state->bank, at - 1, seat->need, seat->units))
			continue;
		dequeue(at - 1);
		atomic_store(&seat->state, GRANTED);
		syscall(SYS_futex, &seat->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	}
}

static void hold_more(struct dt_avoid_need *need, uint32_t units)
{
	__atomic_fetch_add(&need->held, units, __ATOMIC_SEQ_CST);
}

static void hold(struct dt_avoid_need *need, uint32_t units)
{
	__atomic_store_n(&need->held, units, __ATOMIC_SEQ_CST);
}

static void count_in(struct dt_avoid_thread *thread, struct seat *seat, uint32_t need, uint32_t units)
{
	const struct shim_resource *about = shim_resource_at(thread->needs[need].resource);
	if (!about->coarse)
		hold_more(&thread->needs[need], units);
	else if (seat->members[need]++ == 0)
		hold(&thread->needs[need], about->total);
}

/* A longjmp out of a handler can leave the thread queued. */
static void leave_queue(struct shim_thread *t)
{
	struct seat *seat = seat_of(t);
	if (atomic_load(&seat->state) == QUEUED)
		dequeue(t->avoid - 1);
	atomic_store(&seat->state, 0);
}

/* The thread is in the section that began with `first`. */
static bool begin(struct shim_thread *t, const struct shim_held *first, uint32_t section)
{
	if (!take_seat(t))
		return false;
	struct dt_avoid_thread *thread = needs_of(t);
	struct seat *seat = seat_of(t);
	const struct shim_section *s = shim_section_at(section);
	dt_avoid_leave(&state->bank, t->avoid - 1);
	leave_queue(t);
	thread->count = 0;
	seat->section = section;
	seat->first = first->lock;
	for (uint32_t i = 0; i < s->count; i++) {
		uint32_t at = need_at(thread, s->needs[i].resource, s->needs[i].units);
		if (at < DT_AVOID_NEEDS)
			seat->members[at] = 0;
	}
	dt_avoid_enter(&state->bank, t->avoid - 1);
	return true;
}

/* One unit more of `resource` than is claimed may not be asked for: then the claim was wrong, and grows.
 * DT_AVOID_NEEDS: no room. *grew: it did. */
static uint32_t claim(struct shim_thread *t, uint32_t resource, uint32_t units, bool *grew)
{
	struct dt_avoid_thread *thread = needs_of(t);
	struct seat *seat = seat_of(t);
	bool coarse = shim_resource_at(resource)->coarse;
	uint32_t known = thread->count, at = need_at(thread, resource, 0);
	if (at == DT_AVOID_NEEDS)
		return at;
	if (at == known)
		seat->members[at] = 0;
	struct dt_avoid_need *need = &thread->needs[at];
	uint32_t wanted = coarse ? shim_resource_at(resource)->total : need->held + units;
	*grew = wanted > need->claim;
	if (*grew) {
		need->claim = wanted;
		if (seat->section)
			shim_section_widen(seat->section, resource, wanted);
	}
	return at;
}

/* Nothing was known of this section, and now it takes a second unit: what it holds counts from here on. The
 * unit is not held back: what could have been avoided had to be before the first. */
static bool begin_late(struct shim_thread *t, uint32_t index, uint32_t resource)
{
	struct shim_held *first = bottom(t, index);
	if (!resource || !first)
		return false;
	uint32_t section = shim_section_make(first);
	if (!section || !begin(t, first, section))
		return false;
	for (struct shim_held *e = first; e < &t->held[index]; e++) {
		uint32_t of = held(e) ? shim_resource_get(e->lock, e->how & SHIM_HOW_KIND) : 0;
		uint32_t units = units_of(e->how);
		bool grew;
		if ((e->how & SHIM_HOW_KIND) == DT_LOCK_SEM)
			units += (e->how & SHIM_HOW_RELOCKS) / SHIM_HOW_RELOCK;
		uint32_t at = of ? claim(t, of, units, &grew) : DT_AVOID_NEEDS;
		if (at < DT_AVOID_NEEDS) {
			count_in(needs_of(t), seat_of(t), at, units);
			e->how |= SHIM_HOW_AVOIDED;
		}
	}
	return true;
}

enum answer { GO, GO_UNCOUNTED, WAIT_QUEUED };

/* More is claimed than was thought, in a state that is unsafe by now whatever is done: to wait would not
 * help. */
static enum answer ask(struct shim_thread *t, uint32_t at, uint32_t units, bool forced)
{
	struct seat *seat = seat_of(t);
	struct dt_avoid_thread *thread = needs_of(t);
	const struct shim_resource *about = shim_resource_at(thread->needs[at].resource);
	if (state->first)
		serve_queue();
	if (forced || (about->coarse && seat->members[at])) {
		count_in(thread, seat, at, units);
		return GO;
	}
	uint32_t asked = about->coarse ? about->total : units;
	/* Who releases looks at this after it has; who asks looks at what is held after this. */
	atomic_fetch_add(&state->waiting, 1);
	atomic_thread_fence(memory_order_seq_cst);
	if (!dt_avoid_grant(&state->bank, t->avoid - 1, at, asked)) {
		if (dt_avoid_safe(&state->bank)) {
			enqueue(t->avoid - 1, at, asked);
			return WAIT_QUEUED;
		}
		hold_more(&thread->needs[at], asked);
	}
	atomic_fetch_sub(&state->waiting, 1);
	if (about->coarse)
		seat->members[at]++;
	return GO;
}

/* From here on: without it. */

/* What the claims did not say: told once of a section. */
static void say_exceeded(struct shim_thread *t, const struct shim_held *wanted, const void *lock)
{
	struct shim_section *section = shim_section_at(seat_of(t)->section);
	struct shim_part parts[2];
	if (!shim_sections_given() || section->said)
		return;
	section->said = true;
	int saved = errno;
	t->busy = 1;
	const struct shim_held *first = bottom(t, t->depth);
	parts[0] = shim_part_of(t, DT_PART_USE, (void *)(uintptr_t)lock, wanted->how & SHIM_HOW_KIND,
	                        wanted->context);
	parts[0].part.op = DT_OP_ACQUIRE;
	if (first)
		parts[1] =
		    shim_part_of(t, DT_PART_HELD, first->lock, first->how & SHIM_HOW_KIND, first->context);
	shim_incident_misuse(t, DT_INCIDENT_CLAIM_EXCEEDED, parts, first ? 2 : 1);
	t->busy = 0;
	errno = saved;
}

static void gave_up(struct shim_thread *t, struct shim_block *block)
{
	if (!block->slot || t->busy)
		return;
	t->busy = 1;
	shim_waitfor_tell_wait(t, block->slot, DT_INCIDENT_AVOIDANCE_GAVE_UP);
	t->busy = 0;
}

static bool sleep_until(struct seat *seat, uint64_t end_ns)
{
	uint64_t now_ns;
	while (atomic_load(&seat->state) == QUEUED && (now_ns = shim_now_ns()) < end_ns) {
		struct timespec left = {(time_t)((end_ns - now_ns) / 1000000000u),
		                        (long)((end_ns - now_ns) % 1000000000u)};
		syscall(SYS_futex, &seat->state, FUTEX_WAIT_PRIVATE, QUEUED, &left, NULL, 0);
	}
	return atomic_load(&seat->state) == GRANTED;
}

/* Queued: wait for the grant, but no longer than patience lasts. */
static void await_grant(struct shim_thread *t, const void *lock_wanted, uint32_t how, uint32_t context)
{
	struct seat *seat = seat_of(t);
	struct shim_block block;
	const struct shim_wait wait = {
	    .op = DT_OP_ACQUIRE, .how = how | SHIM_HOW_TIMED, .object = lock_wanted, .context = context};
	int saved = errno;
	shim_block_begin(&block, t, &wait);
	if (!sleep_until(seat, shim_now_ns() + (uint64_t)shim_options.avoid_patience * 1000000u)) {
		uint64_t mask;
		lock_state(&mask);
		bool queued = atomic_load(&seat->state) == QUEUED;
		if (queued) {
			dequeue(t->avoid - 1);
			hold_more(&needs_of(t)->needs[seat->need], seat->units);
		}
		unlock_state(&mask);
		if (queued)
			gave_up(t, &block);
	}
	atomic_store(&seat->state, 0);
	if (shim_resource_at(needs_of(t)->needs[seat->need].resource)->coarse)
		seat->members[seat->need]++;
	shim_block_end(&block);
	errno = saved;
}

/* True when the unit counts; it is the thread's to take then. `e` is the entry of the wanted lock. */
static bool request(struct shim_thread *t, uint32_t index, const struct shim_held *e, uint32_t how,
                    bool forced)
{
	uint64_t mask;
	enum answer answer = GO_UNCOUNTED;
	bool grew = false, late = false;
	lock_state(&mask);
	uint32_t resource = shim_resource_get(e->lock, how & SHIM_HOW_KIND);
	if (resource && (active(t) || (late = begin_late(t, index, resource)))) {
		uint32_t at = claim(t, resource, units_of(how), &grew);
		if (at < DT_AVOID_NEEDS)
			answer = ask(t, at, units_of(how), forced || late);
	}
	unlock_state(&mask);
	if (grew)
		say_exceeded(t, e, e->lock);
	if (answer == WAIT_QUEUED)
		await_grant(t, e->lock, how, e->context);
	return answer != GO_UNCOUNTED;
}

/* The first lock of a section: whether the claims say that it takes more. */
static bool begins(struct shim_thread *t, const struct shim_held *e)
{
	bool known;
	uint32_t section = shim_section_find(e, &known);
	uint64_t mask;
	if (known && !section)
		return false;
	lock_state(&mask);
	if (!known)
		section = shim_section_load(e);
	bool begun = section && begin(t, e, section);
	unlock_state(&mask);
	return begun;
}

void shim_avoid_want(struct shim_thread *t, uint32_t index, uint32_t how)
{
	struct shim_held *e = &t->held[index];
	if (passes(t))
		return;
	t->avoid_pending = 0;
	if (how & (SHIM_HOW_TRY | SHIM_HOW_TIMED))
		return;
	if (!bottom(t, index) && !begins(t, e))
		return;
	if (request(t, index, e, how, false))
		t->avoid_pending = index + 1;
}

void shim_avoid_got(struct shim_thread *t, uint32_t index)
{
	struct shim_held *e = &t->held[index];
	if (t->busy || t->handler)
		return;
	bool counts = t->avoid_pending == index + 1;
	/* By a call that was not held back. */
	if (!counts && (e->how & (SHIM_HOW_TRY | SHIM_HOW_TIMED) || t->avoid_passes) &&
	    (bottom(t, index) || begins(t, e)))
		counts = request(t, index, e, e->how, true);
	t->avoid_pending = 0;
	if (counts)
		e->how |= SHIM_HOW_AVOIDED;
}

/* What the thread has less of; held shrinks without the lock. */
static void count_out(struct shim_thread *t, const void *of, uint32_t how)
{
	struct dt_avoid_thread *thread = needs_of(t);
	uint32_t resource = shim_resource_find(of, how & SHIM_HOW_KIND), units = units_of(how), i = 0;
	while (i < thread->count && thread->needs[i].resource != resource)
		i++;
	if (!resource || i == thread->count)
		return;
	struct dt_avoid_need *need = &thread->needs[i];
	uint32_t *members = &seat_of(t)->members[i];
	if (!shim_resource_at(resource)->coarse)
		hold(need, need->held > units ? need->held - units : 0);
	else if (*members && --*members == 0)
		hold(need, 0);
}

/* The lock that the section began with was released before others: what is still held begins another one. */
static void begin_anew(struct shim_thread *t)
{
	const struct shim_held *first = bottom(t, t->depth);
	uint64_t mask;
	if (!first)
		return;
	lock_state(&mask);
	struct dt_avoid_thread *thread = needs_of(t);
	uint32_t section = shim_section_load(first);
	for (uint32_t i = 0; i < thread->count; i++)
		thread->needs[i].claim = thread->needs[i].held;
	const struct shim_section *s = section ? shim_section_at(section) : NULL;
	for (uint32_t i = 0; s && i < s->count; i++) {
		uint32_t known = thread->count, at = need_at(thread, s->needs[i].resource, s->needs[i].units);
		if (at == known && at < DT_AVOID_NEEDS)
			seat_of(t)->members[at] = 0;
	}
	seat_of(t)->section = section;
	seat_of(t)->first = first->lock;
	unlock_state(&mask);
}

static void given_back(void)
{
	uint64_t mask;
	if (SHIM_LIKELY(!atomic_load(&state->waiting)))
		return;
	lock_state(&mask);
	serve_queue();
	unlock_state(&mask);
}

void shim_avoid_released(struct shim_thread *t, const void *of, uint32_t how)
{
	if (!active(t))
		return;
	count_out(t, of, how);
	if (!bottom(t, t->depth))
		dt_avoid_leave(&state->bank, t->avoid - 1);
	else if (of == seat_of(t)->first && !shim_held_find(t, of))
		begin_anew(t);
	given_back();
}

void shim_avoid_not_got(struct shim_thread *t, uint32_t index)
{
	if (t->avoid_pending != index + 1 || t->handler)
		return;
	t->avoid_pending = 0;
	struct shim_held *e = &t->held[index];
	uint32_t how = e->how;
	e->how = 0;
	shim_avoid_released(t, e->lock, how);
}

void shim_avoid_want_unit(struct shim_thread *t, const void *sem, uint32_t how)
{
	if (passes(t))
		return;
	t->avoid_pending = 0;
	if (how & (SHIM_HOW_TRY | SHIM_HOW_TIMED))
		return;
	const struct shim_held *e = shim_held_find(t, sem);
	if (e && request(t, t->depth, e, DT_LOCK_SEM, false))
		t->avoid_pending = UNIT_PENDING;
}

void shim_avoid_got_unit(struct shim_thread *t, const void *sem, bool got)
{
	if (t->busy || t->handler)
		return;
	bool pending = t->avoid_pending == UNIT_PENDING;
	struct shim_held *e = shim_held_find(t, sem);
	t->avoid_pending = 0;
	if (got && !pending && e && e->how & SHIM_HOW_AVOIDED)
		request(t, t->depth, e, DT_LOCK_SEM, true);
	else if (!got && pending)
		shim_avoid_released(t, sem, DT_LOCK_SEM);
}

void shim_avoid_thread_ended(struct shim_thread *t)
{
	uint64_t mask;
	if (!t->avoid)
		return;
	lock_state(&mask);
	dt_avoid_leave(&state->bank, t->avoid - 1);
	leave_queue(t);
	seat_of(t)->taken = false;
	t->avoid = 0;
	unlock_state(&mask);
	given_back();
}
