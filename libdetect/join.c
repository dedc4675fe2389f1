/* join.c: the members' records again, under new ids, into one struct dt_facts. Ids are given first, so that a
 * record may refer to one that comes later. */
#include <detect/join.h>

#include "facts_tables.h"
#include "join_order.h"
#include "sort.h"

/* New ids by old ones. */
struct maps {
	struct dt_idmap threads, locks, stacks, acqs;
};

typedef DT_VEC(struct dt_join_origin) dt_origins;

struct place {
	struct dt_shared shared;
	enum dt_lock_kind kind;
	uint32_t member;
};

struct dt_join {
	struct dt_alloc *alloc;
	struct dt_facts *const *members;
	uint32_t count;
	struct dt_facts *facts;
	struct dt_join_order order;
	DT_VEC(struct maps) maps;
	DT_VEC(struct place) places;
	dt_origins threads, locks, stacks;
	uint32_t acqs;
};

static enum dt_err give_id(struct dt_join *join, struct dt_idmap *map, dt_origins *origins, uint32_t member,
                           uint32_t id)
{
	if (origins->count >= DT_ID_MAX)
		return DT_ERR_TOO_LARGE;
	struct dt_join_origin *origin = dt_vec_push(origins, join->alloc);
	if (!origin)
		return DT_ERR_NOMEM;
	*origin = (struct dt_join_origin){member, id};
	return dt_idmap_add(map, join->alloc, id, origins->count) ? DT_OK : DT_ERR_NOMEM;
}

static enum dt_err collect_places(struct dt_join *join)
{
	for (uint32_t m = 0; m < join->count; m++) {
		for (uint32_t i = 0; i < join->members[m]->shared.count; i++) {
			const struct dt_shared *shared = &join->members[m]->shared.at[i];
			const struct dt_lock *lock = dt_facts_lock(join->members[m], shared->lock);
			struct place *place = lock ? dt_vec_push(&join->places, join->alloc) : NULL;
			if (lock && !place)
				return DT_ERR_NOMEM;
			if (lock)
				*place = (struct place){*shared, lock->kind, m};
		}
	}
	return DT_OK;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_where(const struct place *a, const struct place *b)
{
	int order = compare_numbers(a->shared.device, b->shared.device);

	order = order ? order : compare_numbers(a->shared.inode, b->shared.inode);
	order = order ? order : compare_numbers(a->shared.offset, b->shared.offset);
	return order ? order : compare_numbers(a->kind, b->kind);
}

static int compare_places(const void *left, const void *right, void *context)
{
	const struct place *a = left, *b = right;
	int order = compare_where(a, b);

	(void)context;
	order = order ? order : compare_numbers(a->member, b->member);
	return order ? order : compare_numbers(a->shared.lock, b->shared.lock);
}

/* Locks at one place are one, whatever number their processes give them. */
static enum dt_err give_shared_ids(struct dt_join *join)
{
	enum dt_err err = collect_places(join);

	if (!err)
		dt_sort(join->places.at, join->places.count, sizeof *join->places.at, compare_places, NULL);
	for (uint32_t i = 0; !err && i < join->places.count; i++) {
		const struct place *place = &join->places.at[i];
		struct dt_idmap *map = &join->maps.at[place->member].locks;
		if (dt_idmap_find(map, place->shared.lock))
			continue;
		if (!i || compare_where(place - 1, place) || !join->locks.count)
			err = give_id(join, map, &join->locks, place->member, place->shared.lock);
		else if (!dt_idmap_add(map, join->alloc, place->shared.lock, join->locks.count))
			err = DT_ERR_NOMEM;
	}
	return err;
}

static enum dt_err give_ids(struct dt_join *join, uint32_t member)
{
	const struct dt_facts *facts = join->members[member];
	struct maps *maps = &join->maps.at[member];
	enum dt_err err = DT_OK;

	for (uint32_t i = 0; !err && i < facts->locks.count; i++)
		if (!dt_idmap_find(&maps->locks, facts->locks.at[i].id))
			err = give_id(join, &maps->locks, &join->locks, member, facts->locks.at[i].id);
	for (uint32_t i = 0; !err && i < facts->threads.count; i++)
		err = give_id(join, &maps->threads, &join->threads, member, facts->threads.at[i].id);
	for (uint32_t i = 0; !err && i < facts->stacks.count; i++) {
		uint32_t id = dt_facts_stack_id(facts, i);
		if (id)
			err = give_id(join, &maps->stacks, &join->stacks, member, id);
	}
	for (uint32_t i = 0; !err && i < facts->acqs.count; i++) {
		if (join->acqs >= DT_ID_MAX)
			return DT_ERR_TOO_LARGE;
		if (!dt_idmap_add(&maps->acqs, join->alloc, facts->acqs.at[i].id, ++join->acqs))
			err = DT_ERR_NOMEM;
	}
	return err;
}

static enum dt_err add_record(struct dt_join *join, enum dt_rec_type type, uint32_t flags, void *record,
                              size_t bytes)
{
	*(struct dt_rec *)record = (struct dt_rec){(uint16_t)type, (uint16_t)flags, (uint32_t)(bytes / 8)};
	return dt_facts_add(join->facts, record, bytes);
}

static enum dt_err add_locks(struct dt_join *join)
{
	enum dt_err err = DT_OK;

	for (uint32_t i = 0; !err && i < join->locks.count; i++) {
		const struct dt_join_origin *origin = &join->locks.at[i];
		const struct dt_lock *lock = dt_facts_lock(join->members[origin->member], origin->id);
		struct dt_rec_lock rec = {.id = i + 1,
		                          .kind = (uint8_t)lock->kind,
		                          .units = (uint16_t)lock->units,
		                          .address = lock->made->address};
		err = add_record(join, DT_REC_LOCK, lock->flags, &rec, sizeof rec);
	}
	return err;
}

static enum dt_err add_signals(struct dt_join *join, uint32_t member)
{
	const struct dt_facts *facts = join->members[member];
	enum dt_err err = DT_OK;

	for (uint32_t i = 0; !err && i < facts->locks.count; i++) {
		struct dt_rec_id rec = {
		    .id = dt_idmap_find(&join->maps.at[member].locks, facts->locks.at[i].id)};
		if (facts->locks.at[i].signal)
			err = add_record(join, DT_REC_SEM_SIGNAL, 0, &rec, sizeof rec);
	}
	return err;
}

/* The checks tell stacks by their ids; frames are asked of the member. */
static enum dt_err add_stacks(struct dt_join *join)
{
	enum dt_err err = DT_OK;

	for (uint32_t i = 0; !err && i < join->stacks.count; i++) {
		struct dt_rec_stack rec = {.id = i + 1};
		err = add_record(join, DT_REC_STACK, 0, &rec, sizeof rec);
	}
	return err;
}

static enum dt_err add_threads(struct dt_join *join)
{
	enum dt_err err = DT_OK;

	for (uint32_t i = 0; !err && i < join->threads.count; i++) {
		struct dt_rec_thread rec = {.id = i + 1};
		err = add_record(join, DT_REC_THREAD, 0, &rec, sizeof rec);
	}
	return err;
}

static enum dt_err add_segment(struct dt_join *join, const struct dt_join_node *node, uint32_t pred)
{
	struct dt_rec_segment rec = {.id = node->number, .pred = pred};

	if (node->segment != UINT32_MAX)
		rec.thread = dt_idmap_find(&join->maps.at[node->member].threads,
		                           join->members[node->member]->segments.at[node->segment].thread);
	return add_record(join, DT_REC_SEGMENT, 0, &rec, sizeof rec);
}

static enum dt_err add_segments(struct dt_join *join)
{
	const struct dt_join_order *order = &join->order;
	enum dt_err err = DT_OK;

	for (uint32_t i = 0; !err && i < order->sorted.count; i++)
		err = add_segment(join, &order->nodes.at[order->sorted.at[i]], 0);
	for (uint32_t e = 0; !err && e < order->edges.count; e++)
		err = add_segment(join, &order->nodes.at[(uint32_t)order->edges.at[e]],
		                  order->nodes.at[order->edges.at[e] >> 32].number);
	return err;
}

static enum dt_err add_sightings(struct dt_join *join, uint32_t member, const struct dt_acq *acq, uint32_t id)
{
	enum dt_err err = DT_OK;

	for (uint32_t i = 0; !err && i < acq->segment_count; i++) {
		struct dt_rec_sighting rec = {
		    .acq = id, .segment = dt_join_order_number(&join->order, member, acq->segments[i])};
		if (rec.segment)
			err = add_record(join, DT_REC_SIGHTING, 0, &rec, sizeof rec);
	}
	return err;
}

/* Of handlers nothing: they are no matter between processes. */
static enum dt_err add_acqs(struct dt_join *join, uint32_t member)
{
	const struct maps *maps = &join->maps.at[member];
	enum dt_err err = DT_OK;

	for (uint32_t i = 0; !err && i < join->members[member]->acqs.count; i++) {
		const struct dt_acq *acq = &join->members[member]->acqs.at[i];
		const struct dt_idmap *things = acq->op == DT_OP_JOIN ? &maps->threads : &maps->locks;
		struct dt_rec_acq rec = {.id = dt_idmap_find(&maps->acqs, acq->id),
		                         .parent = dt_idmap_find(&maps->acqs, acq->parent),
		                         .lock = dt_idmap_find(things, acq->lock),
		                         .stack = dt_idmap_find(&maps->stacks, acq->stack),
		                         .op = (uint8_t)acq->op,
		                         .mode = (uint8_t)acq->mode,
		                         .wait = (uint8_t)acq->wait};
		if (!acq->depth || !rec.lock)
			continue;
		err = add_record(join, DT_REC_ACQ, 0, &rec, sizeof rec);
		err = err ? err : add_sightings(join, member, acq, rec.id);
	}
	return err;
}

static enum dt_err build(struct dt_join *join)
{
	enum dt_err err = dt_facts_new(&join->facts, join->alloc);

	err = err ? err : dt_join_order_init(&join->order, join->members, join->count, join->alloc);
	while (!err && join->maps.count < join->count)
		if (!dt_vec_push(&join->maps, join->alloc))
			err = DT_ERR_NOMEM;
	err = err ? err : give_shared_ids(join);
	for (uint32_t m = 0; !err && m < join->count; m++)
		err = give_ids(join, m);
	err = err ? err : add_locks(join);
	err = err ? err : add_stacks(join);
	err = err ? err : add_threads(join);
	err = err ? err : add_segments(join);
	for (uint32_t m = 0; !err && m < join->count; m++) {
		err = add_signals(join, m);
		err = err ? err : add_acqs(join, m);
	}
	return err ? err : dt_facts_settle(join->facts);
}

enum dt_err dt_join_open(struct dt_join **out, struct dt_facts *const *members, uint32_t count,
                         struct dt_alloc *alloc)
{
	struct dt_join *join = alloc->resize(alloc, NULL, 0, sizeof *join);

	if (!join)
		return DT_ERR_NOMEM;
	*join = (struct dt_join){.alloc = alloc, .members = members, .count = count};
	enum dt_err err = build(join);
	if (err) {
		dt_join_close(join);
		return err;
	}
	*out = join;
	return DT_OK;
}

void dt_join_close(struct dt_join *join)
{
	if (!join)
		return;
	struct dt_alloc *alloc = join->alloc;
	for (uint32_t m = 0; m < join->maps.count; m++) {
		struct maps *maps = &join->maps.at[m];
		dt_idmap_fini(&maps->threads, alloc);
		dt_idmap_fini(&maps->locks, alloc);
		dt_idmap_fini(&maps->stacks, alloc);
		dt_idmap_fini(&maps->acqs, alloc);
	}
	dt_vec_fini(&join->maps, alloc);
	dt_vec_fini(&join->places, alloc);
	dt_vec_fini(&join->threads, alloc);
	dt_vec_fini(&join->locks, alloc);
	dt_vec_fini(&join->stacks, alloc);
	if (join->order.alloc)
		dt_join_order_fini(&join->order);
	dt_facts_free(join->facts);
	alloc->resize(alloc, join, sizeof *join, 0);
}

struct dt_facts *dt_join_facts(struct dt_join *join)
{
	return join->facts;
}

static struct dt_join_origin origin_of(const dt_origins *origins, uint32_t id)
{
	return id && id <= origins->count ? origins->at[id - 1] : (struct dt_join_origin){0, 0};
}

struct dt_join_origin dt_join_thread(const struct dt_join *join, uint32_t id)
{
	return origin_of(&join->threads, id);
}

struct dt_join_origin dt_join_lock(const struct dt_join *join, uint32_t id)
{
	return origin_of(&join->locks, id);
}

struct dt_join_origin dt_join_stack(const struct dt_join *join, uint32_t id)
{
	return origin_of(&join->stacks, id);
}

struct between {
	const struct dt_join *join;
	dt_finding_sink *sink;
	void *context;
};

static void pass_between(void *context, const struct dt_finding *finding)
{
	const struct between *between = context;
	bool several = false;

	for (uint32_t i = 1; i < finding->event_count; i++)
		several |= dt_join_thread(between->join, finding->events[i].thread).member !=
		           dt_join_thread(between->join, finding->events[0].thread).member;
	if (several)
		between->sink(between->context, finding);
}

enum dt_err dt_join_analyse(struct dt_join *join, const struct dt_check_options *options,
                            dt_finding_sink *sink, void *context, struct dt_analysis *result)
{
	struct between between = {join, sink, context};

	return dt_analyse(join->facts, join->alloc, options, pass_between, &between, result);
}
