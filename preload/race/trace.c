/* trace.c: parts of traces, and the way back from a cell to the access that left it: the part in which its
 * epoch lies is read from its beginning, with a stack of calls and a list of locks. */
#include "trace.h"

#include "../options.h"
#include "../region.h"
#include "worn.h"

enum { PARTS_A_REGION = 32, OPENING_FRAMES = 256, SCRATCH_FRAMES = 4096 };

static struct race_part *free_parts; /* of nobody */
static struct race_part *finished, **finished_end = &finished;
static uint32_t finished_count;
static uint64_t serials;

static struct race_part *part_new(void)
{
	struct race_part *part = free_parts;
	if (part) {
		free_parts = part->newer_free;
		return part;
	}
	/* What finished threads did is kept for a while. */
	if (finished && finished_count >= shim_options.race_history * 64) {
		part = finished;
		finished = part->newer_free;
		finished_count--;
		if (!finished)
			finished_end = &finished;
		return part;
	}
	char *region = shim_region_map((PARTS_A_REGION + 1) * RACE_PART_BYTES, false);
	if (!region)
		return NULL;
	region = (char *)(((uintptr_t)region + RACE_PART_BYTES - 1) & ~(uintptr_t)(RACE_PART_BYTES - 1));
	for (int i = PARTS_A_REGION - 1; i > 0; i--) {
		struct race_part *more = (struct race_part *)(void *)(region + i * RACE_PART_BYTES);
		more->newer_free = free_parts;
		free_parts = more;
	}
	return (struct race_part *)(void *)region;
}

static struct race_part *part_for(struct race_thread *t)
{
	struct race_part *part = NULL;
	if (t->part_count < shim_options.race_history || t->part_count < 2) {
		race_list_lock(RACE_LIST_PARTS);
		part = part_new();
		race_list_unlock(RACE_LIST_PARTS);
	}
	if (part) {
		t->part_count++;
	} else {
		struct race_part *newer = NULL;
		for (part = t->parts; part && part->older; part = part->older)
			newer = part;
		if (newer)
			newer->older = NULL;
	}
	return part;
}

static void open_part(struct race_hot *hot, struct race_part *part)
{
	struct race_thread *t = hot->thread;
	if (part->serial && !part->kept)
		part->kept = race_worn_keep(t, part);
	__atomic_store_n(&part->serial, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	__builtin_memset(part->words, 0, sizeof part->words);
	part->first = hot->stamp;
	part->last = 0;
	part->kept = false;
	part->thread = t->id;
	part->older = part == t->parts ? NULL : t->parts;
	uint64_t *at = part->words;
	*at++ = race_event_word(RACE_EVENT_EPOCH, hot->stamp);
	uint32_t depth = (uint32_t)(hot->frame - t->frames);
	for (uint32_t i = depth > OPENING_FRAMES ? depth - OPENING_FRAMES : 0; i < depth; i++)
		*at++ = race_event_word(RACE_EVENT_ENTER, t->frames[i].pc);
	for (uint32_t i = 0; i < t->lock_count; i++) {
		*at++ = race_event_word(RACE_EVENT_LOCK, (uintptr_t)t->locks[i].lock);
		*at++ = (uint64_t)t->locks[i].how << 32 | t->locks[i].context;
	}
	__atomic_store_n(&part->serial, __atomic_add_fetch(&serials, 1, __ATOMIC_RELAXED), __ATOMIC_RELEASE);
	__atomic_store_n(&t->parts, part, __ATOMIC_RELEASE);
	hot->trace = at;
	hot->traced_pc = 0;
}

void race_trace_turn(struct race_hot *hot)
{
	struct race_thread *t = hot->thread;
	bool alone = !hot->busy; /* from an access: that is not the engine yet */
	if (alone)
		race_enter(hot);
	if (t->parts) {
		__atomic_store_n(&t->parts->last, hot->stamp, __ATOMIC_RELAXED);
		/* While it is in the processor's cache: when it is used again, it has to come from memory. */
		t->parts->kept = race_worn_keep(t, t->parts);
	}
	struct race_part *part = part_for(t);
	if (part)
		open_part(hot, part);
	else
		hot->trace = t->parts->words; /* no memory: what is there is overwritten */
	if (alone)
		race_leave(hot);
}

void race_trace_begin(struct race_hot *hot)
{
	hot->thread->parts = NULL;
	hot->thread->part_count = 0;
	struct race_part *part = part_for(hot->thread);
	static struct race_part nowhere __attribute__((aligned(RACE_PART_BYTES)));
	open_part(hot, part ? part : &nowhere);
}

void race_trace_end(struct race_thread *t)
{
	race_list_lock(RACE_LIST_PARTS);
	/* Oldest first, so that they are used again in that order. */
	struct race_part *reversed = NULL;
	for (struct race_part *part = t->parts, *older; part; part = older) {
		older = part->older;
		part->older = reversed;
		reversed = part;
	}
	for (struct race_part *part = reversed; part; part = part->older) {
		if (!part->last)
			part->last = race_stamp(t->slot, t->epoch);
		part->newer_free = NULL;
		*finished_end = part;
		finished_end = &part->newer_free;
		finished_count++;
	}
	t->parts = NULL;
	race_list_unlock(RACE_LIST_PARTS);
}

/* ---- reading ---- */

struct replay {
	race_cell wanted;
	uintptr_t word, low, end; /* low, end: the bytes that are asked for */
	uintptr_t stack[SCRATCH_FRAMES];
	uint32_t depth;
	bool cut;
	struct race_lock locks[RACE_LOCKS_MAX];
	uint32_t lock_count;
	uintptr_t pc;
	bool in_epoch;
	bool found;
	struct race_past *past;
};

static void replay_unlock(struct replay *r, uintptr_t lock)
{
	for (uint32_t i = r->lock_count; i-- > 0;) {
		if (((uintptr_t)r->locks[i].lock & RACE_OPERAND) != lock)
			continue;
		for (uint32_t j = i + 1; j < r->lock_count; j++)
			r->locks[j - 1] = r->locks[j];
		r->lock_count--;
		return;
	}
}

static void take(struct replay *r, uintptr_t address, size_t bytes, uint32_t kind, bool is_free)
{
	struct race_past *past = r->past;
	r->found = true;
	past->kind = kind;
	past->is_free = is_free;
	past->address = address;
	past->bytes = bytes;
	past->frames[0] = r->pc;
	past->frame_count = 1;
	for (uint32_t i = r->depth;
	     i-- > 0 && past->frame_count < sizeof past->frames / sizeof *past->frames;)
		past->frames[past->frame_count++] = r->stack[i];
	past->forgotten = false;
	past->truncated = r->cut || past->frame_count <= r->depth;
	past->lock_count = r->lock_count;
	__builtin_memcpy(past->locks, r->locks, r->lock_count * sizeof *r->locks);
}

static void replay_access(struct replay *r, uint64_t word)
{
	r->pc += (word >> 48 & 0x7fff) - (1 << 14);
	uintptr_t address = word & RACE_ADDRESS_MASK;
	uint32_t kind = (word >> 47 & 1 ? RACE_READ : 0) | (word >> 46 & 1 ? RACE_ATOMIC : 0);
	unsigned bytes = 1u << (word >> 44 & 3);
	if (r->in_epoch && (address & ~(uintptr_t)7) == r->word && kind == (r->wanted & RACE_FLAGS) &&
	    (((1u << bytes) - 1) << (address & 7) & r->wanted & RACE_MASK))
		take(r, address, bytes, kind, false);
}

static void replay_range(struct replay *r, uintptr_t address, uint64_t more)
{
	unsigned what = (unsigned)(more >> 60);
	size_t bytes = more & ((UINT64_C(1) << 60) - 1);
	uint32_t kind =
	    (what & RACE_RANGE_READ ? RACE_READ : 0) | (what & RACE_RANGE_ATOMIC ? RACE_ATOMIC : 0);
	uintptr_t start = address & RACE_ADDRESS_MASK;
	if (r->in_epoch && kind == (r->wanted & RACE_FLAGS) && start < r->end && start + bytes > r->low)
		take(r, address, bytes, kind, what & RACE_RANGE_FREE);
}

/* Returns how many words the event takes; 0: the end. */
static size_t replay_event(struct replay *r, const uint64_t *at)
{
	uint64_t word = *at;
	if (word >> 63) {
		replay_access(r, word);
		return 1;
	}
	uint64_t operand = word & RACE_OPERAND;
	switch ((enum race_event)(word >> 60)) {
	case RACE_EVENT_NONE:
		return 0;
	case RACE_EVENT_PC:
		r->pc = operand;
		return 1;
	case RACE_EVENT_ENTER:
		if (r->depth < SCRATCH_FRAMES)
			r->stack[r->depth++] = operand;
		else
			r->cut = true;
		return 1;
	case RACE_EVENT_EXIT:
		r->depth -= r->depth > 0;
		return 1;
	case RACE_EVENT_EPOCH:
		r->in_epoch = !((operand ^ r->wanted) & ~(uint64_t)(RACE_FLAGS | RACE_MASK));
		return 1;
	case RACE_EVENT_LOCK:
		if (r->lock_count < RACE_LOCKS_MAX)
			r->locks[r->lock_count++] = (struct race_lock){
			    (void *)(uintptr_t)operand, (uint32_t)at[1], (uint32_t)(at[1] >> 32), 0};
		return 2;
	case RACE_EVENT_UNLOCK:
		replay_unlock(r, operand);
		return 1;
	case RACE_EVENT_RANGE:
		replay_range(r, operand, at[1]);
		return 2;
	}
	return 0;
}

static bool may_hold(const struct race_part *part, race_cell wanted)
{
	race_cell first = part->first, last = part->last;
	if (!part->serial || !last || race_cell_slot(first) != race_cell_slot(last))
		return part->serial != 0;
	return race_cell_slot(first) == race_cell_slot(wanted) &&
	       race_cell_epoch(first) <= race_cell_epoch(wanted) &&
	       race_cell_epoch(last) >= race_cell_epoch(wanted);
}

static bool replay_part(struct replay *r, const struct race_part *part)
{
	static struct race_part copy;
	uint64_t serial = __atomic_load_n(&part->serial, __ATOMIC_ACQUIRE);
	if (!may_hold(part, r->wanted))
		return false;
	for (size_t i = 0; i < sizeof copy.words / sizeof *copy.words; i++)
		copy.words[i] = __atomic_load_n(&part->words[i], __ATOMIC_RELAXED);
	uint32_t thread = part->thread;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (!serial || __atomic_load_n(&part->serial, __ATOMIC_RELAXED) != serial)
		return false;
	r->depth = r->lock_count = 0;
	r->cut = r->in_epoch = r->found = false;
	r->pc = 0;
	const size_t end = sizeof copy.words / sizeof *copy.words;
	for (size_t i = 0, step; i + 1 < end && (step = replay_event(r, &copy.words[i])); i += step)
		;
	if (r->found)
		r->past->thread = thread;
	return r->found;
}

bool race_trace_find(race_cell cell, uintptr_t address, struct race_past *past)
{
	static struct replay r;
	r.wanted = cell;
	r.word = address & RACE_ADDRESS_MASK & ~(uintptr_t)7;
	r.low = r.word + (uint32_t)__builtin_ctz(cell & RACE_MASK);
	r.end = r.word + 32 - (uint32_t)__builtin_clz(cell & RACE_MASK);
	r.past = past;
	for (struct race_thread *t = __atomic_load_n(&race_threads, __ATOMIC_ACQUIRE); t; t = t->next_all)
		for (struct race_part *part = __atomic_load_n(&t->parts, __ATOMIC_ACQUIRE); part;
		     part = part->older)
			if (replay_part(&r, part))
				return true;
	bool found = false;
	race_list_lock(RACE_LIST_PARTS);
	for (struct race_part *part = finished; part && !found; part = part->newer_free)
		found = replay_part(&r, part);
	race_list_unlock(RACE_LIST_PARTS);
	return found;
}
