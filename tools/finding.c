/* Locks and threads are collected first, in order of appearance, each once; then the events link to
 * them by id. */
#include "finding.h"

#include <string.h>

#include "advice.h"
#include "fingerprint.h"
#include "memory.h"
#include "names.h"

/* Names are compared pairwise, so a hostile log must not have a million of them in one finding. Of
 * more locks held at once than this, the innermost are kept. */
#define HOLDING_MAX 1000u

static const uint32_t *held_locks(const struct dt_event *event, uint32_t *count)
{
	*count = event->holding_count < HOLDING_MAX ? event->holding_count : HOLDING_MAX;
	return *count ? event->holding + (event->holding_count - *count) : NULL;
}

/* Where ids are looked up: the finding's process, and those that it meets. */
struct looking {
	struct resolve *own;
	struct peers *peers;
};

static void add_lock(const struct looking *look, struct report_finding *finding, uint32_t id)
{
	uint32_t in_log = id;
	struct resolve *resolve = peers_resolve(look->peers, look->own, &in_log);

	if (!id || model_lock(finding, id))
		return;
	struct report_lock *lock = &finding->locks[finding->lock_count++];
	*lock = names_lock(resolve, in_log);
	lock->id = id;
}

static void add_thread(const struct looking *look, struct report_finding *finding, uint32_t id)
{
	uint32_t in_log = id;
	struct resolve *resolve = peers_resolve(look->peers, look->own, &in_log);

	if (!id || model_thread(finding, id))
		return;
	struct report_thread *thread = &finding->threads[finding->thread_count++];
	*thread = resolve_thread(resolve, in_log);
	thread->number = thread->id;
	thread->pid = peers_pid(look->peers, id);
	/* The other process's threads have its ids too. */
	thread->parent = thread->parent ? thread->parent + (id - in_log) : 0;
	thread->id = id;
}

static void collect_locks(const struct looking *look, struct report_finding *finding,
                          const struct dt_finding *found)
{
	size_t most = (size_t)found->lock_count + 1;
	uint32_t held;

	for (uint32_t i = 0; i < found->event_count; i++) {
		held_locks(&found->events[i], &held);
		most += 2 + held;
	}
	finding->locks = arena_alloc(resolve_arena(look->own), most * sizeof(*finding->locks));
	for (uint32_t i = 0; i < found->lock_count; i++)
		add_lock(look, finding, found->locks[i]);
	finding->cycle_lock_count = finding->lock_count;
	for (uint32_t i = 0; i < found->event_count; i++) {
		const uint32_t *holding = held_locks(&found->events[i], &held);
		add_lock(look, finding, found->events[i].lock);
		add_lock(look, finding, found->events[i].other_lock);
		for (uint32_t h = 0; h < held; h++)
			add_lock(look, finding, holding[h]);
	}
	add_lock(look, finding, found->reason_lock);
	names_number(resolve_arena(look->own), finding->locks, finding->lock_count);
}

static void collect_threads(const struct looking *look, struct report_finding *finding,
                            const struct dt_finding *found)
{
	size_t most = 3 * (size_t)found->event_count + 2;

	finding->threads = arena_alloc(resolve_arena(look->own), most * sizeof(*finding->threads));
	for (uint32_t i = 0; i < found->event_count; i++) {
		add_thread(look, finding, found->events[i].thread);
		add_thread(look, finding, found->events[i].other_thread);
	}
	add_thread(look, finding, found->memory.bytes ? found->memory.alloc_thread : 0);
	/* Who created them, so that "created by thread 1" can be looked up. */
	for (size_t i = 0, acting = finding->thread_count; i < acting && finding->thread_count < most; i++)
		add_thread(look, finding, finding->threads[i].parent);
}

static struct report_event resolve_event(const struct looking *look, const struct dt_event *event)
{
	uint32_t held, stack = event->stack;
	struct resolve *resolve = peers_resolve(look->peers, look->own, &stack);
	const uint32_t *from = held_locks(event, &held);
	uint32_t *holding = arena_alloc(resolve_arena(look->own), held * sizeof(*holding));

	if (held)
		memcpy(holding, from, held * sizeof(*holding));
	return (struct report_event){
	    .kind = event->kind,
	    .thread = event->thread,
	    .lock = event->lock,
	    .other_thread = event->other_thread,
	    .other_lock = event->other_lock,
	    .pid = event->pid,
	    .since_ns = event->since_ns,
	    .handler = event->handler ? dt_signal_name(event->handler) : NULL,
	    .forgotten = event->forgotten,
	    .interruptible = event->interruptible ? dt_signal_name(event->interruptible) : NULL,
	    .op = event->op,
	    .mode = event->mode,
	    .wait = event->wait,
	    .address = event->address,
	    .bytes = event->bytes,
	    .holding = holding,
	    .holding_count = held,
	    .stack = resolve_stack(resolve, stack),
	};
}

static const uint32_t *copy_numbers(struct arena *arena, const uint32_t *from, size_t count)
{
	uint32_t *to = arena_alloc(arena, count * sizeof(*to));

	if (count)
		memcpy(to, from, count * sizeof(*to));
	return to;
}

static void copy_matrices(struct arena *arena, struct report_matrices *to, const struct dt_matrices *from)
{
	size_t cells = (size_t)from->thread_count * from->resource_count;

	*to = (struct report_matrices){
	    .resource_count = from->resource_count,
	    .thread_count = from->thread_count,
	    .stuck_count = from->stuck_count,
	    .resources = copy_numbers(arena, from->resources, from->resource_count),
	    .available = copy_numbers(arena, from->available, from->resource_count),
	    .threads = copy_numbers(arena, from->threads, from->thread_count),
	    .sections = copy_numbers(arena, from->sections, from->thread_count),
	    .allocation = copy_numbers(arena, from->allocation, cells),
	    .claim = copy_numbers(arena, from->claim, cells),
	    .stuck = copy_numbers(arena, from->stuck, from->stuck_count),
	};
}

struct report_finding finding_resolve(struct resolve *resolve, struct peers *peers,
                                      const struct dt_finding *told)
{
	return finding_resolve_translated(resolve, peers, peers_translate(peers, told));
}

struct report_finding finding_resolve_translated(struct resolve *resolve, struct peers *peers,
                                                 const struct dt_finding *found)
{
	const struct looking look = {resolve, peers};
	struct arena *arena = resolve_arena(resolve);
	struct report_finding finding = {
	    .rule = &dt_rules[found->rule],
	    .level = found->level,
	    .tier = found->tier,
	    .reason = found->reason,
	    .filtered = found->filtered,
	    .happened = found->happened,
	    .broken = found->broken,
	    .limited = found->limited,
	    .cut = found->cut,
	    .time_ns = found->time_ns,
	    .count = found->count ? found->count : 1,
	    .bug = found->bug,
	    .event_count = found->event_count,
	};

	finding.memory = memory_resolve(resolve, &found->memory);
	collect_locks(&look, &finding, found);
	collect_threads(&look, &finding, found);
	const struct report_lock *reason_lock = model_lock(&finding, found->reason_lock);
	finding.reason_lock = reason_lock ? reason_lock->name : NULL;
	finding.events = arena_alloc(arena, found->event_count * sizeof(*finding.events));
	for (uint32_t i = 0; i < found->event_count; i++)
		finding.events[i] = resolve_event(&look, &found->events[i]);
	copy_matrices(arena, &finding.matrices, &found->matrices);
	for (uint32_t i = 0; i < found->matrices.thread_count; i++)
		add_thread(&look, &finding, found->matrices.threads[i]);
	finding.fingerprint = fingerprint_make(arena, &finding);
	advice_write(arena, &finding);
	return finding;
}
