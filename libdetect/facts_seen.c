/* facts_seen.c: records of what was seen beside the tree of acquisitions: incidents, races, states, how locks
 * were used, what processes share. */
#include "facts_add.h"

enum dt_err dt_facts_add_incident(struct dt_facts *f, const void *at, struct dt_rec head, size_t bytes)
{
	const struct dt_rec_incident rec = *(const struct dt_rec_incident *)at;
	size_t parts_bytes = rec.count * sizeof(struct dt_incident_part);

	if (!rec.incident || rec.incident >= DT_INCIDENTS || !rec.count || parts_bytes > bytes - sizeof rec)
		return DT_ERR_CORRUPT;
	const struct dt_incident_part *parts =
	    (const void *)dt_facts_copy(f, (const char *)at + sizeof rec, parts_bytes);
	if (!parts)
		return DT_ERR_NOMEM;
	for (uint32_t i = 0; i < rec.count; i++)
		if (!parts[i].part || parts[i].part >= DT_PARTS || parts[i].op >= DT_OPS ||
		    parts[i].mode > DT_MODE_SHARED || parts[i].wait > DT_WAIT_TRY)
			return DT_ERR_CORRUPT;
	struct dt_incident_fact *incident = dt_vec_push(&f->incidents, f->alloc);
	if (!incident)
		return DT_ERR_NOMEM;
	*incident = (struct dt_incident_fact){
	    .incident = (enum dt_incident)rec.incident,
	    .flags = head.flags,
	    .thread = rec.thread,
	    .time_ns = rec.time_ns,
	    .order = f->order,
	    .parts = parts,
	    .part_count = rec.count,
	};
	return DT_OK;
}

enum dt_err dt_facts_add_stat(struct dt_facts *f, const void *at, struct dt_rec head, size_t bytes)
{
	const struct dt_rec_stat rec = *(const struct dt_rec_stat *)at;
	struct dt_stat *stat = dt_vec_push(&f->stats, f->alloc);

	(void)head;
	(void)bytes;
	if (!stat)
		return DT_ERR_NOMEM;
	*stat = (struct dt_stat){
	    .lock = rec.lock,
	    .stack = rec.stack,
	    .acquisitions = rec.acquisitions,
	    .samples = rec.samples,
	    .hold_total_ns = rec.hold_total_ns,
	    .hold_max_ns = rec.hold_max_ns,
	    .contended = rec.contended,
	    .wait_total_ns = rec.wait_total_ns,
	    .wait_max_ns = rec.wait_max_ns,
	};
	return DT_OK;
}

static bool race_is_whole(const struct dt_rec_race *rec, const struct dt_race_part *parts)
{
	uint32_t accesses = 0;

	for (uint32_t i = 0; i < rec->count; i++) {
		if (!parts[i].what || parts[i].what >= DT_RACE_WHATS || parts[i].mode > DT_MODE_SHARED)
			return false;
		accesses += parts[i].what != DT_RACE_HELD;
	}
	return accesses == 2 && parts[rec->count - 1].what != DT_RACE_HELD;
}

enum dt_err dt_facts_add_race(struct dt_facts *f, const void *at, struct dt_rec head, size_t bytes)
{
	const struct dt_rec_race rec = *(const struct dt_rec_race *)at;
	size_t parts_bytes = rec.count * sizeof(struct dt_race_part);

	(void)head;
	if (!rec.race || rec.race >= DT_RACES || !rec.count || rec.place > DT_PLACE_THREAD_LOCAL ||
	    parts_bytes > bytes - sizeof rec)
		return DT_ERR_CORRUPT;
	if (!race_is_whole(&rec, (const void *)((const char *)at + sizeof rec)))
		return DT_ERR_CORRUPT;
	const struct dt_race_part *parts =
	    (const void *)dt_facts_copy(f, (const char *)at + sizeof rec, parts_bytes);
	struct dt_race_fact *race = parts ? dt_vec_push(&f->races, f->alloc) : NULL;
	if (!race)
		return DT_ERR_NOMEM;
	*race = (struct dt_race_fact){
	    .race = (enum dt_race)rec.race,
	    .place = (enum dt_lock_place)rec.place,
	    .time_ns = rec.time_ns,
	    .address = rec.address,
	    .bytes = rec.bytes,
	    .block = rec.block,
	    .block_bytes = rec.block_bytes,
	    .alloc_stack = rec.alloc_stack,
	    .alloc_thread = rec.alloc_thread,
	    .owner = rec.owner,
	    .owner_frame = rec.owner_frame,
	    .owner_offset = rec.owner_offset,
	    .owner_frame_bytes = rec.owner_frame_bytes,
	    .order = f->order,
	    .parts = parts,
	    .part_count = rec.count,
	};
	return DT_OK;
}

enum dt_err dt_facts_add_interval(struct dt_facts *f, const void *at, struct dt_rec head, size_t bytes)
{
	const struct dt_rec_interval rec = *(const struct dt_rec_interval *)at;

	(void)bytes;
	if ((head.flags != DT_INTERVAL_HOLD && head.flags != DT_INTERVAL_WAIT) || rec.end_ns < rec.begin_ns)
		return DT_ERR_CORRUPT;
	struct dt_interval *interval = dt_vec_push(&f->intervals, f->alloc);
	if (!interval)
		return DT_ERR_NOMEM;
	*interval = (struct dt_interval){
	    (enum dt_interval_kind)head.flags, rec.thread, rec.lock, rec.stack, rec.begin_ns, rec.end_ns};
	return DT_OK;
}

enum dt_err dt_facts_add_signal_set(struct dt_facts *f, const void *at, struct dt_rec head, size_t bytes)
{
	const struct dt_rec_signal_set rec = *(const struct dt_rec_signal_set *)at;
	struct dt_signal_set *set;

	(void)head;
	(void)bytes;
	NEW(f, signal_sets, signal_set_ids, rec.id, set);
	*set = (struct dt_signal_set){rec.id, rec.signals};
	return DT_OK;
}

enum dt_err dt_facts_add_shared(struct dt_facts *f, const void *at, struct dt_rec head, size_t bytes)
{
	const struct dt_rec_shared rec = *(const struct dt_rec_shared *)at;

	(void)head;
	(void)bytes;
	if (!rec.lock || rec.lock > DT_ID_MAX)
		return DT_ERR_CORRUPT;
	struct dt_shared *shared = dt_vec_push(&f->shared, f->alloc);
	if (!shared)
		return DT_ERR_NOMEM;
	*shared = (struct dt_shared){rec.lock, rec.device, rec.inode, rec.offset};
	return DT_OK;
}

enum dt_err dt_facts_add_state(struct dt_facts *f, const void *at, struct dt_rec head, size_t bytes)
{
	const struct dt_rec_state rec = *(const struct dt_rec_state *)at;
	const size_t each = sizeof(struct dt_state_part);

	(void)head;
	if (rec.count < 2 || rec.count > (bytes - sizeof rec) / each)
		return DT_ERR_CORRUPT;
	const struct dt_state_part *parts =
	    (const void *)dt_facts_copy(f, (const char *)at + sizeof rec, rec.count * each);
	for (uint32_t i = 0; parts && i < rec.count; i++)
		if (!parts[i].acq == !parts[i].lock)
			return DT_ERR_CORRUPT;
	struct dt_state *state = parts ? dt_vec_push(&f->states, f->alloc) : NULL;
	if (!state)
		return DT_ERR_NOMEM;
	*state = (struct dt_state){parts, rec.count};
	return DT_OK;
}

enum dt_err dt_facts_add_units(struct dt_facts *f, const void *at, struct dt_rec head, size_t bytes)
{
	const struct dt_rec_units rec = *(const struct dt_rec_units *)at;

	(void)bytes;
	if (!rec.acq || rec.acq > DT_ID_MAX || !rec.units)
		return DT_ERR_CORRUPT;
	struct dt_units *units = dt_vec_push(&f->units, f->alloc);
	if (!units)
		return DT_ERR_NOMEM;
	*units = (struct dt_units){rec.acq, rec.units, head.flags >> DT_UNITS_OUTWARDS_SHIFT,
	                           head.flags & DT_UNITS_GIVE_UP};
	return DT_OK;
}

enum dt_err dt_facts_add_kin(struct dt_facts *f, const void *at, struct dt_rec head, size_t bytes)
{
	const struct dt_rec_kin rec = *(const struct dt_rec_kin *)at;

	(void)bytes;
	if (!rec.segment || rec.segment > DT_ID_MAX || rec.pid <= 0)
		return DT_ERR_CORRUPT;
	struct dt_kin *kin = dt_vec_push(&f->kin, f->alloc);
	if (!kin)
		return DT_ERR_NOMEM;
	*kin = (struct dt_kin){head.type == DT_REC_REAP, rec.segment, rec.pid, rec.time_ns};
	return DT_OK;
}

/* One row a record type. */
