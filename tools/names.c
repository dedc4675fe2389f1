/* The first source that knows something wins; the order is that of how well a name tells a person
 * which object is meant: a symbol, a member, an allocation, an initialisation, a first use. */
#include "names.h"

#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#include "places.h"

const char *names_kind(enum dt_lock_kind kind)
{
	static const char *const names[DT_LOCK_KINDS] = {
	    [DT_LOCK_MUTEX] = "mutex", [DT_LOCK_RWLOCK] = "rwlock", [DT_LOCK_SPIN] = "spin",
	    [DT_LOCK_COND] = "cond",   [DT_LOCK_SEM] = "sem",       [DT_LOCK_BARRIER] = "barrier",
	    [DT_LOCK_ONCE] = "once",
	};

	return (unsigned)kind < DT_LOCK_KINDS && names[kind] ? names[kind] : "unknown";
}

const char *names_kind_words(enum dt_lock_kind kind)
{
	static const char *const words[DT_LOCK_KINDS] = {
	    [DT_LOCK_MUTEX] = "mutex",       [DT_LOCK_RWLOCK] = "rwlock",
	    [DT_LOCK_SPIN] = "spinlock",     [DT_LOCK_COND] = "condition variable",
	    [DT_LOCK_SEM] = "semaphore",     [DT_LOCK_BARRIER] = "barrier",
	    [DT_LOCK_ONCE] = "once control",
	};

	return (unsigned)kind < DT_LOCK_KINDS && words[kind] ? words[kind] : "lock";
}

const char *names_frame(struct arena *arena, const struct report_frame *frame)
{
	if (!frame)
		return NULL;
	if (frame->file && frame->function)
		return arena_printf(arena, "%s:%u in %s", model_base_name(frame->file), frame->line,
		                    places_bare_name(arena, frame->function));
	const char *module = frame->module ? model_base_name(frame->module) : "unknown code";
	unsigned long long offset = frame->offset;
	if (frame->function)
		return arena_printf(arena, "%s (%s+%#llx)", places_bare_name(arena, frame->function), module,
		                    offset);
	return arena_printf(arena, "%s+%#llx", module, offset);
}

/* The function that a class name is made of: same code, same name, in every run. */
static const char *frame_class(struct arena *arena, const struct report_frame *frame)
{
	if (frame->function)
		return places_bare_name(arena, frame->function);
	return arena_printf(arena, "%s+%#llx", frame->module ? model_base_name(frame->module) : "?",
	                    (unsigned long long)(frame->module ? frame->offset : 0));
}

/* "accounts[1].lock" is one of "accounts[].lock". */
static const char *without_indices(struct arena *arena, const char *name)
{
	char *copy = arena_alloc(arena, strlen(name) + 1), *to = copy;

	for (const char *from = name; *from; from++) {
		*to++ = *from;
		if (*from == '[')
			from += strspn(from + 1, "0123456789");
	}
	return copy;
}

/* How a lock came to be, from the best stack there is. */
struct origin {
	const char *verb;
	uint32_t stack;
};

static struct origin find_origin(const struct dt_lock *lock)
{
	if (lock->made->alloc_stack)
		return (struct origin){"allocated", lock->made->alloc_stack};
	if (lock->made->init_stack)
		return (struct origin){"initialised", lock->made->init_stack};
	return (struct origin){"first locked", lock->made->first_stack};
}

static void name_global(struct resolve *resolve, const struct dt_lock *lock, struct report_lock *named)
{
	const struct dt_module *module =
	    dt_facts_module_at(resolve_facts(resolve), lock->made->address, lock->order);
	struct arena *arena = resolve_arena(resolve);
	const char *file;
	unsigned line;

	if (!module)
		return;
	const char *symbol = symbols_global(resolve_symbols(resolve), module, lock->made->address);
	if (!symbol)
		return;
	named->name = arena_copy(arena, symbol);
	named->class_name = without_indices(arena, symbol);
	if (symbols_global_place(resolve_symbols(resolve), module, lock->made->address, &file, &line))
		named->origin = arena_printf(arena, "defined at %s:%u", model_base_name(file), line);
}

static uint64_t bytes_of(uint32_t kind)
{
	static const uint64_t bytes[DT_LOCK_KINDS] = {[DT_LOCK_MUTEX] = sizeof(pthread_mutex_t),
	                                              [DT_LOCK_RWLOCK] = sizeof(pthread_rwlock_t),
	                                              [DT_LOCK_SPIN] = sizeof(pthread_spinlock_t),
	                                              [DT_LOCK_COND] = sizeof(pthread_cond_t),
	                                              [DT_LOCK_SEM] = sizeof(sem_t),
	                                              [DT_LOCK_BARRIER] = sizeof(pthread_barrier_t),
	                                              [DT_LOCK_ONCE] = sizeof(pthread_once_t)};

	return kind < DT_LOCK_KINDS ? bytes[kind] : 0;
}

static void name_heap(struct resolve *resolve, const struct dt_lock *lock, struct report_lock *named)
{
	uint64_t pc;
	const struct dt_module *module = resolve_place(resolve, lock->made->alloc_stack, &pc);

	if (!module || lock->made->block == 0 || lock->made->address < lock->made->block)
		return;
	const char *member =
	    symbols_heap_member(resolve_symbols(resolve), module, pc, lock->made->block_bytes,
	                        lock->made->address - lock->made->block, bytes_of(lock->kind));
	if (!member)
		return;
	named->name = arena_copy(resolve_arena(resolve), member);
	named->class_name = without_indices(resolve_arena(resolve), member);
}

static void name_by_origin(struct resolve *resolve, const struct dt_lock *lock, const struct origin *origin,
                           const char *where, struct report_lock *named)
{
	struct arena *arena = resolve_arena(resolve);
	const char *kind = names_kind_words(lock->kind);

	if (lock->place == DT_PLACE_STACK)
		named->name =
		    arena_printf(arena, "%s on the stack of %s, %s at %s", kind,
		                 resolve_thread_words(resolve, lock->made->thread), origin->verb, where);
	else
		named->name = arena_printf(arena, "%s %s at %s", kind, origin->verb, where);
}

/* What is known by place of making only, not as an object. */
static void name_class(struct resolve *resolve, const struct dt_lock *lock, const char *where,
                       struct report_lock *named)
{
	named->name =
	    arena_printf(resolve_arena(resolve), "any %s made at %s", names_kind_words(lock->kind), where);
	named->origin = NULL;
}

struct report_lock names_lock(struct resolve *resolve, uint32_t id)
{
	const struct dt_lock *lock = dt_facts_lock(resolve_facts(resolve), id);
	struct arena *arena = resolve_arena(resolve);
	struct report_lock named = {.id = id, .kind = "unknown", .kind_words = "lock"};

	if (resolve_get_source(resolve))
		return resolve_get_source(resolve)->lock(resolve_get_source(resolve)->context, id);
	if (!lock) {
		named.name = arena_printf(arena, "lock %u", id);
		named.class_name = "lock";
		return named;
	}
	named.kind = names_kind(lock->kind);
	named.kind_words = names_kind_words(lock->kind);
	struct origin origin = find_origin(lock);
	struct report_stack stack = resolve_stack(resolve, origin.stack);
	const struct report_frame *place = places_find(&stack);
	const char *where = names_frame(arena, place);
	if (where)
		named.origin = arena_printf(arena, "%s at %s", origin.verb, where);

	if (lock->flags & DT_LOCK_CLASS && where)
		name_class(resolve, lock, where, &named);
	else if (lock->place == DT_PLACE_HEAP)
		name_heap(resolve, lock, &named);
	else if (lock->place != DT_PLACE_STACK)
		name_global(resolve, lock, &named);

	if (!named.name && where)
		name_by_origin(resolve, lock, &origin, where, &named);
	if (!named.name)
		named.name = arena_printf(arena, "%s %u", names_kind_words(lock->kind), id);
	if (!named.class_name)
		named.class_name =
		    arena_printf(arena, "%s %s", named.kind, place ? frame_class(arena, place) : "");
	return named;
}

void names_number(struct arena *arena, struct report_lock *locks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *name = locks[i].name;
		unsigned number = 1;

		for (size_t j = i + 1; j < count; j++)
			if (strcmp(locks[j].name, name) == 0)
				locks[j].name = arena_printf(arena, "%s #%u", name, ++number);
		if (number > 1)
			locks[i].name = arena_printf(arena, "%s #1", name);
	}
}
