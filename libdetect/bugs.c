/* bugs.c: identity of a cycle by its smallest rotation (the two-pointer search for the least
 * rotation of a string, linear), verdicts into reasons, instances into findings.
 *
 * When several reasons apply, the one said is the first of: READERS, TRY, GATE_LOCK, SAME_THREAD
 * (two edges would need one thread), ORDERED, which filter; SAME_THREAD (all edges), TIMED, which
 * demote; and CLASS_ONLY before TIMED. READER_POLICY is said of a finding that has no other.
 *
 * Tiers: a cycle of orders is POSSIBLE, never CERTAIN: nothing shows that the schedule that closes
 * it exists. What is demoted or filtered is a NOTE. */
#include "bugs.h"

/* How near to a deadlock an instance comes. */
enum worth {
	WORTH_READERS,
	WORTH_TRY,
	WORTH_GATE,
	WORTH_THREADS,
	WORTH_ORDERED,
	WORTH_SAME_THREAD, /* from here on a note, */
	WORTH_TIMED,
	WORTH_CLASS,
	WORTH_POLICY, /* and from here on a finding */
	WORTH_ALL,
};

static const enum dt_reason reason_of[] = {
    [WORTH_READERS] = DT_REASON_READERS,      [WORTH_TRY] = DT_REASON_TRY,
    [WORTH_GATE] = DT_REASON_GATE_LOCK,       [WORTH_THREADS] = DT_REASON_SAME_THREAD,
    [WORTH_ORDERED] = DT_REASON_ORDERED,      [WORTH_SAME_THREAD] = DT_REASON_SAME_THREAD,
    [WORTH_TIMED] = DT_REASON_TIMED,          [WORTH_CLASS] = DT_REASON_CLASS_ONLY,
    [WORTH_POLICY] = DT_REASON_READER_POLICY, [WORTH_ALL] = DT_REASON_NONE,
};

/* What filters.h tells apart; the two best depend on more. */
static const enum worth worth_of[] = {
    [DT_FELL_READERS] = WORTH_READERS, [DT_FELL_TRY] = WORTH_TRY,
    [DT_FELL_GATE] = WORTH_GATE,       [DT_FELL_THREADS] = WORTH_THREADS,
    [DT_FELL_ORDERED] = WORTH_ORDERED, [DT_FELL_SAME_THREAD] = WORTH_SAME_THREAD,
    [DT_FELL_TIMED] = WORTH_TIMED,     [DT_FELL_NOT] = WORTH_ALL,
};

void dt_bugs_init(struct dt_bugs *bugs, struct dt_tree *tree)
{
	memset(bugs, 0, sizeof *bugs);
	bugs->tree = tree;
	dt_draft_init(&bugs->draft, tree);
}

void dt_bugs_fini(struct dt_bugs *bugs)
{
	struct dt_alloc *alloc = bugs->tree->alloc;

	dt_vec_fini(&bugs->all, alloc);
	dt_vec_fini(&bugs->steps, alloc);
	dt_vec_fini(&bugs->places, alloc);
	dt_pairmap_fini(&bugs->by_hash, alloc);
	dt_draft_fini(&bugs->draft);
}

void dt_bugs_restart(struct dt_bugs *bugs)
{
	for (uint32_t i = 0; i < bugs->all.count; i++)
		bugs->all.at[i].count = 0;
}

bool dt_bug_is_finding(const struct dt_bug *bug)
{
	return bug->worth >= WORTH_POLICY;
}

bool dt_bug_is_filtered(const struct dt_bug *bug)
{
	return bug->worth < WORTH_SAME_THREAD;
}

static const struct dt_vertex *lock_of(const struct dt_chooser *chooser, uint32_t i)
{
	const struct dt_edges *edges = chooser->edges;

	return &edges->tree->vertices.at[edges->edges.at[chooser->chosen.at[i].edge].from];
}

/* The worth of the chooser's choice and the lock (vertex or DT_NONE) that its reason speaks of. */
static enum worth judge(const struct dt_chooser *chooser, enum dt_fell verdict, uint32_t *vertex)
{
	*vertex = DT_NONE;
	if (verdict == DT_FELL_GATE)
		*vertex = dt_chosen_gate(chooser);
	if (verdict == DT_FELL_READERS)
		*vertex = dt_chosen_readers(chooser);
	if (verdict < DT_FELL_TIMED)
		return worth_of[verdict];
	for (uint32_t i = 0; i < chooser->chosen.count; i++)
		if (lock_of(chooser, i)->is_class)
			return WORTH_CLASS;
	if (verdict == DT_FELL_NOT && dt_chosen_by_policy(chooser, vertex))
		return WORTH_POLICY;
	return worth_of[verdict];
}

static uint32_t place_of(const struct dt_chooser *chooser, uint32_t i)
{
	return chooser->edges->spots.at[chooser->chosen.at[i].spot].place;
}

/* Where the least rotation of the places begins. */
static uint32_t least_rotation(const struct dt_chooser *chooser)
{
	uint32_t n = chooser->chosen.count, i = 0, j = 1, same = 0;

	while (i < n && j < n && same < n) {
		uint32_t a = place_of(chooser, (i + same) % n), b = place_of(chooser, (j + same) % n);
		if (a == b) {
			same++;
			continue;
		}
		if (a > b)
			i += same + 1;
		else
			j += same + 1;
		j += i == j;
		same = 0;
	}
	return i < j ? i : j;
}

static bool is_bug(const struct dt_bugs *bugs, const struct dt_bug *bug, const struct dt_chooser *chooser,
                   uint32_t start)
{
	uint32_t n = chooser->chosen.count;

	if (bug->length != n)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (bugs->places.at[bug->first_place + i] != place_of(chooser, (start + i) % n))
			return false;
	return true;
}

static enum dt_err add_bug(struct dt_bugs *bugs, const struct dt_chooser *chooser, uint32_t start,
                           uint64_t hash, struct dt_bug **bug)
{
	uint32_t n = chooser->chosen.count, first_place = bugs->places.count, first_step = bugs->steps.count;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t *place = dt_vec_push(&bugs->places, bugs->tree->alloc);
		if (!place || !dt_vec_push(&bugs->steps, bugs->tree->alloc))
			return DT_ERR_NOMEM;
		*place = place_of(chooser, (start + i) % n);
	}
	*bug = dt_vec_push(&bugs->all, bugs->tree->alloc);
	if (!*bug)
		return DT_ERR_NOMEM;
	(*bug)->length = n;
	(*bug)->first_place = first_place;
	(*bug)->first_step = first_step;
	if (dt_pairmap_add(&bugs->by_hash, bugs->tree->alloc, hash, bugs->all.count - 1))
		return DT_OK;
	bugs->all.count--;
	return DT_ERR_NOMEM;
}

static enum dt_err find_or_add(struct dt_bugs *bugs, const struct dt_chooser *chooser, struct dt_bug **bug)
{
	uint32_t n = chooser->chosen.count, start = least_rotation(chooser);
	uint64_t hash = n;

	for (uint32_t i = 0; i < n; i++)
		hash = dt_hash64(hash * 31 + place_of(chooser, (start + i) % n));
	hash |= 1;
	const uint32_t *found;
	for (; (found = dt_pairmap_find(&bugs->by_hash, hash)); hash += 2) {
		*bug = &bugs->all.at[*found];
		if (is_bug(bugs, *bug, chooser, start))
			return DT_OK;
	}
	return add_bug(bugs, chooser, start, hash, bug);
}

/* Take the choice as the bug's instance, rotated so that the lock with the smallest id comes first. */
static void take_instance(struct dt_bugs *bugs, struct dt_bug *bug, const struct dt_chooser *chooser)
{
	uint32_t n = chooser->chosen.count, start = 0;

	for (uint32_t i = 1; i < n; i++)
		if (lock_of(chooser, i)->lock < lock_of(chooser, start)->lock)
			start = i;
	for (uint32_t i = 0; i < n; i++) {
		const struct dt_sight *sight =
		    &chooser->edges->sights.at[chooser->chosen.at[(start + i) % n].sight];
		bugs->steps.at[bug->first_step + i] =
		    (struct dt_step){sight->thread, sight->node, sight->hold_node};
	}
}

static int rank(enum worth worth)
{
	return worth >= WORTH_POLICY ? 2 : worth >= WORTH_SAME_THREAD;
}

enum dt_err dt_bugs_record(struct dt_bugs *bugs, const struct dt_chooser *chooser, enum dt_fell verdict,
                           uint32_t cycle, struct dt_bug **out)
{
	uint32_t vertex;
	enum worth worth = judge(chooser, verdict, &vertex);
	struct dt_bug *bug;
	enum dt_err err = find_or_add(bugs, chooser, &bug);

	if (err)
		return err;
	*out = bug;
	if (bug->count && rank(worth) == rank(bug->worth))
		bug->count += bug->last_cycle != cycle;
	else if (!bug->count || rank(worth) > rank(bug->worth))
		bug->count = 0;
	else
		return DT_OK;
	if (!bug->count || worth > bug->worth) {
		take_instance(bugs, bug, chooser);
		bug->worth = (uint8_t)worth;
		bug->reason = reason_of[worth];
		bug->reason_lock = vertex == DT_NONE ? 0 : bugs->tree->vertices.at[vertex].lock;
	}
	bug->count += !bug->count;
	bug->last_cycle = cycle;
	return DT_OK;
}

/* Whether every place of the bug is in `shown`. */
static bool is_shown(const struct dt_bugs *bugs, const struct dt_bug *bug, const struct dt_pairmap *shown)
{
	for (uint32_t i = 0; i < bug->length; i++)
		if (!dt_pairmap_find(shown, bugs->places.at[bug->first_place + i] + 1ull))
			return false;
	return true;
}

enum dt_err dt_bugs_weigh(struct dt_bugs *bugs)
{
	struct dt_pairmap shown = {0};
	enum dt_err err = DT_OK;

	for (uint32_t i = 0; !err && i < bugs->all.count; i++) {
		const struct dt_bug *bug = &bugs->all.at[i];
		for (uint32_t j = 0; !err && bug->count && dt_bug_is_finding(bug) && j < bug->length; j++) {
			uint64_t key = bugs->places.at[bug->first_place + j] + 1ull;
			if (!dt_pairmap_find(&shown, key) &&
			    !dt_pairmap_add(&shown, bugs->tree->alloc, key, 0))
				err = DT_ERR_NOMEM;
		}
	}
	for (uint32_t i = 0; i < bugs->all.count; i++) {
		struct dt_bug *bug = &bugs->all.at[i];
		bug->is_shadowed =
		    !dt_bug_is_finding(bug) && !dt_bug_is_filtered(bug) && is_shown(bugs, bug, &shown);
	}
	dt_pairmap_fini(&shown, bugs->tree->alloc);
	return err;
}

enum dt_err dt_bug_say(struct dt_bugs *bugs, struct dt_bug *bug, dt_finding_sink *sink, void *context)
{
	const struct dt_step *step = &bugs->steps.at[bug->first_step];
	bool warning = dt_bug_is_finding(bug), filtered = dt_bug_is_filtered(bug);
	struct dt_finding finding = {
	    .rule = DT_RULE_LOCK_ORDER_CYCLE,
	    .level = warning || filtered ? DT_LEVEL_WARNING : DT_LEVEL_NOTE,
	    .tier = warning ? DT_TIER_POSSIBLE : DT_TIER_NOTE,
	    .reason = bug->reason,
	    .filtered = filtered,
	    .reason_lock = bug->reason_lock,
	    .count = bug->count,
	};

	dt_draft_begin(&bugs->draft);
	for (uint32_t i = 0; i < bug->length; i++) {
		uint32_t vertex = bugs->tree->nodes.at[step[i].hold_node].vertex;
		dt_draft_add_lock(&bugs->draft, bugs->tree->vertices.at[vertex].lock);
		dt_draft_add_event(&bugs->draft, DT_EVENT_HOLD, step[i].thread, step[i].hold_node);
		dt_draft_add_event(&bugs->draft, DT_EVENT_ACQUIRE, step[i].thread, step[i].node);
	}
	enum dt_err err = dt_draft_emit(&bugs->draft, &finding, sink, context);
	if (!err)
		bug->said = true;
	return err;
}
