/* report.c: who, where and what of a race. The calling thread's stack is unwound; the other's is read from
 * its trace. Both go to the log as facts; names and lines come later, in the reporter. */
#include "report.h"

#include <errno.h>

#include "../block.h"
#include "../identity.h"
#include "../log.h"
#include "../modules.h"
#include "../names.h"
#include "../options.h"
#include "../say.h"
#include "../tables.h"
#include "../unwind.h"
#include "sync.h"
#include "trace.h"
#include "worn.h"

enum {
	WORDS = 1 << 12,
	PAIRS = 1 << 12,
	PLACES = 1 << 10,
	LOOKED_AT_A_PLACE = 32, /* races of one place that are looked up, to find its other partners */
	RACES_MAX = 1000,
	PARTS_MAX = 2 * (RACE_LOCKS_MAX + 1),
	FRAMES_MAX = 128,
	FRAMES_SAID = 8,
	TEXT_BYTES = 16384,
	BENIGN_MAX = 256
};

static uint32_t told;
static uint64_t words[WORDS], pairs[PAIRS];
static uint16_t places[PLACES];
static struct {
	uintptr_t start, end;
} benign[BENIGN_MAX];
static uint32_t benign_count;

void race_benign(uintptr_t start, size_t bytes)
{
	uint32_t at = __atomic_load_n(&benign_count, __ATOMIC_RELAXED);
	race_list_lock(RACE_LIST_REPORTS);
	at = benign_count;
	for (uint32_t i = 0; i < benign_count; i++)
		if (benign[i].start == start && benign[i].end == start + bytes)
			at = BENIGN_MAX;
	if (at < BENIGN_MAX) {
		benign[at].start = start;
		benign[at].end = start + bytes;
		__atomic_store_n(&benign_count, at + 1, __ATOMIC_RELEASE);
	}
	race_list_unlock(RACE_LIST_REPORTS);
}

void race_report_forked(void)
{
	/* Another log: what the parent has told may be told again. */
	__builtin_memset(words, 0, sizeof words);
	__builtin_memset(pairs, 0, sizeof pairs);
}

static bool given_up;

void race_give_up(void)
{
	if (__atomic_exchange_n(&given_up, true, __ATOMIC_RELAXED))
		return;
	shim_log_count(DT_COUNT_RACES_STOPPED, 1);
	shim_say("data races are no longer looked for: there is no memory to keep the order of threads in");
}

static bool is_benign(uintptr_t address)
{
	for (uint32_t i = 0; i < __atomic_load_n(&benign_count, __ATOMIC_ACQUIRE); i++)
		if (address >= benign[i].start && address < benign[i].end)
			return true;
	return false;
}

/* True: it was there already. A full neighbourhood counts as not there. */
static bool remember(uint64_t *table, uint32_t size, uint64_t key)
{
	key |= 1;
	uint64_t hash = key * 0x9e3779b97f4a7c15u;
	for (uint32_t i = 0; i < 16; i++) {
		uint64_t *at = &table[((hash >> 40) + i) & (size - 1)];
		if (*at == key)
			return true;
		if (!*at) {
			*at = key;
			return false;
		}
	}
	return false;
}

/* Cheap, without the lock: most races of a loop end here. */
static bool known_word(uintptr_t word, enum dt_race race)
{
	uint64_t key = (word << 2 | race << 1) | 1, hash = key * 0x9e3779b97f4a7c15u;
	for (uint32_t i = 0; i < 16; i++) {
		uint64_t found = __atomic_load_n(&words[((hash >> 40) + i) & (WORDS - 1)], __ATOMIC_RELAXED);
		if (found == key)
			return true;
		if (!found)
			return false;
	}
	return false;
}

static bool often_looked_at(uintptr_t pc)
{
	uint16_t *count = &places[(pc * 0x9e3779b97f4a7c15u) >> 54 & (PLACES - 1)];
	uint16_t seen = __atomic_load_n(count, __ATOMIC_RELAXED);
	if (seen < LOOKED_AT_A_PLACE)
		__atomic_store_n(count, seen + 1, __ATOMIC_RELAXED);
	return seen >= LOOKED_AT_A_PLACE;
}

static enum dt_race_what what_of(uint32_t kind, bool is_free)
{
	if (is_free)
		return DT_RACE_FREE;
	if (kind & RACE_ATOMIC)
		return kind & RACE_READ ? DT_RACE_ATOMIC_READ : DT_RACE_ATOMIC_WRITE;
	return kind & RACE_READ ? DT_RACE_READ : DT_RACE_WRITE;
}

struct findings {
	struct dt_rec_race rec;
	struct dt_race_part parts[PARTS_MAX];
	const void *locks[PARTS_MAX]; /* addresses, for the text */
	uint32_t count;
};

static void add_locks(struct findings *f, uint32_t thread, const struct race_lock *locks, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		void *lock = (void *)(uintptr_t)locks[i].lock;
		shim_stack_log(locks[i].context);
		f->locks[f->count] = lock;
		f->parts[f->count++] = (struct dt_race_part){
		    .what = DT_RACE_HELD,
		    .mode = locks[i].how & SHIM_HOW_SHARED ? DT_MODE_SHARED : DT_MODE_EXCLUSIVE,
		    .thread = thread,
		    .stack = locks[i].context,
		    .lock =
		        shim_identity_of(&shim_self, lock, locks[i].how & SHIM_HOW_KIND, locks[i].context, 0),
		};
	}
}

/* Where the shim was entered: the frame that holds the access's return address. */
static uint32_t stack_here(uintptr_t pc)
{
	struct shim_frame frames[FRAMES_MAX];
	bool complete;
	size_t count = shim_unwind((uintptr_t)SHIM_SLOT(), frames, FRAMES_MAX, &complete), first = 0;
	while (first < count && frames[first].pc != pc)
		first++;
	if (first < count)
		return shim_stack_intern(frames + first, count - first, complete);
	/* Said by the caller, not seen on the stack (__tsan_*_pc): the calls as they were entered. */
	const struct race_hot *hot = &race_hot;
	count = 0;
	frames[count++] = (struct shim_frame){pc, 0};
	for (const struct race_frame *at = hot->frame; at-- > hot->thread->frames && count < FRAMES_MAX;)
		frames[count++] = (struct shim_frame){at->pc, at->stack};
	return shim_stack_intern(frames, count, count < FRAMES_MAX);
}

static uint32_t stack_of_past(const struct race_past *past)
{
	struct shim_frame frames[FRAMES_MAX];
	for (uint32_t i = 0; i < past->frame_count; i++)
		frames[i] = (struct shim_frame){past->frames[i], 0};
	return shim_stack_intern(frames, past->frame_count, !past->truncated);
}

static void add_stack(struct shim_text *text, uint32_t stack)
{
	const uintptr_t *pcs;
	size_t count = shim_stack_pcs(stack, &pcs);
	for (size_t i = 0; i < count && i < FRAMES_SAID; i++) {
		shim_text_add(text, "libdetect:       ");
		shim_names_add_code(text, pcs[i]);
		shim_text_add(text, "\n");
	}
	if (!count)
		shim_text_add(text, "libdetect:       (older than what is kept: see race_history)\n");
}

static void say(const struct findings *f)
{
	static const char *const rules[DT_RACES] = {
	    [DT_RACE_DATA] = "error: data-race: two accesses that nothing orders",
	    [DT_RACE_PREDICTED] =
	        "warning: predicted-race: two accesses ordered only by who took a lock first",
	    [DT_RACE_USE_AFTER_FREE] =
	        "error: use-after-free-race: memory is used while another thread frees it",
	};
	static const char *const verbs[DT_RACE_WHATS] = {
	    [DT_RACE_READ] = " reads ",
	    [DT_RACE_WRITE] = " writes ",
	    [DT_RACE_ATOMIC_READ] = " reads atomically ",
	    [DT_RACE_ATOMIC_WRITE] = " writes atomically ",
	    [DT_RACE_FREE] = " frees ",
	    [DT_RACE_HELD] = " holds ",
	};
	static char buffer[TEXT_BYTES];
	struct shim_text text = {buffer, 0, TEXT_BYTES - 1};
	shim_text_add(&text, "libdetect: ");
	shim_text_add(&text, rules[f->rec.race]);
	shim_text_add(&text, "\n");
	for (uint32_t i = 0; i < f->count; i++) {
		const struct dt_race_part *part = &f->parts[i];
		shim_text_add(&text, "libdetect:   thread ");
		shim_text_number(&text, part->thread);
		shim_text_add(&text, verbs[part->what]);
		if (part->what == DT_RACE_HELD) {
			shim_names_add_data(&text, (uintptr_t)f->locks[i]);
			shim_text_add(&text, ", acquired at\n");
		} else {
			shim_text_number(&text, part->bytes);
			shim_text_add(&text, " bytes of ");
			shim_names_add_data(&text, part->address);
			shim_text_add(&text, " at\n");
		}
		add_stack(&text, part->stack);
	}
	if (*shim_options.log_dir) {
		shim_text_add(&text, "libdetect:   names, lines and all stacks: detect report ");
		shim_text_add(&text, shim_options.log_dir);
		shim_text_add(&text, "\n");
	}
	shim_text_write(&text);
}

static uint64_t pair_of(enum dt_race race, uintptr_t a, uintptr_t b)
{
	return ((a < b ? a * 31 + b : b * 31 + a) ^ (uint64_t)race << 60) * 0x9e3779b97f4a7c15u;
}

static void add_past(struct findings *f, uintptr_t word, race_cell old, bool found, struct race_past *past)
{
	if (!found) {
		f->parts[f->count++] = (struct dt_race_part){
		    .what = (uint8_t)what_of(old, false),
		    .flags = DT_RACE_PART_FORGOTTEN,
		    .address = f->rec.address,
		    .bytes = f->rec.bytes,
		};
		return;
	}
	add_locks(f, past->thread, past->locks, past->lock_count);
	uint32_t stack = stack_of_past(past);
	shim_stack_log(stack);
	/* The trace keeps the lower bits of an address. */
	uintptr_t address = past->address | (word & ~RACE_ADDRESS_MASK);
	f->parts[f->count++] = (struct dt_race_part){
	    .what = (uint8_t)what_of(past->kind, past->is_free),
	    .flags = past->forgotten ? DT_RACE_PART_FORGOTTEN : 0,
	    .thread = past->thread,
	    .stack = stack,
	    .address = address,
	    .bytes = past->bytes,
	};
}

/* Under the lock. */
static void tell(struct race_hot *hot, enum dt_race race, uintptr_t word, race_cell cell, race_cell old,
                 const struct race_access *access)
{
	static struct race_past past;
	static struct findings f;
	if (remember(words, WORDS, word << 2 | race << 1))
		return;
	uint32_t both = cell & old & RACE_MASK;
	bool found = race_trace_find((old & ~(race_cell)RACE_MASK) | both, word, &past) ||
	             race_worn_find(old, both, word, &past);
	if (access->is_free || (found && past.is_free))
		race = race == DT_RACE_DATA ? DT_RACE_USE_AFTER_FREE : race;
	if (remember(pairs, PAIRS, pair_of(race, access->pc, found ? past.frames[0] : old)) ||
	    told++ >= RACES_MAX)
		return;
	f.count = 0;
	f.rec = (struct dt_rec_race){
	    .head = {DT_REC_RACE, 0, 0},
	    .race = (uint16_t)race,
	    .time_ns = shim_now_ns(),
	    .address = word + (uint32_t)__builtin_ctz(both),
	    .bytes = (uint64_t)__builtin_popcount(both),
	};
	struct race_thread *t = hot->thread;
	add_locks(&f, t->id, t->locks, t->lock_count);
	uint32_t stack = stack_here(access->pc);
	shim_stack_log(stack);
	f.parts[f.count++] = (struct dt_race_part){
	    .what = (uint8_t)what_of(access->kind, access->is_free),
	    .thread = t->id,
	    .stack = stack,
	    .address = access->address,
	    .bytes = access->bytes,
	};
	add_past(&f, word, old, found, &past);
	race_find_place(&f.rec);
	f.rec.count = (uint16_t)f.count;
	shim_log_append(&f.rec.head, sizeof f.rec, f.parts, f.count * sizeof *f.parts, NULL, 0);
	if (shim_options.online)
		say(&f);
}

static void report(struct race_hot *hot, enum dt_race race, uintptr_t word, race_cell cell, race_cell old,
                   const struct race_access *access)
{
	struct shim_thread *self = &shim_self;
	if (__atomic_load_n(&given_up, __ATOMIC_RELAXED) || known_word(word, race) ||
	    is_benign(word + (uint32_t)__builtin_ctz(cell & old & RACE_MASK)) || hot->busy || self->busy ||
	    !self->capacity || often_looked_at(access->pc))
		return;
	int saved = errno;
	race_enter(hot);
	self->busy = 1;
	race_list_lock(RACE_LIST_REPORTS);
	tell(hot, race, word, cell, old, access);
	race_list_unlock(RACE_LIST_REPORTS);
	self->busy = 0;
	errno = saved;
	race_leave(hot);
}

void race_report(struct race_hot *hot, uintptr_t word, race_cell cell, race_cell old,
                 const struct race_access *access)
{
	report(hot, DT_RACE_DATA, word, cell, old, access);
}

void race_report_predicted(struct race_hot *hot, uintptr_t word, race_cell cell, race_cell old,
                           const struct race_access *access)
{
	report(hot, DT_RACE_PREDICTED, word, cell, old, access);
}
