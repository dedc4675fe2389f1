/* block.c: publish the wait, look for a deadlock, count the time. */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "block.h"
#include "fork_held.h"
#include "identity.h"
#include "log.h"
#include "note.h"
#include "once.h"
#include "options.h"
#include "process.h"
#include "stall.h"
#include "states.h"
#include "stats.h"
#include "tables.h"
#include "unit_circle.h"
#include "waitfor.h"

uint64_t shim_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct timespec after_ns(uint64_t ns)
{
	struct timespec at;
	clock_gettime(CLOCK_REALTIME, &at);
	ns += (uint64_t)at.tv_nsec;
	at.tv_sec += (time_t)(ns / 1000000000u);
	at.tv_nsec = (long)(ns % 1000000000u);
	return at;
}

enum limit { NO_LIMIT, LIMIT_TIMEOUT, LIMIT_LONG, LIMIT_LOOK };

/* The one that is over first, and after how long a wait. Without a slot the wait was not measured, so the clock does
 * not tell which one it was. */
static enum limit next_limit(const struct shim_block *b, uint64_t *limit_ns)
{
	const uint64_t limits[] = {
	    [LIMIT_TIMEOUT] = b->refusal ? 0 : (uint64_t)shim_options.lock_timeout * 1000000u,
	    [LIMIT_LONG] = b->said_long ? 0 : (uint64_t)shim_options.long_wait * 1000000000u,
	    [LIMIT_LOOK] = b->look_ns,
	};
	enum limit next = NO_LIMIT;
	*limit_ns = 0;
	for (enum limit i = LIMIT_TIMEOUT; i <= LIMIT_LOOK; i++) {
		if (!limits[i] || (next && limits[i] >= *limit_ns))
			continue;
		next = i;
		*limit_ns = limits[i];
	}
	return next;
}

bool shim_block_limit(const struct shim_block *b, struct timespec *deadline)
{
	uint64_t limit_ns;
	if (SHIM_LIKELY(!next_limit(b, &limit_ns)))
		return false;
	uint64_t waited_ns = b->begin_ns ? shim_now_ns() - b->begin_ns : 0;
	*deadline = after_ns(waited_ns < limit_ns ? limit_ns - waited_ns : 0);
	return true;
}

static uint8_t mode_of(uint32_t how)
{
	return how & SHIM_HOW_SHARED ? DT_MODE_SHARED : DT_MODE_EXCLUSIVE;
}

static uint32_t identity(struct shim_thread *t, const void *object, uint32_t how, uint32_t context)
{
	return object ? shim_identity_of(t, (void *)(uintptr_t)object, how & SHIM_HOW_KIND, context, 0) : 0;
}

static uint32_t count_held(const struct shim_thread *t)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < t->depth; i++)
		count += (t->held[i].how & SHIM_HOW_HELD) != 0;
	return count;
}

/* Of a lock that is held, without asking the object: its memory may be gone (shmdt). */
static uint32_t known_identity(const void *lock)
{
	bool initialised;
	return shim_identity_now(lock, &initialised);
}

static struct dt_board_held held_of_lock(const struct shim_held *h)
{
	shim_stack_log(h->context);
	return (struct dt_board_held){
	    .lock = (uintptr_t)h->lock,
	    .key = shim_identity_key(h->lock, h->how & SHIM_HOW_KIND),
	    .id = known_identity(h->lock),
	    .stack = h->context,
	    .kind = h->how & SHIM_HOW_KIND,
	    .mode = mode_of(h->how),
	    .units = (h->how & SHIM_HOW_KIND) == DT_LOCK_SEM
	                 ? (uint16_t)((h->how & SHIM_HOW_RELOCKS) / SHIM_HOW_RELOCK)
	                 : 0,
	};
}

static struct dt_board_held held_of_once(struct shim_thread *t, const struct shim_once_call *once)
{
	return (struct dt_board_held){
	    .lock = (uintptr_t)once->control,
	    .id = identity(t, once->control, DT_LOCK_ONCE, once->context),
	    .stack = once->context,
	    .kind = DT_LOCK_ONCE,
	};
}

/* First the innermost once routines that the thread runs, since those are nowhere else: so few that locks
 * which do not fit beside them lie in memory that others may read at any time, not with the thread (note.c:
 * grow_held). */
enum { ONCES_SHOWN = DT_BOARD_HELD - SHIM_HELD_INLINE };

static void publish_held(struct shim_thread *t, struct dt_board_slot *slot)
{
	uint32_t count = 0;
	for (const struct shim_once_call *once = t->once; once && count < ONCES_SHOWN; once = once->outer)
		if (once->running)
			slot->held[count++] = held_of_once(t, once);
	slot->held_address = (uintptr_t)t->held;
	slot->more_count = count + count_held(t) > DT_BOARD_HELD ? t->depth : 0;
	for (uint32_t i = 0; !slot->more_count && i < t->depth; i++)
		if (t->held[i].how & SHIM_HOW_HELD)
			slot->held[count++] = held_of_lock(&t->held[i]);
	slot->held_count = count;
}

static void publish_wait(struct shim_thread *t, struct dt_board_slot *slot, const struct shim_wait *wait)
{
	shim_stack_log(wait->context);
	slot->object = (uintptr_t)wait->object;
	slot->object_id = identity(t, wait->object, wait->how, wait->context);
	slot->key = wait->object ? shim_identity_key(wait->object, wait->how & SHIM_HOW_KIND) : 0;
	slot->mutex = (uintptr_t)wait->mutex;
	slot->mutex_id = identity(t, wait->mutex, DT_LOCK_MUTEX, wait->context);
	slot->stack = wait->context;
	slot->other_thread = wait->other_thread;
	slot->op = (uint8_t)wait->op;
	slot->kind = wait->how & SHIM_HOW_KIND;
	slot->mode = mode_of(wait->how);
	slot->wait = wait->how & SHIM_HOW_TIMED ? DT_WAIT_TIMED : DT_WAIT_FOREVER;
	slot->flags = 0;
	if (slot->kind == DT_LOCK_RWLOCK && ((const pthread_rwlock_t *)wait->object)->__data.__flags ==
	                                        PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP)
		slot->flags |= DT_BOARD_PREFERS_WRITER;
}

static void set_bit(uint64_t *bits, uint32_t at, bool on)
{
	uint64_t bit = (uint64_t)1 << at % 64;
	if (on)
		__atomic_fetch_or(&bits[at / 64], bit, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(&bits[at / 64], ~bit, __ATOMIC_SEQ_CST);
}

static void set_state(struct dt_board_slot *slot, enum dt_board_state state)
{
	uint32_t at = shim_board_index(slot);
	slot->state = state;
	__atomic_store_n(&slot->sequence, (slot->sequence | 1) + 1, __ATOMIC_SEQ_CST);
	set_bit(shim_board->blocked, at, state == DT_BOARD_BLOCKED);
	set_bit(shim_board->holders, at,
	        (state == DT_BOARD_BLOCKED || state == DT_BOARD_HELD_BACK) &&
	            (slot->held_count || slot->more_count));
	atomic_thread_fence(memory_order_seq_cst);
}

static void begin_write(struct dt_board_slot *slot)
{
	__atomic_store_n(&slot->sequence, slot->sequence | 1, __ATOMIC_SEQ_CST);
	atomic_thread_fence(memory_order_seq_cst);
}

/* A handler that runs inside a blocked call: that call's frame lies further out on the same stack. After a
 * longjmp out of the call it lies further in, or where nothing is any more. */
static bool interrupts_another(const struct shim_thread *t, const struct dt_board_slot *slot,
                               const void *here)
{
	uintptr_t now = (uintptr_t)here;
	return slot->state != DT_BOARD_RUNNING && (!shim_on_own_stack(t, now) || slot->frame > now);
}

static void publish(struct shim_block *b, struct shim_thread *t, struct dt_board_slot *slot,
                    enum dt_board_state state)
{
	b->nested = interrupts_another(t, slot, b);
	if (b->nested)
		b->outer = *slot;
	b->slot = slot;
	shim_drop_foreign_released(t);
	shim_states_look(t);
	begin_write(slot);
	slot->frame = (uintptr_t)b;
	slot->since_ns = b->begin_ns;
	publish_held(t, slot);
	publish_wait(t, slot, &b->wait);
	set_state(slot, state);
}

/* What it interrupted is blocked, or held back, again; else it runs. */
static void unpublish(struct shim_block *b)
{
	begin_write(b->slot);
	if (b->nested) {
		uint32_t sequence = b->slot->sequence;
		*b->slot = b->outer;
		b->slot->sequence = sequence;
		set_state(b->slot, (enum dt_board_state)b->outer.state);
	} else {
		set_state(b->slot, DT_BOARD_RUNNING);
	}
	b->slot = NULL;
}

static bool may_close_cycle(const struct shim_block *b)
{
	return !(b->wait.how & SHIM_HOW_TIMED) && (b->wait.op == DT_OP_ACQUIRE || b->wait.op == DT_OP_JOIN);
}

static void prepare(struct shim_block *b, struct shim_thread *t, const struct shim_wait *wait)
{
	b->thread = t;
	b->slot = NULL;
	b->stuck = false;
	b->said_long = false;
	b->refusal = 0;
	b->look_ns = 0;
	b->begin_ns = 0;
	b->wait = *wait;
}

bool shim_block_begin(struct shim_block *b, struct shim_thread *t, const struct shim_wait *wait)
{
	prepare(b, t, wait);
	if (t->busy || !t->capacity || !shim_process_check(t))
		return true;
	int saved = errno;
	t->busy = 1;
	b->begin_ns = shim_now_ns();
	if (wait->op == DT_OP_ACQUIRE)
		shim_fork_held_check(t, wait->object, wait->how & SHIM_HOW_KIND, wait->context);
	if (t->board)
		publish(b, t, t->board, DT_BOARD_BLOCKED);
	bool go = !b->slot || !may_close_cycle(b) || !shim_waitfor_check(t, b->slot, !b->wait.final);
	if (go)
		shim_stall_enter(b);
	t->busy = 0;
	if (!go)
		shim_block_end(b);
	errno = saved;
	return go;
}

/* A wait for a signal without a limit may be how a thread idles. */
static bool lasted_long(const struct shim_block *b)
{
	bool counts = b->wait.op == DT_OP_ACQUIRE || b->wait.how & SHIM_HOW_TIMED;
	return SHIM_UNLIKELY(shim_options.long_wait) && counts && !b->said_long && b->begin_ns &&
	       shim_now_ns() - b->begin_ns > (uint64_t)shim_options.long_wait * 1000000000u;
}

/* Contention is waiting for a lock; other waits are how threads work together. */
static void count_wait(const struct shim_block *b)
{
	struct shim_thread *t = b->thread;
	if (b->wait.op != DT_OP_ACQUIRE || t->busy)
		return;
	int saved = errno;
	t->busy = 1;
	shim_stats_waited(t, b->wait.object, b->wait.how & SHIM_HOW_KIND, b->wait.context, b->begin_ns,
	                  shim_now_ns());
	t->busy = 0;
	errno = saved;
}

static void tell(struct shim_block *b, enum dt_incident incident)
{
	struct shim_thread *t = b->thread;
	if (!b->slot || t->busy)
		return;
	int saved = errno;
	t->busy = 1;
	shim_waitfor_tell_wait(t, b->slot, incident);
	t->busy = 0;
	errno = saved;
}

static void long_wait_over(struct shim_block *b)
{
	b->said_long = true;
	tell(b, DT_INCIDENT_LONG_WAIT);
}

void shim_block_end(struct shim_block *b)
{
	if (!b->slot)
		return;
	if (lasted_long(b))
		long_wait_over(b);
	count_wait(b);
	shim_stall_leave(b);
	unpublish(b);
}

bool shim_block_hold_back(struct shim_block *b, struct shim_thread *t, const struct shim_wait *wait)
{
	prepare(b, t, wait);
	if (t->busy || !t->capacity || !t->board || !shim_process_check(t))
		return false;
	int saved = errno;
	t->busy = 1;
	b->begin_ns = shim_now_ns();
	publish(b, t, t->board, DT_BOARD_HELD_BACK);
	t->busy = 0;
	errno = saved;
	return true;
}

void shim_block_let_go(struct shim_block *b)
{
	unpublish(b);
}

void shim_block_cleanup(void *block)
{
	shim_block_end(block);
}

void shim_block_look_for_units(struct shim_block *b)
{
	if (b->slot)
		b->look_ns = SHIM_UNIT_LOOK_NS;
}

static void look_for_units(struct shim_block *b)
{
	struct shim_thread *t = b->thread;
	b->look_ns += b->look_ns < SHIM_UNIT_LOOK_APART_NS ? b->look_ns : SHIM_UNIT_LOOK_APART_NS;
	if (t->busy)
		return;
	int saved = errno;
	t->busy = 1;
	shim_unit_circle_look(t, b->slot);
	t->busy = 0;
	errno = saved;
}

static bool is_closed(const struct shim_block *b)
{
	struct shim_thread *t = b->thread;
	if (!b->slot || t->busy)
		return false;
	int saved = errno;
	t->busy = 1;
	bool closed = shim_waitfor_is_closed(b->slot);
	t->busy = 0;
	errno = saved;
	return closed;
}

bool shim_block_limit_over(struct shim_block *b)
{
	uint64_t limit_ns;
	switch (next_limit(b, &limit_ns)) {
	case LIMIT_LOOK:
		look_for_units(b);
		return true;
	case LIMIT_LONG:
		long_wait_over(b);
		return true;
	case LIMIT_TIMEOUT:
	case NO_LIMIT:
		break;
	}
	b->refusal = is_closed(b) ? EDEADLK : ETIMEDOUT;
	tell(b, DT_INCIDENT_LOCK_TIMEOUT);
	return false;
}
