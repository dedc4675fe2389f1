/* check_incidents.c: what the shim saw happen is a finding as it stands. Nothing is searched: an incident's
 * parts become events, in the order in which a person reads them: for each thread what it holds, then
 * what it waits for. */
#include "checks.h"
#include "vec.h"

struct dt_check_state {
	struct dt_facts *facts;
	struct dt_alloc *alloc;
	dt_finding_sink *sink;
	void *context;
	DT_VEC(uint32_t) locks;
	DT_VEC(uint32_t) holding; /* of all events, one behind the other */
	DT_VEC(struct dt_event) events;
};

static const enum dt_rule_id rule_of[DT_INCIDENTS] = {
    [DT_INCIDENT_DEADLOCK] = DT_RULE_DEADLOCK,
    [DT_INCIDENT_SELF_DEADLOCK] = DT_RULE_SELF_DEADLOCK,
    [DT_INCIDENT_STALL] = DT_RULE_STALL,
    [DT_INCIDENT_UNLOCK_NOT_LOCKED] = DT_RULE_UNLOCK_NOT_LOCKED,
    [DT_INCIDENT_UNLOCK_NOT_OWNER] = DT_RULE_UNLOCK_NOT_OWNER,
    [DT_INCIDENT_DESTROY_LOCKED] = DT_RULE_DESTROY_LOCKED,
    [DT_INCIDENT_DESTROY_WAITED] = DT_RULE_DESTROY_WAITED,
    [DT_INCIDENT_USE_DESTROYED] = DT_RULE_USE_DESTROYED,
    [DT_INCIDENT_INIT_LOCKED] = DT_RULE_INIT_LOCKED,
    [DT_INCIDENT_EXIT_HOLDING_LOCK] = DT_RULE_EXIT_HOLDING_LOCK,
    [DT_INCIDENT_COND_MUTEX_MISMATCH] = DT_RULE_COND_MUTEX_MISMATCH,
    [DT_INCIDENT_COND_WAIT_UNLOCKED] = DT_RULE_COND_WAIT_UNLOCKED,
    [DT_INCIDENT_LOCK_HELD_AT_FORK] = DT_RULE_LOCK_HELD_AT_FORK,
    [DT_INCIDENT_LONG_WAIT] = DT_RULE_LONG_WAIT,
    [DT_INCIDENT_LOCK_TIMEOUT] = DT_RULE_LOCK_TIMEOUT,
    [DT_INCIDENT_CLAIM_EXCEEDED] = DT_RULE_CLAIM_EXCEEDED,
    [DT_INCIDENT_AVOIDANCE_GAVE_UP] = DT_RULE_AVOIDANCE_GAVE_UP,
};

enum dt_rule_id dt_rule_of_incident(enum dt_incident incident)
{
	return rule_of[incident];
}

static enum dt_event_kind kind_of(const struct dt_incident_part *part)
{
	switch ((enum dt_part)part->part) {
	case DT_PART_BLOCKED:
		return part->op == DT_OP_ACQUIRE ? DT_EVENT_ACQUIRE : DT_EVENT_WAIT;
	case DT_PART_HELD:
		return DT_EVENT_HOLD;
	case DT_PART_UNLOCK:
		return DT_EVENT_UNLOCK;
	case DT_PART_DESTROY:
		return DT_EVENT_DESTROY;
	case DT_PART_INIT:
		return DT_EVENT_INIT;
	case DT_PART_EXIT:
		return DT_EVENT_EXIT;
	case DT_PART_USE:
	case DT_PARTS:
		break;
	}
	return DT_EVENT_USE;
}

static bool push(struct dt_check_state *state, const struct dt_incident_part *part, uint32_t holding_count)
{
	struct dt_event *event = dt_vec_push(&state->events, state->alloc);

	if (!event)
		return false;
	*event = (struct dt_event){
	    .kind = kind_of(part),
	    .thread = part->thread,
	    .lock = part->lock,
	    .stack = part->stack,
	    .other_thread = part->other_thread,
	    .other_lock = part->other_lock,
	    .pid = part->pid,
	    .since_ns = part->since_ns,
	    .op = (enum dt_op)part->op,
	    .mode = (enum dt_mode)part->mode,
	    .wait = (enum dt_wait)part->wait,
	    .holding_count = holding_count,
	};
	return true;
}

static bool add_lock(struct dt_check_state *state, const struct dt_incident_part *part)
{
	if (!part->lock || part->pid)
		return true;
	for (uint32_t i = 0; i < state->locks.count; i++)
		if (state->locks.at[i] == part->lock)
			return true;
	uint32_t *at = dt_vec_push(&state->locks, state->alloc);
	if (at)
		*at = part->lock;
	return at != NULL;
}

/* What a blocked thread holds comes behind it in the record, the lock that closes the cycle first. */
static bool add_blocked(struct dt_check_state *state, const struct dt_incident_part *parts, uint32_t held)
{
	for (uint32_t i = 1; i <= held; i++) {
		uint32_t *at = dt_vec_push(&state->holding, state->alloc);
		if (!at || !push(state, &parts[i], 0))
			return false;
		*at = parts[i].lock;
	}
	return push(state, &parts[0], held);
}

static bool add_parts(struct dt_check_state *state, const struct dt_incident_fact *incident)
{
	const struct dt_incident_part *parts = incident->parts;

	for (uint32_t i = 0; i < incident->part_count; i++)
		if (!add_lock(state, &parts[i]))
			return false;
	for (uint32_t i = 0; i < incident->part_count;) {
		uint32_t held = 0;
		while (parts[i].part == DT_PART_BLOCKED && i + 1 + held < incident->part_count &&
		       parts[i + 1 + held].part == DT_PART_HELD &&
		       parts[i + 1 + held].thread == parts[i].thread &&
		       parts[i + 1 + held].pid == parts[i].pid)
			held++;
		if (!(held ? add_blocked(state, &parts[i], held) : push(state, &parts[i], 0)))
			return false;
		i += 1 + held;
	}
	return true;
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

static enum dt_err emit(struct dt_check_state *state, const struct dt_incident_fact *incident)
{
	state->locks.count = state->holding.count = state->events.count = 0;
	if (!add_parts(state, incident))
		return DT_ERR_NOMEM;
	link_holding(state);
	enum dt_rule_id rule = rule_of[incident->incident];
	bool unless_posted = incident->flags & DT_INCIDENT_UNITS;
	state->sink(state->context, &(struct dt_finding){
	                                .rule = rule,
	                                .level = unless_posted ? DT_LEVEL_WARNING : dt_rules[rule].level,
	                                .tier = unless_posted ? DT_TIER_POSSIBLE : DT_TIER_CERTAIN,
	                                .reason = unless_posted ? DT_REASON_OWN_UNITS : DT_REASON_NONE,
	                                .happened = true,
	                                .broken = incident->flags & DT_INCIDENT_BROKEN,
	                                .limited = incident->flags & DT_INCIDENT_LIMITED,
	                                .cut = incident->flags & DT_INCIDENT_CUT,
	                                .time_ns = incident->time_ns,
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

	for (uint32_t i = 0; !err && i < dt_facts_incident_count(state->facts); i++)
		err = emit(state, dt_facts_incident_nth(state->facts, i));
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

const struct dt_check dt_check_incidents = {
    .name = "incidents",
    .open = open_check,
    .finish = finish,
    .close = close_check,
};
