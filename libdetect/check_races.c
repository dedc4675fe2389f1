/* check_races.c: the shim has seen the races; here each becomes a finding. Those of one pair of places are
 * told once by the shim already. */
#include "checks.h"
#include "vec.h"

struct dt_check_state {
	struct dt_facts *facts;
	struct dt_alloc *alloc;
	dt_finding_sink *sink;
	void *context;
	DT_VEC(uint32_t) locks;
	DT_VEC(uint32_t) holding; /* of both accesses, one behind the other */
	DT_VEC(struct dt_event) events;
};

static const enum dt_rule_id rule_of[DT_RACES] = {
    [DT_RACE_DATA] = DT_RULE_DATA_RACE,
    [DT_RACE_PREDICTED] = DT_RULE_PREDICTED_RACE,
    [DT_RACE_USE_AFTER_FREE] = DT_RULE_USE_AFTER_FREE_RACE,
};

static const enum dt_event_kind kind_of[DT_RACE_WHATS] = {
    [DT_RACE_READ] = DT_EVENT_READ,
    [DT_RACE_WRITE] = DT_EVENT_WRITE,
    [DT_RACE_ATOMIC_READ] = DT_EVENT_ATOMIC_READ,
    [DT_RACE_ATOMIC_WRITE] = DT_EVENT_ATOMIC_WRITE,
    [DT_RACE_FREE] = DT_EVENT_FREE,
    [DT_RACE_HELD] = DT_EVENT_HOLD,
};

static bool add_number(struct dt_check_state *state, uint32_t number)
{
	uint32_t *at = dt_vec_push(&state->holding, state->alloc);

	if (at)
		*at = number;
	return at != NULL;
}

static bool add_lock(struct dt_check_state *state, uint32_t lock)
{
	for (uint32_t i = 0; i < state->locks.count; i++)
		if (state->locks.at[i] == lock)
			return true;
	uint32_t *at = dt_vec_push(&state->locks, state->alloc);
	if (at)
		*at = lock;
	return at != NULL;
}

/* What was held comes before the access. */
static bool add_part(struct dt_check_state *state, const struct dt_race_part *part, uint32_t *held)
{
	bool is_access = part->what != DT_RACE_HELD;
	struct dt_event *event = dt_vec_push(&state->events, state->alloc);

	if (!event)
		return false;
	*event = (struct dt_event){
	    .kind = kind_of[part->what],
	    .thread = part->thread,
	    .lock = part->lock,
	    .stack = part->stack,
	    .mode = (enum dt_mode)part->mode,
	    .address = part->address,
	    .bytes = part->bytes,
	    .forgotten = is_access && part->flags & DT_RACE_PART_FORGOTTEN,
	    .holding_count = is_access ? *held : 0,
	};
	*held = is_access ? 0 : *held + 1;
	return is_access || (add_number(state, part->lock) && (!part->lock || add_lock(state, part->lock)));
}

static void link_holding(struct dt_check_state *state)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < state->events.count; i++) {
		struct dt_event *event = &state->events.at[i];
		event->holding = event->holding_count ? state->holding.at + at : NULL;
		at += event->holding_count;
	}
}

static enum dt_err emit(struct dt_check_state *state, const struct dt_race_fact *race)
{
	enum dt_rule_id rule = rule_of[race->race];
	uint32_t held = 0;

	state->locks.count = state->holding.count = state->events.count = 0;
	for (uint32_t i = 0; i < race->part_count; i++)
		if (!add_part(state, &race->parts[i], &held))
			return DT_ERR_NOMEM;
	link_holding(state);
	state->sink(state->context,
	            &(struct dt_finding){
	                .rule = rule,
	                .level = dt_rules[rule].level,
	                .tier = race->race == DT_RACE_PREDICTED ? DT_TIER_POSSIBLE : DT_TIER_CERTAIN,
	                .happened = true,
	                .time_ns = race->time_ns,
	                .memory =
	                    {
	                        .address = race->address,
	                        .bytes = race->bytes,
	                        .place = race->place,
	                        .block = race->block,
	                        .block_bytes = race->block_bytes,
	                        .alloc_stack = race->alloc_stack,
	                        .alloc_thread = race->alloc_thread,
	                        .owner = race->owner,
	                        .owner_frame = race->owner_frame,
	                        .owner_offset = race->owner_offset,
	                        .owner_frame_bytes = race->owner_frame_bytes,
	                        .order = race->order,
	                    },
	                .count = 1,
	                .locks = state->locks.at,
	                .lock_count = state->locks.count,
	                .events = state->events.at,
	                .event_count = state->events.count,
	            });
	return DT_OK;
}

static enum dt_err open_check(struct dt_check_state **out, struct dt_facts *facts, struct dt_alloc *alloc,
                              const struct dt_check_options *options, dt_finding_sink *sink, void *context)
{
	struct dt_check_state *state = alloc->resize(alloc, NULL, 0, sizeof *state);

	(void)options;
	if (!state)
		return DT_ERR_NOMEM;
	*state = (struct dt_check_state){.facts = facts, .alloc = alloc, .sink = sink, .context = context};
	*out = state;
	return DT_OK;
}

static enum dt_err finish(struct dt_check_state *state)
{
	enum dt_err err = DT_OK;

	for (uint32_t i = 0; !err && i < dt_facts_race_count(state->facts); i++)
		err = emit(state, dt_facts_race_nth(state->facts, i));
	return err;
}

static void close_check(struct dt_check_state *state)
{
	struct dt_alloc *alloc = state->alloc;

	dt_vec_fini(&state->locks, alloc);
	dt_vec_fini(&state->holding, alloc);
	dt_vec_fini(&state->events, alloc);
	alloc->resize(alloc, state, sizeof *state, 0);
}

const struct dt_check dt_check_races = {
    .name = "races",
    .open = open_check,
    .finish = finish,
    .close = close_check,
};
