/* thread.c: the engine's start, and the lives of threads in it. */
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../identity.h"
#include "../options.h"
#include "../process.h"
#include "../region.h"
#include "../thread.h"
#include "abi.h"
#include "engine.h"
#include "libc.h"
#include "predict.h"
#include "sync.h"
#include "trace.h"

enum { THREADS_MAX = 1 << 20, THREADS_A_REGION = 8, FIRST_STACK_MOST = 64 << 20 };

bool shim_race_on;
__thread struct race_hot race_hot __attribute__((tls_model("initial-exec")));
struct race_thread *race_threads;

static struct race_thread *free_threads;
static __thread bool forking __attribute__((tls_model("initial-exec"))); /* this thread holds all lists */
struct race_list_lock race_list_locks[RACE_LISTS];

/* What a thread knew when it created another, or ended: for the one, or for who joins it; by thread id. */
struct handover {
	struct race_clock *clock, *must;
};
static struct handover *begins, *ends;
static enum { UNTRIED, STARTING, STARTED, REFUSED } state;

bool race_start(void)
{
	int expected = UNTRIED;
	if (__atomic_load_n(&state, __ATOMIC_ACQUIRE) != UNTRIED)
		return __atomic_load_n(&state, __ATOMIC_ACQUIRE) == STARTED;
	shim_attach(&shim_self);
	if (!__atomic_compare_exchange_n((int *)&state, &expected, STARTING, false, __ATOMIC_ACQ_REL,
	                                 __ATOMIC_ACQUIRE))
		return false;
	bool ok = shim_options.races && shim_self.capacity && race_shadow_open() && race_sync_open();
	begins = ok ? shim_region_map(THREADS_MAX * sizeof *begins, false) : NULL;
	ends = ok ? shim_region_map(THREADS_MAX * sizeof *ends, false) : NULL;
	ok = begins && ends;
	__atomic_store_n((int *)&state, ok ? STARTED : REFUSED, __ATOMIC_RELEASE);
	__atomic_store_n(&shim_race_on, ok, __ATOMIC_RELEASE);
	if (ok)
		race_libc_open();
	return ok;
}

static struct race_thread *thread_room(void)
{
	race_list_lock(RACE_LIST_THREADS);
	struct race_thread *t = free_threads;
	if (t)
		free_threads = t->next_free;
	race_list_unlock(RACE_LIST_THREADS);
	if (t)
		return t;
	t = shim_region_map(sizeof *t, false);
	if (!t || !(t->frames = shim_region_map(RACE_FRAMES_MAX * sizeof *t->frames, false)))
		return NULL;
	race_list_lock(RACE_LIST_THREADS);
	t->next_all = race_threads;
	__atomic_store_n(&race_threads, t, __ATOMIC_RELEASE);
	race_list_unlock(RACE_LIST_THREADS);
	return t;
}

static void forget_past(struct race_thread *t)
{
	struct race_thread *all = t->next_all;
	struct race_frame *frames = t->frames;
	*t = (struct race_thread){.next_all = all, .frames = frames, .worn = t->worn};
	t->clock.era = t->must.era = t->to_acquire.era = t->to_release.era = race_era;
}

bool race_many_threads;

struct race_thread *race_thread_new(uint32_t id)
{
	struct race_thread *t = thread_room();
	if (t) {
		forget_past(t);
		t->id = id;
	} else {
		race_give_up();
	}
	return t;
}

void race_thread_free(struct race_thread *t)
{
	race_trace_end(t);
	race_slot_leave(t);
	__atomic_store_n(&t->live, false, __ATOMIC_RELEASE);
	race_list_lock(RACE_LIST_THREADS);
	t->next_free = free_threads;
	free_threads = t;
	race_list_unlock(RACE_LIST_THREADS);
}

/* The first thread's is the kernel's and grows; for more, libc would read a file. */
static void first_stack(struct race_thread *t)
{
	struct rlimit limit;
	size_t bytes = getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur < FIRST_STACK_MOST
	                   ? limit.rlim_cur
	                   : FIRST_STACK_MOST;
	t->stack_end = shim_self.stack_top;
	t->stack_start = t->stack_end > bytes ? t->stack_end - bytes : 0;
}

/* Its stack was another thread's, and what that did there is over. */
static void clear_stack(struct race_thread *t)
{
	pthread_attr_t attributes;
	void *start;
	size_t bytes;
	if ((pid_t)gettid() == getpid()) {
		first_stack(t);
		return;
	}
	if (pthread_getattr_np(pthread_self(), &attributes) != 0)
		return;
	if (pthread_attr_getstack(&attributes, &start, &bytes) == 0) {
		t->stack_start = (uintptr_t)start;
		t->stack_end = (uintptr_t)start + bytes;
		race_shadow_clear(t->stack_start, bytes);
		race_meta_clear(t->stack_start, bytes);
	}
	pthread_attr_destroy(&attributes);
}

static void take_over(struct race_thread *t, struct handover *from)
{
	struct race_clock *clock = __atomic_exchange_n(&from->clock, NULL, __ATOMIC_ACQ_REL);
	struct race_clock *must = __atomic_exchange_n(&from->must, NULL, __ATOMIC_ACQ_REL);
	if (clock && must) {
		race_clock_refresh(&t->clock);
		race_clock_refresh(&t->must);
		race_clock_refresh(clock);
		race_clock_refresh(must);
		race_clock_join(&t->clock, clock);
		race_clock_join(&t->must, must);
		race_learned(t);
	}
	race_clock_free(clock);
	race_clock_free(must);
}

static void hand_over(const struct race_thread *t, struct handover *to)
{
	struct race_clock *clock = race_clock_new(), *must = race_clock_new();
	if (clock && must) {
		race_clock_copy(clock, &t->clock);
		race_clock_copy(must, &t->must);
	}
	race_clock_free(__atomic_exchange_n(&to->must, must, __ATOMIC_ACQ_REL));
	race_clock_free(__atomic_exchange_n(&to->clock, clock, __ATOMIC_ACQ_REL));
}

static bool attach(struct race_hot *hot, uint32_t id)
{
	race_enter(hot);
	struct race_thread *t = race_thread_new(id);
	if (!t) {
		race_leave(hot);
		return false;
	}
	t->pointer = (uintptr_t)__builtin_thread_pointer();
	clear_stack(t);
	if (id < THREADS_MAX)
		take_over(t, &begins[id]);
	race_slot_take(t);
	/* Before the new thread's first access. */
	static bool one;
	if (__atomic_exchange_n(&one, true, __ATOMIC_RELAXED))
		__atomic_store_n(&race_many_threads, true, __ATOMIC_SEQ_CST);
	hot->thread = t;
	hot->frame = t->frames;
	hot->ignore = 0;
	race_watch(hot);
	hot->stamp = race_stamp(t->slot, t->epoch);
	hot->exact = race_many_threads ? RACE_EXACT : 0;
	race_trace_begin(hot);
	race_predict_epoch(t);
	__atomic_store_n(&t->live, true, __ATOMIC_RELEASE);
	race_leave(hot);
	return true;
}

bool race_attach(void)
{
	struct race_hot *hot = &race_hot;
	struct shim_thread *self = &shim_self;
	if (hot->stamp)
		return true;
	if (!shim_race_on || hot->gone || hot->busy || (!self->capacity && !shim_attach(self)) ||
	    !shim_process_check(self))
		return false;
	return attach(hot, self->id);
}

/* The calling thread may work on clocks; clear with race_leave. */
static struct race_hot *enter(void)
{
	struct race_hot *hot = race_self();
	if (!hot || hot->busy || hot->ignore & RACE_IGNORE_SYNC)
		return NULL;
	race_enter(hot);
	return hot;
}

void shim_race_create_now(uint32_t id)
{
	struct race_hot *hot = enter();
	if (!hot)
		return;
	if (id < THREADS_MAX) {
		race_clock_refresh(&hot->thread->clock);
		race_clock_refresh(&hot->thread->must);
		hand_over(hot->thread, &begins[id]);
	}
	__atomic_store_n(&race_many_threads, true, __ATOMIC_RELAXED);
	hot->exact = RACE_EXACT;
	race_epoch_next(hot);
	race_leave(hot);
}

void shim_race_begin_now(uint32_t id)
{
	struct race_hot *hot = &race_hot;
	if (!hot->stamp && !hot->gone)
		attach(hot, id);
}

static bool is_detached(void)
{
	pthread_attr_t attributes;
	int detached = PTHREAD_CREATE_JOINABLE;
	if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
		pthread_attr_getdetachstate(&attributes, &detached);
		pthread_attr_destroy(&attributes);
	}
	return detached == PTHREAD_CREATE_DETACHED;
}

void shim_race_end_now(uint32_t id)
{
	struct race_hot *hot = &race_hot;
	if (!hot->stamp || hot->busy)
		return;
	struct race_thread *t = hot->thread;
	race_enter(hot);
	if (id < THREADS_MAX && !is_detached()) {
		race_clock_refresh(&t->clock);
		race_clock_refresh(&t->must);
		hand_over(t, &ends[id]);
	}
	hot->stamp = 0;
	hot->gone = true;
	race_thread_free(t);
	hot->thread = NULL;
	race_leave(hot);
}

void shim_race_joined_now(uint32_t id)
{
	struct race_hot *hot = enter();
	if (!hot)
		return;
	if (id && id < THREADS_MAX)
		take_over(hot->thread, &ends[id]);
	race_leave(hot);
}

/* A handler that forks while its thread is in the engine, which only one for a fault does, has its locks
 * already. */
void shim_race_forking_now(void)
{
	struct race_hot *hot = &race_hot;
	if (hot->busy)
		return;
	race_enter(hot);
	for (int list = 0; list < RACE_LISTS; list++)
		race_list_lock((enum race_list)list);
	forking = true;
}

void shim_race_has_forked_now(void)
{
	if (!forking)
		return;
	forking = false;
	for (int list = RACE_LISTS; list-- > 0;)
		race_list_unlock((enum race_list)list);
	race_leave(&race_hot);
}

/* The child of a fork has the one thread, under another id: what others did here, they did in another
 * process, and their locks are not to be had; but it all came before the child's first step. */
void shim_race_forked_now(void)
{
	struct race_hot *hot = &race_hot;
	struct race_thread *t = hot->thread;
	for (int list = 0; list < RACE_LISTS; list++)
		race_list_locks[list].word = 0;
	race_sync_forked();
	race_report_forked();
	forking = false;
	if (!hot->stamp) {
		race_leave(hot);
		return;
	}
	for (struct race_thread *other = race_threads; other; other = other->next_all)
		if (other != t && other->live) {
			race_clock_join(&t->clock, &other->clock);
			race_clock_join(&t->must, &other->must);
			if (t->clock.epoch[other->slot] < other->epoch)
				t->clock.epoch[other->slot] = t->must.epoch[other->slot] =
				    (uint16_t)other->epoch;
			race_slot_leave(other);
			other->live = false;
		}
	race_learned(t);
	t->id = shim_self.id;
	race_signal_is_parents(hot);
	race_leave(hot);
}

/* ---- what the hooks report ---- */

void shim_race_acquire_now(const void *object, bool must)
{
	struct race_hot *hot = enter();
	if (!hot)
		return;
	struct race_sync *sync = race_sync_lock((uintptr_t)object, false);
	if (sync) {
		race_sync_acquire(hot->thread, sync, must);
		race_sync_unlock(sync);
	}
	race_leave(hot);
}

void shim_race_release_now(const void *object, enum shim_race_sync how, bool must)
{
	struct race_hot *hot = enter();
	if (!hot)
		return;
	struct race_sync *sync = race_sync_lock((uintptr_t)object, true);
	if (sync) {
		race_sync_release(hot, sync, how, must);
		race_sync_unlock(sync);
	}
	race_leave(hot);
}

void shim_race_lock_now(const void *lock, uint32_t how, uint32_t context)
{
	struct race_hot *hot = race_self();
	if (!hot || hot->busy)
		return;
	struct race_thread *t = hot->thread;
	shim_race_acquire_now(lock, false);
	if (race_is_rwlock(how) && !(how & SHIM_HOW_SHARED))
		shim_race_acquire_now(race_readers_of(lock), false);
	race_enter(hot);
	bool idle = race_epoch_idle(hot);
	/* The event first: a part that begins here begins with what was held before it. */
	race_trace_event2(hot, RACE_EVENT_LOCK, (uintptr_t)lock, (uint64_t)how << 32 | context);
	if (t->lock_count < RACE_LOCKS_MAX)
		t->locks[t->lock_count++] = (struct race_lock){lock, context, how, 0}, t->unlearned++;
	if (race_predict_lockset(t)) {
		if (idle)
			race_predict_epoch(t);
		else
			race_epoch_next(hot);
	}
	race_leave(hot);
}

/* Take it from the list of held locks: how it was held, or 0. */
static uint32_t drop_lock(struct race_thread *t, const void *lock)
{
	for (uint32_t i = t->lock_count; i-- > 0;) {
		if (t->locks[i].lock != lock)
			continue;
		uint32_t how = t->locks[i].how;
		t->unlearned -= !t->locks[i].learned;
		for (uint32_t j = i + 1; j < t->lock_count; j++)
			t->locks[j - 1] = t->locks[j];
		t->lock_count--;
		return how;
	}
	return 0;
}

/* A recursive mutex that was taken more than once is given back one of these times: that is no release. */
static bool stays_held(const void *lock)
{
	const struct shim_thread *self = &shim_self;
	for (uint32_t i = self->depth; self->capacity && i-- > 0;)
		if (self->held[i].lock == lock)
			return self->held[i].how & SHIM_HOW_RELOCKS;
	return false;
}

void shim_race_unlock_now(const void *lock, uint32_t how)
{
	struct race_hot *hot = race_self();
	if (!hot || hot->busy || ((how & SHIM_HOW_KIND) == DT_LOCK_MUTEX && stays_held(lock)))
		return;
	race_enter(hot);
	race_trace_event(hot, RACE_EVENT_UNLOCK, (uintptr_t)lock);
	race_leave(hot);
	struct race_thread *t = hot->thread;
	uint32_t held = drop_lock(t, lock), epoch = t->epoch;
	bool changed = race_predict_lockset(t);
	if (race_is_rwlock(how) && held & SHIM_HOW_SHARED)
		shim_race_release_now(race_readers_of(lock), SHIM_RACE_JOIN, false);
	else
		shim_race_release_now(lock, SHIM_RACE_STORE, false);
	race_enter(hot);
	if (changed && t->epoch == epoch)
		race_epoch_next(hot);
	race_leave(hot);
}

void shim_race_forget_now(const void *object, size_t bytes)
{
	struct race_hot *hot = race_self();
	if (!hot || hot->busy)
		return;
	race_enter(hot);
	for (size_t at = 0; at < bytes; at += RACE_WORD) {
		struct race_sync *sync = race_sync_lock((uintptr_t)object + at, false);
		if (sync) {
			race_sync_silence(sync);
			race_sync_unlock(sync);
		}
	}
	race_leave(hot);
}

ABI(void, __tsan_init, (void))
{
	if (race_start())
		race_attach();
}
