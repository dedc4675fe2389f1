/* thread.c: the life of a thread as the shim sees it.
 *
 * The end is noted by a destructor of thread-specific data that puts itself off to the last of the
 * rounds, so that locks taken by the program's own destructors are still seen. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "avoid.h"
#include "board.h"
#include "fast_mutex.h"
#include "hook.h"
#include "identity.h"
#include "log.h"
#include "misuse.h"
#include "modules.h"
#include "options.h"
#include "process.h"
#include "race/race.h"
#include "region.h"
#include "seen.h"
#include "signals.h"
#include "stall.h"
#include "states.h"
#include "tables.h"
#include "thread.h"
#include "unwind.h"

enum { THREADS_MAX = 1 << 20, SEGMENTS_MAX = 1 << 22, BLOCKS_A_REGION = 8 };
#define THREAD_STACK_MAX ((uintptr_t)8 << 30)

__thread struct shim_thread shim_self __attribute__((tls_model("initial-exec")));
_Atomic uint32_t shim_code_epoch;

extern void *__libc_stack_end;

enum { HANDLES = 1 << 16 };

struct handle_slot {
	_Atomic uintptr_t handle;
	_Atomic uint32_t id;
	uint32_t zero;
};

static struct handle_slot *handles;
static _Atomic uint32_t thread_ids, segment_ids;
static _Atomic uint32_t *last_segments;  /* by thread id: of threads that ended */
static _Atomic uint8_t *cancelled;       /* a bit a thread id */
static _Atomic bool any_cancelled;
static _Atomic uint64_t free_blocks;     /* pointer in the low 48 bits, a counter against ABA above */
static pthread_key_t end_key;
static _Atomic int end_key_state;        /* 0 none, 1 being made, 2 made */

bool shim_threads_open(void)
{
	last_segments = shim_region_map(THREADS_MAX * sizeof *last_segments, true);
	handles = shim_region_map(HANDLES * sizeof *handles, true);
	cancelled = shim_region_map(THREADS_MAX / 8, true);
	return last_segments && handles && cancelled;
}

void shim_threads_forked(void)
{
	atomic_store(&thread_ids, 0);
	atomic_store(&segment_ids, 0);
	atomic_store(&free_blocks, 0);
}

static void block_push(struct shim_thread_block *block)
{
	uint64_t head = atomic_load(&free_blocks), next;
	do {
		block->next = (struct shim_thread_block *)(head & 0xffffffffffffu);
		next = ((head >> 48) + 1) << 48 | (uint64_t)(uintptr_t)block;
	} while (!atomic_compare_exchange_weak(&free_blocks, &head, next));
}

static struct shim_thread_block *block_pop(void)
{
	uint64_t head = atomic_load(&free_blocks);
	for (;;) {
		struct shim_thread_block *block = (struct shim_thread_block *)(head & 0xffffffffffffu);
		if (!block)
			break;
		uint64_t next = ((head >> 48) + 1) << 48 | (uint64_t)(uintptr_t)block->next;
		if (atomic_compare_exchange_weak(&free_blocks, &head, next))
			return block;
	}
	struct shim_thread_block *blocks = shim_region_map(BLOCKS_A_REGION * sizeof *blocks, true);
	struct shim_shown *shown = blocks ? shim_region_map(BLOCKS_A_REGION * sizeof *shown, false) : NULL;
	for (int i = 0; shown && i < BLOCKS_A_REGION; i++) {
		blocks[i].shown = &shown[i];
		if (i > 0)
			block_push(&blocks[i]);
	}
	return shown ? blocks : NULL;
}

static uint64_t salt_of(uint32_t segment)
{
	return ((uint64_t)segment * 0x9e3779b97f4a7c15u) << 1;
}

void shim_salt_renew(struct shim_thread *t)
{
	t->salt = salt_of(t->segment) ^ shim_signals_salt(t->signals);
}

void shim_segment_order(uint32_t id, uint32_t thread, uint32_t pred)
{
	struct dt_rec_segment rec = {{DT_REC_SEGMENT, 0, 0}, id, thread, pred, 0};
	SHIM_LOG(&rec);
}

static uint32_t segment_new(uint32_t thread, uint32_t pred)
{
	uint32_t id = atomic_fetch_add(&segment_ids, 1) + 1;
	shim_segment_order(id, thread, pred);
	return id;
}

static bool segments_left(void)
{
	if (atomic_load_explicit(&segment_ids, memory_order_relaxed) < SEGMENTS_MAX)
		return true;
	shim_log_count(DT_COUNT_SEGMENTS_LOST, 1);
	return false;
}

void shim_segment_next(struct shim_thread *t, uint32_t pred)
{
	if (!segments_left())
		return;
	uint32_t id = segment_new(t->id, t->segment);
	if (pred)
		shim_segment_order(id, t->id, pred);
	t->segment = id;
	shim_salt_renew(t);
}

uint32_t shim_segment_meeting(void)
{
	return segments_left() ? atomic_fetch_add(&segment_ids, 1) + 1 : 0;
}

/* The arriving segment must have the smaller number, so the meeting gets its own when it is left. */
void shim_segment_arrive(struct shim_thread *t, uint32_t meeting)
{
	shim_segment_order(meeting, 0, t->segment);
}

static void log_thread(const struct shim_thread *t, const struct shim_start *start)
{
	struct dt_rec_thread rec = {.head = {DT_REC_THREAD, 0, 0}, .id = t->id, .tid = t->tid, .first_segment = t->segment};
	if (start) {
		rec.parent = start->parent;
		rec.create_stack = start->context;
		rec.start_function = start->routine ? (uintptr_t)start->routine : (uintptr_t)start->routine_c11;
		shim_stack_log(rec.create_stack);
		shim_modules_see(rec.start_function);
	}
	SHIM_LOG(&rec);
}

/* Handles of threads, by address: a handle that comes again is another thread, with a larger id. */
static struct handle_slot *handle_slot(pthread_t handle, bool add)
{
	uintptr_t key = (uintptr_t)handle;
	for (uint32_t i = (uint32_t)(key >> 12), tries = 0; tries < 256; i++, tries++) {
		struct handle_slot *slot = &handles[i & (HANDLES - 1)];
		uintptr_t found = atomic_load_explicit(&slot->handle, memory_order_acquire);
		if (!found && (!add || atomic_compare_exchange_strong(&slot->handle, &found, key)))
			return add ? slot : NULL;
		if (found == key)
			return slot;
	}
	return NULL;
}

static void handle_is(pthread_t handle, uint32_t id)
{
	struct handle_slot *slot = handle_slot(handle, true);
	uint32_t known = slot ? atomic_load(&slot->id) : id;
	while (known < id && !atomic_compare_exchange_weak(&slot->id, &known, id))
		;
}

uint32_t shim_thread_id_of(pthread_t handle)
{
	struct handle_slot *slot = handles ? handle_slot(handle, false) : NULL;
	return slot ? atomic_load(&slot->id) : 0;
}

void shim_thread_cancelled(uint32_t id)
{
	if (!id || id >= THREADS_MAX || !cancelled)
		return;
	atomic_fetch_or(&cancelled[id / 8], (uint8_t)(1 << id % 8));
	atomic_store(&any_cancelled, true);
}

bool shim_thread_is_cancelled(uint32_t id)
{
	return atomic_load(&any_cancelled) && id < THREADS_MAX && atomic_load(&cancelled[id / 8]) >> id % 8 & 1;
}

static uint32_t thread_id_new(void)
{
	uint32_t id = atomic_fetch_add(&thread_ids, 1) + 1;
	if (id >= THREADS_MAX)
		shim_log_count(DT_COUNT_THREADS_LOST, 1);
	return id;
}

void shim_thread_register(struct shim_thread *t)
{
	struct shim_start *start = t->block ? &t->block->start : NULL;
	bool prepared = start && start->process == t->process;
	t->tid = (int32_t)syscall(SYS_gettid);
	shim_fast_mutex_probe(&t->owner);
	t->id = prepared ? start->id : thread_id_new();
	t->segment = prepared ? start->segment : segment_new(t->id, 0);
	t->signals = (uint16_t)((t->signals & SHIM_SIGNALS_HANDLER) | SHIM_SIGNALS_OPEN_UNKNOWN << SHIM_SIGNALS_OPEN_SHIFT);
	shim_salt_renew(t);
	/* In the child of a fork: the stack is the same, the log is another, and the block was wiped. */
	if (t->block)
		t->block->shown = t->shown;
	for (uint32_t i = 0; i < t->depth; i++)
		t->held[i].acq = 0;
	handle_is(pthread_self(), t->id);
	log_thread(t, prepared ? start : NULL);
	shim_stall_thread_begins(t);
	shim_board_enter(t);
	shim_states_thread_begins(t);
}

static void thread_ended(struct shim_thread *t)
{
	shim_race_end(t->id);
	if (shim_log_ready() && t->id) {
		t->busy = 1;
		shim_misuse_exit(t);
		t->busy = 0;
		if (t->has_stack_locks) {
			uintptr_t here = (uintptr_t)__builtin_frame_address(0);
			shim_identity_range_ended(here, t->stack_top - here);
		}
		if (t->id < THREADS_MAX)
			atomic_store_explicit(&last_segments[t->id], t->segment, memory_order_release);
		struct dt_rec_id rec = {{DT_REC_THREAD_END, 0, 0}, t->id, 0};
		SHIM_LOG(&rec);
	}
	t->capacity = 0;
	t->depth = 0;
	t->owner = 0;
	t->state = SHIM_THREAD_GONE;
	/* The block is another thread's from here on: a late malloc or free must not write to it. */
	t->contexts = NULL;
	t->allocations = NULL;
	shim_board_thread_ended(t);
	shim_avoid_thread_ended(t);
	shim_states_thread_ended(t);
	if (shim_log_ready() && t->id) {
		t->busy = 1;
		shim_stall_thread_ended(t);
		t->busy = 0;
	}
	shim_seen_free(t);
	if (t->block)
		block_push(t->block);
	t->block = NULL;
}

static void end_destructor(void *value)
{
	uintptr_t round = (uintptr_t)value;
	if (round < PTHREAD_DESTRUCTOR_ITERATIONS)
		pthread_setspecific(end_key, (void *)(round + 1));
	else
		thread_ended(&shim_self);
}

static void watch_end(void)
{
	int state = 0;
	if (atomic_compare_exchange_strong(&end_key_state, &state, 1))
		atomic_store(&end_key_state, pthread_key_create(&end_key, end_destructor) == 0 ? 2 : 0);
	if (atomic_load(&end_key_state) == 2)
		pthread_setspecific(end_key, (void *)1);
}

/* glibc puts the thread's control block at the top of its stack; the first thread's stack is the
 * kernel's, and the loader keeps where it began. */
static uintptr_t find_stack_top(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0), self = (uintptr_t)pthread_self();
	uintptr_t end = (uintptr_t)__libc_stack_end;
	if (here < self && self - here < THREAD_STACK_MAX)
		return self;
	return here < end ? end : 0;
}

static void equip(struct shim_thread *t, struct shim_thread_block *block)
{
	t->block = block;
	memset(block->onces, 0, sizeof block->onces);
	t->contexts = block->contexts;
	t->allocations = shim_options.heap ? block->allocations : NULL;
	t->tags = block->tags;
	t->tag_mask = (uint32_t)(sizeof block->tags / sizeof *block->tags) - 1;
	t->sample = 1;
	t->shown = block->shown;
	*t->shown = (struct shim_shown){.held = {{.how = SHIM_HOW_HELD}}};
	t->held = t->shown->held + 1;
	t->stack_top = find_stack_top();
	shim_unwind_set_stack((uintptr_t)__builtin_frame_address(0), t->stack_top);
}

static bool attach_with(struct shim_thread *t, struct shim_thread_block *block)
{
	equip(t, block);
	if (!shim_process_check(t)) {
		t->block = NULL;
		block_push(block);
		return false;
	}
	watch_end();
	t->state = SHIM_THREAD_READY;
	t->capacity = SHIM_HELD_INLINE;
	return true;
}

bool shim_attach(struct shim_thread *t)
{
	if (t->state != SHIM_THREAD_NEW)
		return false;
	int saved = errno;
	t->state = SHIM_THREAD_ATTACHING;
	shim_hooks_resolve();
	struct shim_thread_block *block = shim_log_wanted() ? block_pop() : NULL;
	if (block)
		memset(&block->start, 0, sizeof block->start);
	if (!block || !attach_with(t, block))
		t->state = SHIM_THREAD_NEW;
	errno = saved;
	return t->state == SHIM_THREAD_READY;
}

/* The creator reads the new thread's pthread_t where the program wanted it, and that may be memory that
 * the new thread frees. So either the creator has read it before the new thread runs the program's code,
 * or, when that has begun, the creator leaves it alone: the thread has said itself who it is. The wait is
 * for a creator that is between two loads; a futex, since one that spins may have the higher priority. */
enum handover { UNREAD, READING, WAITED_FOR, PASSED };

/* The id keeps apart the threads that a block is used for, one after the other. */
static uint32_t handover_of(uint32_t id, enum handover state)
{
	return id << 2 | state;
}

struct shim_thread_block *shim_thread_prepare(struct shim_thread *t, uintptr_t slot)
{
	if (t->busy || (!t->capacity && !shim_attach(t)) || !shim_process_check(t))
		return NULL;
	struct shim_thread_block *block = block_pop();
	if (!block)
		return NULL;
	uint32_t context = shim_context_find(t, slot)->id;
	uint32_t id = thread_id_new();
	block->start = (struct shim_start){.id = id, .parent = t->id, .context = context, .process = t->process};
	block->start.segment = segment_new(id, t->segment);
	atomic_store(&block->start.handover, handover_of(id, UNREAD));
	shim_race_create(id);
	return block;
}

static void read_handle(struct shim_start *start, const pthread_t *thread, uint32_t id)
{
	uint32_t unread = handover_of(id, UNREAD);
	if (!atomic_compare_exchange_strong(&start->handover, &unread, handover_of(id, READING)))
		return;
	/* It may be joined before it has run at all. */
	handle_is(*thread, id);
	if (atomic_exchange(&start->handover, handover_of(id, PASSED)) == handover_of(id, WAITED_FOR))
		syscall(SYS_futex, &start->handover, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void await_handover(struct shim_start *start)
{
	uint32_t now = handover_of(start->id, UNREAD), waited_for = handover_of(start->id, WAITED_FOR);
	if (atomic_compare_exchange_strong(&start->handover, &now, handover_of(start->id, PASSED)))
		return;
	if (now == handover_of(start->id, READING))
		atomic_compare_exchange_strong(&start->handover, &now, waited_for);
	while (atomic_load(&start->handover) == waited_for)
		syscall(SYS_futex, &start->handover, FUTEX_WAIT_PRIVATE, waited_for, NULL, NULL, 0);
}

void shim_thread_created(struct shim_thread *t, struct shim_thread_block *block, const pthread_t *thread, uint32_t id)
{
	if (!thread) {
		block_push(block);
		return;
	}
	int saved = errno;
	read_handle(&block->start, thread, id);
	errno = saved;
	shim_segment_next(t, 0);
}

void shim_thread_begin(struct shim_thread_block *block)
{
	struct shim_thread *t = &shim_self;
	t->state = SHIM_THREAD_ATTACHING;
	/* First: who finds the handover passed may join at once, and the handle may be that of an earlier thread. */
	handle_is(pthread_self(), block->start.id);
	await_handover(&block->start);
	if (!attach_with(t, block))
		t->state = SHIM_THREAD_GONE;
	else
		shim_race_begin(t->id);
}

void shim_thread_begin_by_itself(const struct shim_start *start, bool ordered)
{
	struct shim_thread *t = &shim_self;
	struct shim_thread_block *block;
	if (t->state != SHIM_THREAD_NEW || !shim_log_ready() || !(block = block_pop()))
		return;
	t->state = SHIM_THREAD_ATTACHING;
	block->start = *start;
	block->start.id = thread_id_new();
	block->start.segment = segment_new(block->start.id, ordered ? start->segment : 0);
	if (!attach_with(t, block))
		t->state = SHIM_THREAD_NEW;
}

void shim_thread_joined(struct shim_thread *t, uint32_t id)
{
	if (!id || id >= THREADS_MAX || !t->capacity || !shim_process_check(t))
		return;
	shim_race_joined(id);
	uint32_t last = atomic_load_explicit(&last_segments[id], memory_order_acquire);
	if (last)
		shim_segment_next(t, last);
}
