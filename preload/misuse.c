/* misuse.c: what a call is about to do to an object that does not allow it. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "board.h"
#include "identity.h"
#include "incident.h"
#include "log.h"
#include "misuse.h"
#include "modules.h"
#include "note.h"
#include "objects.h"
#include "options.h"
#include "process.h"
#include "region.h"
#include "unwind_memory.h"
#include "waiters.h"

enum { GRAVES = 1 << 12, TRIES = 64, PARTS = 8 };

/* A destroyed object: its contents then, since an initialisation by assignment is not seen. */
struct grave {
	_Atomic uintptr_t address;
	uint64_t contents;
	uint32_t context, thread, lock;
	uint8_t kind, zero[3];
};

static struct grave *graves;
static _Atomic uint32_t grave_count;

bool shim_misuse_open(void)
{
	graves = shim_region_map(GRAVES * sizeof *graves, true);
	return graves != NULL;
}

static bool begin(struct shim_thread *t, int *saved)
{
	if (t->busy || !t->capacity || !shim_process_check(t))
		return false;
	*saved = errno;
	t->busy = 1;
	return true;
}

static void end(struct shim_thread *t, int saved)
{
	t->busy = 0;
	errno = saved;
}

/* Found before `busy` is set: finding a context sets it itself. */
static uint32_t context_at(struct shim_thread *t, uintptr_t slot)
{
	return t->busy || !t->capacity ? 0 : shim_context_find(t, slot)->id;
}

/* The thread of this process with that kernel id; 0: none that is observed. */
static uint32_t thread_of_tid(int32_t tid)
{
	int32_t pid = shim_log_header()->pid;

	for (uint32_t i = 0; shim_board && tid && (i = shim_board_next_of(pid, i)) < DT_BOARD_SLOTS; i++)
		if (shim_board->slots[i].tid == tid)
			return shim_board->slots[i].thread;
	return 0;
}

/* The next thread of this process from slot *at on that waits on the object, copied. */
static bool next_waiter(const void *object, uint32_t *at, struct dt_board_slot *copy)
{
	int32_t pid = shim_log_header()->pid;

	for (; shim_board && (*at = shim_board_next(shim_board->blocked, *at)) < DT_BOARD_SLOTS; ++*at)
		if (shim_board_read(&shim_board->slots[*at], copy) && copy->object == (uintptr_t)object &&
		    copy->pid == pid)
			return true;
	return false;
}

static struct shim_part blocked_part(const struct dt_board_slot *slot, const void *object)
{
	return (struct shim_part){.part = {.part = DT_PART_BLOCKED,
	                                   .op = slot->op,
	                                   .thread = slot->thread,
	                                   .lock = slot->object_id,
	                                   .other_lock = slot->mutex_id,
	                                   .stack = slot->stack,
	                                   .since_ns = slot->since_ns},
	                          .lock = object};
}

static int32_t owner_of(const void *lock, enum dt_lock_kind kind)
{
	return kind == DT_LOCK_MUTEX    ? shim_mutex_owner(lock)
	       : kind == DT_LOCK_RWLOCK ? shim_rwlock_writer(lock)
	                                : 0;
}

static bool is_free(const void *lock, enum dt_lock_kind kind)
{
	switch (kind) {
	case DT_LOCK_MUTEX:
		return shim_mutex_is_free(lock);
	case DT_LOCK_RWLOCK:
		return shim_rwlock_is_free(lock);
	case DT_LOCK_SPIN:
		return shim_spin_is_free(lock);
	default:
		return true;
	}
}

/* The holder, if it is known who it is. */
static uint32_t add_holder(struct shim_part *parts, uint32_t count, uint32_t thread, uint32_t stack)
{
	parts[count] = parts[0];
	parts[count].part.part = DT_PART_HELD;
	parts[count].part.thread = thread;
	parts[count].part.stack = stack;
	return thread ? count + 1 : count;
}

static void tell_with_holder(struct shim_thread *t, enum dt_incident incident, enum dt_part part, void *lock,
                             enum dt_lock_kind kind, uint32_t context, uint32_t holder, uint32_t stack)
{
	struct shim_part parts[2] = {shim_part_of(t, part, lock, kind, context)};

	shim_incident_misuse(t, incident, parts, add_holder(parts, 1, holder, stack));
}

/* Some locks were taken that the held stack had no room for. */
static bool lost_track(void)
{
	return shim_log_header()->counters[DT_COUNT_HELD_OVERFLOW] != 0;
}

static bool has_elided(const void *lock, enum dt_lock_kind kind)
{
	return kind == DT_LOCK_MUTEX && shim_mutex_kind(lock) & SHIM_MUTEX_ELISION;
}

void shim_misuse_unlock(struct shim_thread *t, void *lock, enum dt_lock_kind kind, uintptr_t slot)
{
	uint32_t context = context_at(t, slot);
	int32_t owner = owner_of(lock, kind);
	int saved;

	if (has_elided(lock, kind) || (kind == DT_LOCK_MUTEX && shim_mutex_is_destroyed(lock)) ||
	    owner == t->owner || !begin(t, &saved))
		return;
	if (is_free(lock, kind)) {
		tell_with_holder(t, DT_INCIDENT_UNLOCK_NOT_LOCKED, DT_PART_UNLOCK, lock, kind, context, 0, 0);
	} else if (owner || !lost_track()) {
		/* An owner that is not one of ours: locked before a fork, or by a thread that is not
		 * observed. */
		uint32_t holder = thread_of_tid(owner);
		bool readers = kind == DT_LOCK_RWLOCK && !owner;
		if (holder || readers || kind == DT_LOCK_SPIN)
			tell_with_holder(t, DT_INCIDENT_UNLOCK_NOT_OWNER, DT_PART_UNLOCK, lock, kind, context,
			                 holder, 0);
	}
	end(t, saved);
}

static const uint8_t object_bytes[DT_LOCK_KINDS] = {
    [DT_LOCK_MUTEX] = sizeof(pthread_mutex_t),
    [DT_LOCK_RWLOCK] = sizeof(pthread_rwlock_t),
    [DT_LOCK_SPIN] = sizeof(pthread_spinlock_t),
    [DT_LOCK_COND] = sizeof(pthread_cond_t),
    [DT_LOCK_SEM] = sizeof(sem_t),
    [DT_LOCK_BARRIER] = sizeof(pthread_barrier_t),
};

/* All zeros is what a new life by assignment or memset looks like, and unused memory. Of a global that was
 * initialised by a call and destroyed by one, a new life by assignment is not to be expected. */
static bool looks_new(const void *object, enum dt_lock_kind kind)
{
	const unsigned char *bytes = object;

	for (uint32_t i = 0; i < object_bytes[kind]; i++)
		if (bytes[i] && kind != DT_LOCK_SPIN)
			return false;
	return true;
}

static uint64_t contents_of(const void *object, enum dt_lock_kind kind)
{
	const unsigned char *bytes = object;
	uint64_t hash = 0;

	for (uint32_t i = 0; i < object_bytes[kind]; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3u;
	return hash;
}

static struct grave *grave(uintptr_t address, uint32_t i)
{
	return &graves[((address >> 3) + (address >> 14) + i) % GRAVES];
}

static struct grave *grave_of(const void *object, bool add)
{
	uintptr_t wanted = (uintptr_t)object;

	for (uint32_t i = 0; graves && i < TRIES; i++) {
		struct grave *g = grave(wanted, i);
		uintptr_t found = atomic_load_explicit(&g->address, memory_order_acquire);
		if (!found && !add)
			return NULL;
		if (found == wanted ||
		    (!found && atomic_compare_exchange_strong(&g->address, &found, wanted)) ||
		    found == wanted)
			return g;
	}
	/* One whose object was forgotten. */
	for (uint32_t i = 0; add && graves && i < TRIES; i++) {
		struct grave *g = grave(wanted, i);
		uintptr_t found = atomic_load(&g->address);
		if (!g->kind && atomic_compare_exchange_strong(&g->address, &found, wanted))
			return g;
	}
	return NULL;
}

void shim_misuse_destroyed(struct shim_thread *t, void *object, enum dt_lock_kind kind, uintptr_t slot)
{
	uint32_t context = context_at(t, slot);
	int saved;

	if (!shim_options.heap || !begin(t, &saved))
		return;
	struct grave *g = grave_of(object, true);
	bool initialised;
	uint32_t lock = shim_identity_now(object, &initialised);
	if (g && (!looks_new(object, kind) || (initialised && shim_modules_has(object)))) {
		g->contents = contents_of(object, kind);
		g->context = context;
		g->thread = t->id;
		g->lock = lock;
		g->kind = (uint8_t)kind;
		atomic_fetch_add(&grave_count, 1);
	}
	end(t, saved);
}

void shim_misuse_forget(const void *object)
{
	struct grave *g =
	    atomic_load_explicit(&grave_count, memory_order_relaxed) ? grave_of(object, false) : NULL;

	if (g)
		g->kind = 0;
}

static void tell_destroyed(struct shim_thread *t, void *object, enum dt_lock_kind kind, uint32_t context,
                           const struct grave *g)
{
	struct shim_part parts[2] = {
	    {.part = {.part = DT_PART_USE, .thread = t->id, .stack = context}, .lock = object}};

	parts[0].part.lock = g && g->lock ? g->lock : shim_identity_of(t, object, kind, context, 0);
	parts[1] = parts[0];
	parts[1].part.part = DT_PART_DESTROY;
	parts[1].part.thread = g ? g->thread : 0;
	parts[1].part.stack = g ? g->context : 0;
	shim_incident_misuse(t, DT_INCIDENT_USE_DESTROYED, parts, g ? 2 : 1);
}

void shim_misuse_use(struct shim_thread *t, void *object, enum dt_lock_kind kind, uint32_t context)
{
	struct grave *g =
	    atomic_load_explicit(&grave_count, memory_order_relaxed) ? grave_of(object, false) : NULL;

	/* A mutex says itself that it was destroyed, when it is locked. */
	if (!g || g->kind != kind || kind == DT_LOCK_MUTEX)
		return;
	if (g->contents == contents_of(object, kind))
		tell_destroyed(t, object, kind, context, g);
	g->kind = 0;
}

void shim_misuse_invalid(struct shim_thread *t, void *mutex, uintptr_t slot)
{
	uint32_t context = context_at(t, slot);
	int saved;

	if (!shim_mutex_is_destroyed(mutex) || !begin(t, &saved))
		return;
	const struct grave *g = grave_of(mutex, false);
	tell_destroyed(t, mutex, DT_LOCK_MUTEX, context, g && g->kind ? g : NULL);
	end(t, saved);
}

static bool has_waiters(const void *object, enum dt_lock_kind kind)
{
	bool known;

	switch (kind) {
	case DT_LOCK_COND:
		return shim_waiters_asleep(object, &known) && known;
	case DT_LOCK_SEM:
		return shim_sem_waiters(object) && !shim_sem_value(object);
	case DT_LOCK_BARRIER:
		return !shim_barrier_is_complete(object);
	default:
		return false;
	}
}

static void tell_waited(struct shim_thread *t, void *object, enum dt_lock_kind kind, uint32_t context)
{
	struct shim_part parts[PARTS] = {shim_part_of(t, DT_PART_DESTROY, object, kind, context)};
	struct dt_board_slot copy;
	uint32_t count = 1;

	for (uint32_t at = 0; count < PARTS && next_waiter(object, &at, &copy); at++)
		parts[count++] = blocked_part(&copy, object);
	shim_incident_misuse(t, DT_INCIDENT_DESTROY_WAITED, parts, count);
}

static bool is_destroyed(const void *object, enum dt_lock_kind kind)
{
	if (kind == DT_LOCK_MUTEX)
		return shim_mutex_is_destroyed(object);
	const struct grave *g = grave_of(object, false);
	return g && g->kind == kind && g->contents == contents_of(object, kind);
}

void shim_misuse_destroy(struct shim_thread *t, void *object, enum dt_lock_kind kind, uintptr_t slot)
{
	bool destroyed = is_destroyed(object, kind);
	bool locked = !destroyed && !is_free(object, kind) && shim_identity_alive(object, kind);
	bool waited = !destroyed && !locked && has_waiters(object, kind);
	int saved;

	if (!destroyed && !locked && !waited)
		return;
	uint32_t context = context_at(t, slot);
	if (!begin(t, &saved))
		return;
	if (destroyed) {
		tell_destroyed(t, object, kind, context, grave_of(object, false));
	} else if (waited) {
		tell_waited(t, object, kind, context);
	} else {
		const struct shim_held *own = shim_held_find(t, object);
		int32_t owner = owner_of(object, kind);
		uint32_t holder = own ? t->id : thread_of_tid(owner);
		/* Locked by nobody that is there: in a parent before the fork, or memory that was something
		 * else. */
		if (holder || (kind != DT_LOCK_MUTEX && !owner))
			tell_with_holder(t, DT_INCIDENT_DESTROY_LOCKED, DT_PART_DESTROY, object, kind,
			                 context, holder, own ? own->context : 0);
	}
	end(t, saved);
}

void shim_misuse_init(struct shim_thread *t, void *object, enum dt_lock_kind kind, uintptr_t slot)
{
	const struct shim_held *own = t->capacity ? shim_held_find(t, object) : NULL;
	int saved;

	if (!t->capacity || (!own && !shim_identity_alive(object, kind)) || is_free(object, kind))
		return;
	uint32_t holder =
	    own && owner_of(object, kind) == t->owner ? t->id : thread_of_tid(owner_of(object, kind));
	uint32_t context = context_at(t, slot);
	/* On a stack the same words may be what an earlier call left behind. */
	if (!holder || (!own && shim_identity_on_stack(t, object)) || !begin(t, &saved))
		return;
	tell_with_holder(t, DT_INCIDENT_INIT_LOCKED, DT_PART_INIT, object, kind, context, holder,
	                 own ? own->context : 0);
	end(t, saved);
}

static void tell_what_is_held(struct shim_thread *t, bool shared_only)
{
	for (uint32_t i = 0; i < t->depth; i++) {
		const struct shim_held *h = &t->held[i];
		enum dt_lock_kind kind = h->how & SHIM_HOW_KIND;
		/* Only a mutex tells that it is not a parent's, who will release it. */
		if (shared_only && (kind != DT_LOCK_MUTEX || !shim_identity_key(h->lock, kind)))
			continue;
		/* Its memory may be gone, and the lock with it. */
		if (!shim_memory_readable((uintptr_t)h->lock & ~(uintptr_t)7))
			continue;
		bool robust = kind == DT_LOCK_MUTEX && shim_mutex_kind(h->lock) & SHIM_MUTEX_ROBUST;
		bool owned =
		    kind == DT_LOCK_MUTEX ? shim_mutex_owner(h->lock) == t->owner : !is_free(h->lock, kind);
		if (!(h->how & SHIM_HOW_HELD) || kind == DT_LOCK_SEM || robust || !owned ||
		    shim_released_elsewhere(h->lock))
			continue;
		struct shim_part parts[2] = {shim_part_of(t, DT_PART_EXIT, h->lock, kind, 0)};
		shim_incident_misuse(t, DT_INCIDENT_EXIT_HOLDING_LOCK, parts,
		                     add_holder(parts, 1, t->id, h->context));
	}
}

void shim_misuse_exit(struct shim_thread *t)
{
	tell_what_is_held(t, false);
}

void shim_misuse_process_exit(struct shim_thread *t)
{
	if (!t->capacity || t->busy || !shim_process_check(t) || shim_log_header()->pid != getpid())
		return;
	t->busy = 1;
	tell_what_is_held(t, true);
	t->busy = 0;
}

static struct shim_part waiting(struct shim_thread *t, void *cond, void *mutex, uint32_t context)
{
	struct shim_part p = shim_part_of(t, DT_PART_BLOCKED, cond, DT_LOCK_COND, context);

	p.part.op = DT_OP_COND_WAIT;
	p.part.other_lock = shim_identity_of(t, mutex, DT_LOCK_MUTEX, context, 0);
	return p;
}

void shim_misuse_wait_unlocked(struct shim_thread *t, void *cond, void *mutex, uint32_t context)
{
	int saved;

	if (shim_mutex_owner(mutex) == t->owner || has_elided(mutex, DT_LOCK_MUTEX) || lost_track() ||
	    !begin(t, &saved))
		return;
	struct shim_part part = waiting(t, cond, mutex, context);
	shim_incident_misuse(t, DT_INCIDENT_COND_WAIT_UNLOCKED, &part, 1);
	end(t, saved);
}

void shim_misuse_wait_mismatch(struct shim_thread *t, void *cond, void *mutex, const void *other,
                               uint32_t context)
{
	struct dt_board_slot copy;
	int saved;

	if (!begin(t, &saved))
		return;
	struct shim_part parts[2] = {waiting(t, cond, mutex, context)};
	uint32_t count = 1;
	for (uint32_t at = 0; count == 1 && next_waiter(cond, &at, &copy); at++)
		if (copy.mutex == (uintptr_t)other)
			parts[count++] = blocked_part(&copy, cond);
	/* The other waiter must still be there: else it has been woken meanwhile. */
	if (count == 2)
		shim_incident_misuse(t, DT_INCIDENT_COND_MUTEX_MISMATCH, parts, count);
	end(t, saved);
}
