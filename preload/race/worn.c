/* worn.c: places by hash. A loop over much memory is one entry, so a table lasts long; when it is full, a
 * place is forgotten for another, and from then on only an entry of a single variable is believed. */
#include "worn.h"

#include "../region.h"

enum { ENTRIES = 4096, PROBES = 8, RECENT = 32, PERIOD = 8, STEP = 4, KIND_BITS = 4 };

struct race_worn {
	uintptr_t pc; /* 0: free; written last */
	uintptr_t low, end;
	uint32_t thread;
	uint16_t first, last; /* epochs */
	uint32_t era;         /* of the slots, when it was entered */
	uint8_t slot, bytes;  /* bytes 0: of a range */
	bool is_read, is_atomic, is_free;
};

struct race_worn_table {
	struct race_worn entries[ENTRIES];
	uint32_t evictions;
};

static bool is_same(const struct race_worn *a, const struct race_worn *b)
{
	return a->pc == b->pc && a->thread == b->thread && a->slot == b->slot && a->bytes == b->bytes &&
	       a->is_read == b->is_read && a->is_atomic == b->is_atomic && a->is_free == b->is_free;
}

/* Its epochs are counted from the beginning since. */
static bool is_swept(const struct race_worn *entry)
{
	return entry->era < race_slot_eras[entry->slot];
}

static void write_entry(struct race_worn *to, const struct race_worn *from)
{
	__atomic_store_n(&to->pc, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	struct race_worn entry = *from;
	entry.pc = 0;
	*to = entry;
	__atomic_store_n(&to->pc, from->pc, __ATOMIC_RELEASE);
}

static void widen(struct race_worn *entry, const struct race_worn *by)
{
	if (by->low < entry->low)
		entry->low = by->low;
	if (by->end > entry->end)
		entry->end = by->end;
	if (by->first < entry->first)
		entry->first = by->first;
	if (by->last > entry->last)
		entry->last = by->last;
}

static struct race_worn *add(struct race_worn_table *table, const struct race_worn *wanted)
{
	uint64_t hash = (wanted->pc * 31 + wanted->slot) * 0x9e3779b97f4a7c15u >> 40;
	for (uint32_t i = 0; i < PROBES; i++) {
		struct race_worn *entry = &table->entries[(hash + i) % ENTRIES];
		if (entry->pc && is_same(entry, wanted) && !is_swept(entry)) {
			widen(entry, wanted);
			return entry;
		}
		if (!entry->pc || is_swept(entry)) {
			write_entry(entry, wanted);
			return entry;
		}
	}
	table->evictions++;
	struct race_worn *other = &table->entries[(hash + (wanted->low >> 3) % PROBES) % ENTRIES];
	write_entry(other, wanted);
	return other;
}

/* A loop's few places come again and again: they are found by this. */
struct recent {
	uint64_t key;
	struct race_worn *entry;
	size_t count; /* of accesses, when it was met last */
};

struct reader {
	struct race_worn_table *table;
	struct recent recent[RECENT];
	struct race_worn *last[PERIOD]; /* the places of the last accesses, by count */
	size_t count;
	struct race_worn next; /* thread, slot, epoch and pc as they are now */
};

static void add_range(struct reader *r, uintptr_t address, uint64_t more)
{
	unsigned what = (unsigned)(more >> 60);
	r->next.low = address & RACE_ADDRESS_MASK;
	r->next.end = r->next.low + (more & ((UINT64_C(1) << 60) - 1));
	r->next.bytes = 0;
	r->next.is_read = what & RACE_RANGE_READ;
	r->next.is_atomic = what & RACE_RANGE_ATOMIC;
	r->next.is_free = what & RACE_RANGE_FREE;
	add(r->table, &r->next);
}

static void forget_recent(struct reader *r)
{
	__builtin_memset(r->recent, 0, sizeof r->recent);
	r->count += PERIOD;
}

/* The place is known: nearly all accesses are such. */
static inline void widen_known(struct race_worn *entry, uintptr_t low, uintptr_t end, uint16_t epoch)
{
	if (SHIM_UNLIKELY(low < entry->low))
		entry->low = low;
	if (end > entry->end)
		entry->end = end;
	if (SHIM_UNLIKELY(epoch > entry->last))
		entry->last = epoch;
}

static __attribute__((noinline)) void add_access(struct reader *r, struct recent *recent, uint64_t key,
                                                 uint64_t word)
{
	uint32_t evictions = r->table->evictions;
	r->next.bytes = (uint8_t)(1u << (word >> 44 & 3));
	r->next.low = word & RACE_ADDRESS_MASK;
	r->next.end = r->next.low + r->next.bytes;
	r->next.is_read = word >> 47 & 1;
	r->next.is_atomic = word >> 46 & 1;
	r->next.is_free = false;
	struct race_worn *entry = add(r->table, &r->next);
	if (r->table->evictions != evictions)
		forget_recent(r);
	*recent = (struct recent){key, entry, 0};
}

/* What says that two accesses are of one place but for their addresses: the difference of places, the kind
 * and the size. */
static inline bool is_alike(uint64_t a, uint64_t b)
{
	return !((a ^ b) >> RACE_TRACED_LOG_SHIFT);
}

static inline __m128i two_words(const uint64_t *at)
{
	return _mm_loadu_si128((const __m128i *)(const void *)at);
}

/* How many words from here on go on as the last two periods did, each phase by its own stride: a loop over
 * arrays. Whole periods. */
static size_t count_strided(const uint64_t *at, size_t most, size_t period)
{
	const uint64_t *one = at - period, *two = one - period;
	size_t n = 0;
	for (size_t phase = 0; phase < period; phase++)
		if (!is_alike(one[phase], two[phase]))
			return 0;
	for (; n + STEP <= most; n += STEP) {
		__m128i bent = _mm_setzero_si128();
		for (size_t i = n; i < n + STEP; i += 2) {
			__m128i before = two_words(one + i);
			bent = _mm_or_si128(bent, _mm_xor_si128(_mm_sub_epi64(two_words(at + i), before),
			                                        _mm_sub_epi64(before, two_words(two + i))));
		}
		if (_mm_movemask_epi8(_mm_cmpeq_epi8(bent, _mm_setzero_si128())) != 0xffff)
			break;
	}
	n -= (uint32_t)n % (uint32_t)period;
	/* A stride changes the address only; so many of them go beyond it nowhere, if not in the last word.
	 */
	for (size_t phase = 0; n && phase < period; phase++)
		if (!is_alike(at[n - period + phase], one[phase]))
			return 0;
	return n;
}

static void widen_phase(struct reader *r, size_t phase, size_t period, uintptr_t low, uintptr_t last)
{
	struct race_worn *entry = r->last[(r->count - period + phase) % PERIOD];
	widen_known(entry, low, last + entry->bytes, r->next.last);
}

static size_t read_strided(struct reader *r, const uint64_t *at, size_t most, size_t period)
{
	size_t n = count_strided(at, most, period);
	for (size_t phase = 0; n && phase < period; phase++) {
		uintptr_t first = at[phase] & RACE_ADDRESS_MASK,
		          last = at[n - period + phase] & RACE_ADDRESS_MASK;
		widen_phase(r, phase, period, first < last ? first : last, first < last ? last : first);
	}
	return n;
}

/* The accesses from here on that are those of `period` before, at other addresses: as many whole periods. */
static size_t read_periods(struct reader *r, const uint64_t *at, size_t most, size_t period)
{
	const uint64_t *earlier = at - period;
	size_t n = 0;
	while (n < most && is_alike(at[n], earlier[n]))
		n++;
	n -= (uint32_t)n % (uint32_t)period;
	for (size_t phase = 0; n && phase < period; phase++) {
		uintptr_t low = at[phase] & RACE_ADDRESS_MASK, last = low;
		for (size_t i = phase + period; i < n; i += period) {
			uintptr_t address = at[i] & RACE_ADDRESS_MASK;
			low = address < low ? address : low;
			last = address > last ? address : last;
		}
		widen_phase(r, phase, period, low, last);
	}
	return n;
}

/* Looks likely to go on: what follows is worth being counted. */
static inline bool goes_on(const uint64_t *at, size_t most, size_t period)
{
	size_t ahead = period;
	while (ahead < STEP)
		ahead += period;
	return ahead <= most && is_alike(at[ahead - 1], at[-1]) && is_alike(at[0], *(at - period));
}

/* Accesses, as far as they follow each other. Returns how many words. */
static size_t read_accesses(struct reader *r, const uint64_t *at, size_t most)
{
	size_t i = 0, first = r->count += PERIOD; /* counts from there on are of the words right before i */
	while (i < most && at[i] >> 63) {
		uint64_t word = at[i++];
		uintptr_t low = word & RACE_ADDRESS_MASK;
		r->next.pc += (word >> 48 & 0x7fff) - (1 << 14);
		uint64_t key =
		    r->next.pc << KIND_BITS | (word >> RACE_TRACED_LOG_SHIFT & ((1 << KIND_BITS) - 1));
		struct recent *recent = &r->recent[(key ^ key >> 9) % RECENT];
		if (SHIM_UNLIKELY(recent->key != key))
			add_access(r, recent, key, word);
		widen_known(recent->entry, low, low + recent->entry->bytes, r->next.last);
		r->last[r->count++ % PERIOD] = recent->entry;
		size_t period = r->count - recent->count, skipped = 0;
		recent->count = r->count;
		if (period <= PERIOD && r->count - period > first && i >= 2 * period &&
		    goes_on(&at[i], most - i, period)) {
			skipped = read_strided(r, &at[i], most - i, period);
			if (!skipped)
				skipped = read_periods(r, &at[i], most - i, period);
		}
		if (skipped)
			first = r->count - period;
		i += skipped;
	}
	return i;
}

static void begin_epoch(struct reader *r, race_cell stamp)
{
	if (r->next.slot != race_cell_slot(stamp))
		forget_recent(r);
	r->next.slot = (uint8_t)race_cell_slot(stamp);
	r->next.first = r->next.last = (uint16_t)race_cell_epoch(stamp);
}

/* Of anything else: how many words it takes; 0: the end. */
static size_t read_event(struct reader *r, const uint64_t *at)
{
	uint64_t word = *at, operand = word & RACE_OPERAND;
	switch ((enum race_event)(word >> 60)) {
	case RACE_EVENT_PC:
		r->next.pc = operand;
		return 1;
	case RACE_EVENT_EPOCH:
		begin_epoch(r, (race_cell)operand);
		return 1;
	case RACE_EVENT_RANGE:
		add_range(r, operand, at[1]);
		return 2;
	case RACE_EVENT_LOCK:
		return 2;
	case RACE_EVENT_ENTER:
	case RACE_EVENT_EXIT:
	case RACE_EVENT_UNLOCK:
		return 1;
	case RACE_EVENT_NONE:
		break;
	}
	return 0;
}

bool race_worn_keep(struct race_thread *t, const struct race_part *part)
{
	if (!t->worn)
		__atomic_store_n(&t->worn, shim_region_map(sizeof *t->worn, false), __ATOMIC_RELEASE);
	if (!t->worn)
		return false;
	struct reader r = {.table = t->worn, .next = {.thread = part->thread, .era = race_era}};
	const size_t end = sizeof part->words / sizeof *part->words;
	begin_epoch(&r, part->first);
	for (size_t i = 0, step; i + 1 < end; i += step) {
		step = read_accesses(&r, &part->words[i], end - 1 - i);
		if (!step && !(step = read_event(&r, &part->words[i])))
			break;
	}
	return true;
}

/* What is asked for: a cell may be made of several accesses, each of some of its bytes. */
struct question {
	race_cell cell;
	uint32_t bytes;
	uintptr_t word;
};

/* Which of the word's bytes it accessed; 0: it can't have. Accesses of its size lie in the cell; a range is
 * cut off by the word. */
static uint32_t bytes_of(const struct race_worn *entry, const struct question *q)
{
	const uint32_t each = (1u << entry->bytes) - 1;
	for (uint32_t first = 0; entry->bytes && first + entry->bytes <= RACE_WORD; first++) {
		uint32_t mask = each << first;
		uintptr_t from = q->word + first;
		if (!(mask & ~q->cell) && mask & q->bytes && from >= entry->low &&
		    from + entry->bytes <= entry->end)
			return mask;
	}
	uintptr_t low = q->word + (uint32_t)__builtin_ctz(q->bytes),
	          end = q->word + 32 - (uint32_t)__builtin_clz(q->bytes);
	return !entry->bytes && entry->low < end && entry->end > low ? q->bytes : 0;
}

static bool fits(const struct race_worn *entry, const struct question *q)
{
	uint32_t epoch = race_cell_epoch(q->cell);
	return entry->slot == race_cell_slot(q->cell) && !is_swept(entry) && epoch >= entry->first &&
	       epoch <= entry->last && entry->is_read == !!(q->cell & RACE_READ) &&
	       entry->is_atomic == !!(q->cell & RACE_ATOMIC) && bytes_of(entry, q);
}

static void search(const struct race_worn_table *table, const struct question *q, struct race_worn *found,
                   uint32_t *count)
{
	for (uint32_t i = 0; i < ENTRIES; i++) {
		const struct race_worn *at = &table->entries[i];
		struct race_worn entry = *at;
		if (!entry.pc || !fits(&entry, q) || (table->evictions && entry.end - entry.low > RACE_WORD))
			continue;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&at->pc, __ATOMIC_RELAXED) != entry.pc)
			continue;
		*found = entry;
		++*count;
	}
}

bool race_worn_find(race_cell cell, uint32_t bytes, uintptr_t address, struct race_past *past)
{
	const struct question q = {cell, bytes, address & RACE_ADDRESS_MASK & ~(uintptr_t)7};
	struct race_worn found;
	uint32_t count = 0;
	for (struct race_thread *t = __atomic_load_n(&race_threads, __ATOMIC_ACQUIRE); t; t = t->next_all) {
		const struct race_worn_table *table = __atomic_load_n(&t->worn, __ATOMIC_ACQUIRE);
		if (table)
			search(table, &q, &found, &count);
	}
	if (count != 1)
		return false;
	past->thread = found.thread;
	past->kind = cell & RACE_FLAGS;
	past->is_free = found.is_free;
	uint32_t mask = bytes_of(&found, &q);
	past->address = q.word + (uint32_t)__builtin_ctz(mask);
	past->bytes = (uint32_t)__builtin_popcount(mask);
	past->frames[0] = found.pc;
	past->frame_count = 1;
	past->truncated = past->forgotten = true;
	past->lock_count = 0;
	return true;
}
