/* identity.c: the table of lock addresses, and a bitmap a page of which addresses it knows.
 *
 * The bitmap makes "which locks lie in this block" cheap at free: a page's 512 possible (8-byte
 * aligned) lock addresses are 8 words. A byte a page number tells most frees that there are none. */
#include <pthread.h>
#include <string.h>

#include "fork_held.h"
#include "identity.h"
#include "log.h"
#include "misuse.h"
#include "modules.h"
#include "objects.h"
#include "process.h"
#include "region.h"
#include "shared.h"
#include "tables.h"

enum {
	SHARED_LOCKS = 2000,       /* whose place is looked for */
	SEM_ROWS = 1 << 12,
	LOCK_SLOTS = 1 << 20,
	LOCK_LIMIT = LOCK_SLOTS / 4 * 3,
	NEAR_BYTES = 32,           /* locks that lie so far apart have neighbouring slots */
	NEAR_TRIES = 64,
	LOCK_TRIES = 512,
	LOCK_INSTANCES = 1 << 18,  /* lives told apart; later ones are known by their class */
	PAGE_SLOTS = 1 << 16,
	PAGE_LIMIT = PAGE_SLOTS / 4 * 3,
	PAGE_BYTES = 4096,
	BLOCK_PAGES_MARKED = 4,    /* pages before a lock whose block is not known: where it may start */
	CLASS_TAG = 1              /* odd: no lock's address */
};

struct lock_slot {
	_Atomic uintptr_t address;
	_Atomic uint32_t id;       /* 0: no life now */
	_Atomic uint32_t class_id;
	uint32_t init_context, alloc_context, first_context;
	uint32_t block_bytes;
	uint64_t block;
	uint64_t frame_key;        /* on a stack: the frames above it */
	_Atomic uint64_t key;      /* of a shared lock; 0: not asked yet, or private */
	uint8_t kind;
	_Atomic uint8_t is_signal;  /* semaphore */
	uint16_t units;
	uint8_t shared;            /* between processes, by the object itself when it was first seen */
	_Atomic uint8_t given_back; /* semaphore: posted by who held a unit */
	uint8_t zero[2];
};

struct page_slot {
	_Atomic uintptr_t page;    /* page number plus one */
	_Atomic uint64_t bits[PAGE_BYTES / 8 / 64];
};

_Atomic uint8_t shim_page_marks[SHIM_PAGE_MARKS];
_Atomic uint32_t shim_generation[SHIM_GENERATIONS];

/* What semaphores began with, for the child of a fork, whose other tables are empty. One that another took the
 * row of is not known there: a signal. */
struct sem_row {
	_Atomic uintptr_t address;
	_Atomic uint32_t units;
};

static struct lock_slot *locks;
static struct sem_row *sems; /* not wiped by fork */
static struct page_slot *pages;
static _Atomic uint32_t lock_count, page_count, lock_ids, shared_locks;

bool shim_identity_open(void)
{
	locks = shim_region_map(LOCK_SLOTS * sizeof *locks, true);
	pages = shim_region_map(PAGE_SLOTS * sizeof *pages, true);
	sems = shim_region_map(SEM_ROWS * sizeof *sems, false);
	return locks && pages && sems;
}

void shim_identity_forked(void)
{
	atomic_store(&lock_count, 0);
	atomic_store(&page_count, 0);
	atomic_store(&lock_ids, 0);
	atomic_store(&shared_locks, 0);
}

static uint64_t hash_address(uint64_t x)
{
	x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15u;
	return x ^ (x >> 29);
}

/* Locks of one page of the program's lie together here too: in a sparse table each would take a page of ours. */
static uint32_t near_slot(uintptr_t address)
{
	uint32_t page = (uint32_t)(hash_address(address / PAGE_BYTES) >> 20);
	return page * (PAGE_BYTES / NEAR_BYTES) + (uint32_t)(address % PAGE_BYTES / NEAR_BYTES);
}

/* The slot of an address; added when `add` and there is room. Where too many lie together, those that come later
 * are spread. */
static struct lock_slot *slot_of(uintptr_t address, bool add)
{
	uint32_t i = near_slot(address);
	for (uint32_t tries = 0; tries < LOCK_TRIES; i++, tries++) {
		if (SHIM_UNLIKELY(tries == NEAR_TRIES))
			i = (uint32_t)(hash_address(address) >> 20);
		struct lock_slot *slot = &locks[i & (LOCK_SLOTS - 1)];
		uintptr_t found = atomic_load_explicit(&slot->address, memory_order_acquire);
		if (found == 0) {
			if (!add)
				return NULL;
			if (atomic_load_explicit(&lock_count, memory_order_relaxed) >= LOCK_LIMIT)
				break;
			if (atomic_compare_exchange_strong(&slot->address, &found, address)) {
				atomic_fetch_add(&lock_count, 1);
				return slot;
			}
		}
		if (found == address)
			return slot;
	}
	if (add)
		shim_log_count(DT_COUNT_LOCKS_LOST, 1);
	return NULL;
}

static struct page_slot *page_of(uintptr_t address, bool add)
{
	uintptr_t page = address / PAGE_BYTES + 1;
	for (uint32_t i = (uint32_t)(hash_address(page) >> 20), tries = 0; tries < 512; i++, tries++) {
		struct page_slot *slot = &pages[i & (PAGE_SLOTS - 1)];
		uintptr_t found = atomic_load_explicit(&slot->page, memory_order_acquire);
		if (found == 0) {
			if (!add || atomic_load(&page_count) >= PAGE_LIMIT)
				return NULL;
			if (atomic_compare_exchange_strong(&slot->page, &found, page)) {
				atomic_fetch_add(&page_count, 1);
				return slot;
			}
		}
		if (found == page)
			return slot;
	}
	return NULL;
}

static void mark(uintptr_t address, uint64_t block)
{
	struct page_slot *page = page_of(address, true);
	if (page) {
		uint32_t bit = (uint32_t)(address % PAGE_BYTES / 8);
		atomic_fetch_or(&page->bits[bit / 64], (uint64_t)1 << bit % 64);
	}
	if (block) {
		atomic_store(&shim_page_marks[shim_page_mark_of(block)], 1);
		return;
	}
	for (uintptr_t back = 0; back < BLOCK_PAGES_MARKED; back++)
		atomic_store(&shim_page_marks[shim_page_mark_of(address - back * PAGE_BYTES)], 1);
}

/* glibc keeps a mutex's type and an rwlock's preference in the object. */
static uint16_t flags_of(const void *lock, enum dt_lock_kind kind)
{
	uint16_t flags = 0;
	if (kind == DT_LOCK_MUTEX) {
		int k = ((const pthread_mutex_t *)lock)->__data.__kind;
		static const uint16_t types[] = {0, DT_LOCK_RECURSIVE, DT_LOCK_ERRORCHECK, DT_LOCK_ADAPTIVE};
		flags = types[k & 3];
		flags |= k & 0x10 ? DT_LOCK_ROBUST : 0;
		flags |= k & 0x20 ? DT_LOCK_PI : 0;
		flags |= k & 0x80 ? DT_LOCK_PSHARED : 0;
	} else if (kind == DT_LOCK_RWLOCK) {
		const pthread_rwlock_t *rw = lock;
		if (rw->__data.__flags == PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP)
			flags |= DT_LOCK_PREFER_WRITER;
		if (rw->__data.__shared)
			flags |= DT_LOCK_PSHARED;
	} else if (shim_object_is_shared(lock, kind)) {
		flags = DT_LOCK_PSHARED;
	}
	return flags;
}

static bool on_own_stack(const struct shim_thread *t, uintptr_t address)
{
	return address > (uintptr_t)__builtin_frame_address(0) && address < t->stack_top;
}

static void log_lock(struct shim_thread *t, const struct lock_slot *slot, uint32_t id, uint16_t flags,
                     uintptr_t address)
{
	struct dt_rec_lock rec = {.head = {DT_REC_LOCK, flags, 0}, .id = id, .kind = slot->kind};
	rec.units = atomic_load(&slot->is_signal) ? 0 : slot->units;
	if (!(flags & DT_LOCK_CLASS)) {
		shim_modules_see(address);
		rec.address = address;
		rec.block = slot->block;
		rec.block_bytes = slot->block ? slot->block_bytes : 0;
		if (slot->block) {
			rec.place = DT_PLACE_HEAP;
		} else if (on_own_stack(t, address)) {
			rec.place = DT_PLACE_STACK;
			rec.thread = t->id;
			t->has_stack_locks = 1;
		}
	}
	rec.alloc_stack = slot->alloc_context;
	rec.init_stack = slot->init_context;
	rec.first_stack = slot->first_context;
	shim_stack_log(rec.alloc_stack);
	shim_stack_log(rec.init_stack);
	shim_stack_log(rec.first_stack);
	SHIM_LOG(&rec);
}

/* Where the lock lies is slow to find out (/proc/self/maps), so it is for so many of them only. */
static void log_shared(uint32_t id, uintptr_t address)
{
	struct shim_shared place;
	if (atomic_load_explicit(&shared_locks, memory_order_relaxed) >= SHARED_LOCKS ||
	    atomic_fetch_add(&shared_locks, 1) >= SHARED_LOCKS) {
		shim_log_count(DT_COUNT_SHARED_LOST, 1);
		return;
	}
	if (!shim_shared_place((const void *)address, &place))
		return;
	struct dt_rec_shared rec = {{DT_REC_SHARED, 0, 0}, id, 0, place.device, place.inode, place.offset};
	SHIM_LOG(&rec);
}

/* Give the slot a life unless it has one. */
static uint32_t enliven(struct shim_thread *t, struct lock_slot *slot, uint16_t flags, uintptr_t address)
{
	uint32_t id = atomic_load_explicit(&slot->id, memory_order_acquire);
	if (id)
		return id;
	uint32_t fresh = atomic_fetch_add(&lock_ids, 1) + 1;
	if (!atomic_compare_exchange_strong(&slot->id, &id, fresh))
		return id;
	log_lock(t, slot, fresh, flags, address);
	if (SHIM_UNLIKELY(slot->shared) && address)
		log_shared(fresh, address);
	return fresh;
}

static void find_allocation(struct shim_thread *t, struct lock_slot *slot, uintptr_t address)
{
	for (uint32_t i = 0; t->allocations && i < SHIM_ALLOCATIONS; i++) {
		const struct shim_allocation *a = &t->allocations[i];
		if (a->block && address - a->block < a->bytes) {
			slot->block = a->block;
			slot->block_bytes = (uint32_t)(a->bytes > UINT32_MAX ? UINT32_MAX : a->bytes);
			slot->alloc_context = shim_context_of_allocation(t, a);
			return;
		}
	}
}

static struct sem_row *sem_row_of(uintptr_t address)
{
	return &sems[hash_address(address) % SEM_ROWS];
}

static void remember_units(uintptr_t address, uint32_t units)
{
	struct sem_row *row = sem_row_of(address);
	atomic_store(&row->address, 0);
	atomic_store(&row->units, units);
	atomic_store(&row->address, address);
}

static void forget_units(uintptr_t address)
{
	struct sem_row *row = sem_row_of(address);
	if (atomic_load(&row->address) == address)
		atomic_store(&row->address, 0);
}

static uint16_t remembered_units(uintptr_t address)
{
	struct sem_row *row = sem_row_of(address);
	uint32_t units = atomic_load(&row->units);
	return atomic_load(&row->address) == address ? (uint16_t)units : 0;
}

static void conceive(struct shim_thread *t, struct lock_slot *slot, uintptr_t address, enum dt_lock_kind kind)
{
	slot->kind = (uint8_t)kind;
	slot->block = 0;
	slot->alloc_context = 0;
	slot->init_context = 0;
	slot->first_context = 0;
	slot->frame_key = 0;
	atomic_store(&slot->key, 0);
	slot->units = kind == DT_LOCK_SEM ? remembered_units(address) : 0;
	slot->shared = shim_object_is_shared((void *)address, kind);
	atomic_store(&slot->is_signal, 0);
	atomic_store(&slot->given_back, 0);
	atomic_store(&slot->class_id, 0);
	find_allocation(t, slot, address);
	mark(address, slot->block);
}

uint32_t shim_identity_of(struct shim_thread *t, void *lock, enum dt_lock_kind kind, uint32_t context,
                          uint64_t frame_key)
{
	struct lock_slot *slot = slot_of((uintptr_t)lock, true);
	if (!slot)
		return 0;
	uint32_t id = atomic_load_explicit(&slot->id, memory_order_acquire);
	bool same = slot->kind == kind && (!frame_key || !slot->frame_key || slot->frame_key == frame_key);
	if (SHIM_LIKELY(id && same))
		return id;
	if (id)
		shim_identity_ended(lock);
	if (slot->kind != kind)
		conceive(t, slot, (uintptr_t)lock, kind);
	slot->frame_key = frame_key;
	slot->first_context = context;
	if (atomic_load_explicit(&lock_ids, memory_order_relaxed) >= LOCK_INSTANCES)
		return shim_identity_class_of(t, lock, kind, context);
	return enliven(t, slot, flags_of(lock, kind), (uintptr_t)lock);
}

uint32_t shim_identity_class_of(struct shim_thread *t, void *lock, enum dt_lock_kind kind, uint32_t context)
{
	struct lock_slot *slot = slot_of((uintptr_t)lock, true);
	if (!slot)
		return 0;
	uint32_t id = atomic_load_explicit(&slot->class_id, memory_order_acquire);
	if (SHIM_LIKELY(id != 0))
		return id;
	uint32_t made_at = slot->alloc_context ? slot->alloc_context
	                   : slot->init_context ? slot->init_context
	                   : slot->first_context ? slot->first_context : context;
	struct lock_slot *class_slot = slot_of(((uintptr_t)made_at << 8) | ((uintptr_t)kind << 4) | CLASS_TAG, true);
	if (!class_slot)
		return 0;
	class_slot->kind = (uint8_t)kind;
	class_slot->alloc_context = slot->alloc_context;
	class_slot->init_context = slot->init_context;
	class_slot->first_context = slot->first_context ? slot->first_context : context;
	id = enliven(t, class_slot, (uint16_t)(flags_of(lock, kind) | DT_LOCK_CLASS), 0);
	atomic_store(&slot->class_id, id);
	return id;
}

void shim_identity_born(struct shim_thread *t, void *lock, enum dt_lock_kind kind, uintptr_t slot_address)
{
	if (t->busy || (!t->capacity && !shim_attach(t)) || !shim_process_check(t))
		return;
	shim_identity_ended(lock);
	shim_misuse_forget(lock);
	shim_fork_held_forget(lock);
	t->busy = 1;
	struct lock_slot *slot = slot_of((uintptr_t)lock, true);
	if (slot) {
		conceive(t, slot, (uintptr_t)lock, kind);
		t->busy = 0;
		slot->init_context = shim_context_find(t, slot_address)->id;
	}
	t->busy = 0;
}

static void end_slot(struct lock_slot *slot, uintptr_t address)
{
	uint32_t id = atomic_exchange(&slot->id, 0);
	if (slot->kind == DT_LOCK_SEM)
		forget_units(address);
	slot->init_context = 0;
	slot->kind = 0;
	atomic_store(&slot->class_id, 0);
	atomic_fetch_add(&shim_generation[shim_generation_bucket((void *)address)], 1);
	if (id) {
		struct dt_rec_id rec = {{DT_REC_LOCK_END, 0, 0}, id, 0};
		SHIM_LOG(&rec);
	}
}

bool shim_identity_alive(const void *lock, enum dt_lock_kind kind)
{
	const struct lock_slot *slot = shim_log_ready() ? slot_of((uintptr_t)lock, false) : NULL;
	return slot && slot->kind == kind && atomic_load(&slot->id);
}

uint32_t shim_identity_now(const void *lock, bool *initialised)
{
	const struct lock_slot *slot = shim_log_ready() ? slot_of((uintptr_t)lock, false) : NULL;
	*initialised = slot && slot->init_context;
	return slot ? atomic_load(&slot->id) : 0;
}

uint64_t shim_identity_key(const void *lock, enum dt_lock_kind kind)
{
	/* Not asked of the object: the memory of one that is held may be gone (shmdt). */
	struct lock_slot *slot = slot_of((uintptr_t)lock, false);
	if (!slot || slot->kind != kind || SHIM_LIKELY(!slot->shared))
		return 0;
	uint64_t key = atomic_load(&slot->key);
	if (!key && (key = shim_shared_key(lock)))
		atomic_store(&slot->key, key);
	return key;
}

void shim_identity_units(const void *sem, uint32_t units)
{
	struct lock_slot *slot = shim_log_ready() ? slot_of((uintptr_t)sem, false) : NULL;
	if (!slot || slot->kind != DT_LOCK_SEM)
		return;
	slot->units = (uint16_t)(units < UINT16_MAX ? units : UINT16_MAX);
	remember_units((uintptr_t)sem, slot->units);
}

uint32_t shim_identity_units_of(const void *sem)
{
	if (!shim_log_ready())
		return 0;
	const struct lock_slot *slot = slot_of((uintptr_t)sem, false);
	if (!slot || slot->kind != DT_LOCK_SEM)
		return remembered_units((uintptr_t)sem);
	return atomic_load_explicit(&slot->is_signal, memory_order_relaxed) ? 0 : slot->units;
}

void shim_identity_given_back(const void *sem)
{
	struct lock_slot *slot = slot_of((uintptr_t)sem, false);
	if (slot && !atomic_load_explicit(&slot->given_back, memory_order_relaxed))
		atomic_store(&slot->given_back, 1);
}

uint32_t shim_identity_own_units_of(const void *sem)
{
	const struct lock_slot *slot = slot_of((uintptr_t)sem, false);
	bool own = slot && slot->kind == DT_LOCK_SEM && !slot->shared && atomic_load(&slot->given_back) &&
	           !atomic_load(&slot->is_signal);
	return own ? slot->units : 0;
}

enum dt_lock_kind shim_identity_kind(const void *lock)
{
	const struct lock_slot *slot = shim_log_ready() ? slot_of((uintptr_t)lock, false) : NULL;
	if (slot)
		return slot->kind;
	return remembered_units((uintptr_t)lock) ? DT_LOCK_SEM : DT_LOCK_MUTEX;
}

bool shim_identity_origin(const void *lock, struct shim_origin *origin)
{
	const struct lock_slot *slot = shim_log_ready() ? slot_of((uintptr_t)lock, false) : NULL;
	if (!slot || !atomic_load(&slot->id))
		return false;
	*origin = (struct shim_origin){slot->alloc_context, slot->init_context, (uintptr_t)lock - slot->block};
	return true;
}

void shim_identity_is_signal(struct shim_thread *t, void *sem)
{
	struct lock_slot *slot = t->busy ? NULL : slot_of((uintptr_t)sem, false);
	if (!slot || atomic_exchange(&slot->is_signal, 1))
		return;
	forget_units((uintptr_t)sem);
	uint32_t id = atomic_load(&slot->id);
	struct dt_rec_id rec = {{DT_REC_SEM_SIGNAL, 0, 0}, id, 0};
	if (id)
		SHIM_LOG(&rec);
	atomic_fetch_add(&shim_generation[shim_generation_bucket(sem)], 1);
}

bool shim_identity_on_stack(const struct shim_thread *t, const void *lock)
{
	return on_own_stack(t, (uintptr_t)lock);
}

void shim_identity_ended(void *lock)
{
	if (!shim_log_ready())
		return;
	struct lock_slot *slot = slot_of((uintptr_t)lock, false);
	if (slot && slot->kind)
		end_slot(slot, (uintptr_t)lock);
}

static void end_in_page(struct page_slot *page, uintptr_t start, uintptr_t end)
{
	uintptr_t base = (atomic_load(&page->page) - 1) * PAGE_BYTES;
	for (uint32_t word = 0; word < PAGE_BYTES / 8 / 64; word++) {
		uint64_t bits = atomic_load_explicit(&page->bits[word], memory_order_relaxed);
		while (bits) {
			uint32_t bit = (uint32_t)__builtin_ctzll(bits);
			bits &= bits - 1;
			uintptr_t address = base + (word * 64 + bit) * 8;
			if (address < start || address >= end)
				continue;
			atomic_fetch_and(&page->bits[word], ~((uint64_t)1 << bit));
			shim_misuse_forget((void *)address);
			shim_identity_ended((void *)address);
		}
	}
}

void shim_identity_range_ended(uintptr_t start, size_t bytes)
{
	if (!bytes || !shim_log_ready() || !atomic_load_explicit(&page_count, memory_order_relaxed))
		return;
	uintptr_t end = start + bytes;
	if (bytes / PAGE_BYTES < PAGE_SLOTS / 8) {
		for (uintptr_t at = start & ~(uintptr_t)(PAGE_BYTES - 1); at < end; at += PAGE_BYTES) {
			struct page_slot *page = page_of(at, false);
			if (page)
				end_in_page(page, start, end);
		}
		return;
	}
	for (uint32_t i = 0; i < PAGE_SLOTS; i++) {
		uintptr_t page = atomic_load_explicit(&pages[i].page, memory_order_acquire);
		if (page && (page - 1) * PAGE_BYTES < end && page * PAGE_BYTES > start)
			end_in_page(&pages[i], start, end);
	}
}
