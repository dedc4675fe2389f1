/* filters.c: backtracking over exemplars, edge by edge: place, then held set and wait, then sighting.
 *
 * Every filter is a predicate of one exemplar or of a pair, so a choice is given up at the first pair
 * that fails. The common case, the first exemplars of all edges agree, costs length * length / 2
 * comparisons. To find the right threads for many sightings is a matching problem with conflicts, so
 * the worst case is exponential and has a bound. */
#include "filters.h"

enum { SEGMENTS_A_STEP = 16 };

enum demand {
	MODES = 1,
	WAITS = 2, /* no try */
	NO_GATE = 4,
	THREADS = 8, /* distinct */
	UNORDERED = 16,
	FOREVER = 32, /* no time limit */
	ONE_THREAD = 64,
};

/* From the best down. */
static const struct {
	enum dt_fell verdict;
	unsigned demands;
} ladder[] = {
    {DT_FELL_NOT, MODES | WAITS | NO_GATE | THREADS | UNORDERED | FOREVER},
    {DT_FELL_TIMED, MODES | WAITS | NO_GATE | THREADS | UNORDERED},
    {DT_FELL_SAME_THREAD, MODES | WAITS | NO_GATE | ONE_THREAD},
    {DT_FELL_ORDERED, MODES | WAITS | NO_GATE | THREADS},
    {DT_FELL_THREADS, MODES | WAITS | NO_GATE},
    {DT_FELL_GATE, MODES | WAITS},
    {DT_FELL_TRY, MODES},
    {DT_FELL_READERS, 0},
};

struct question {
	struct dt_chooser *chooser;
	const uint32_t *edge, *spot;
	uint32_t length;
	unsigned demands;
	uint64_t last_step;
};

void dt_chooser_init(struct dt_chooser *chooser, struct dt_edges *edges, struct dt_facts *facts,
                     uint64_t max_steps)
{
	memset(chooser, 0, sizeof *chooser);
	chooser->edges = edges;
	chooser->facts = facts;
	chooser->alloc = edges->alloc;
	chooser->max_steps = max_steps;
}

void dt_chooser_fini(struct dt_chooser *chooser)
{
	dt_vec_fini(&chooser->chosen, chooser->alloc);
}

static const struct dt_place *place_of(const struct dt_chooser *chooser, uint32_t spot)
{
	return &chooser->edges->places->all.at[chooser->edges->spots.at[spot].place];
}

static bool both_share(const struct dt_chooser *chooser, uint32_t wanting, uint32_t holding)
{
	return place_of(chooser, wanting)->want_shared && place_of(chooser, holding)->hold_shared;
}

/* `wanting` waits for `holding`: a reader does so for a reader only where a waiting writer may stand
 * between them. */
static bool modes_conflict(const struct dt_chooser *chooser, uint32_t wanting, uint32_t holding)
{
	const struct dt_edges *edges = chooser->edges;
	uint32_t lock = edges->edges.at[edges->spots.at[holding].edge].from;

	return edges->tree->vertices.at[lock].prefers_writer || !both_share(chooser, wanting, holding);
}

static bool spot_agrees(const struct question *q, uint32_t level)
{
	const struct dt_choice *chosen = q->chooser->chosen.at;

	if (!(q->demands & MODES))
		return true;
	if (level && !modes_conflict(q->chooser, chosen[level - 1].spot, chosen[level].spot))
		return false;
	return level + 1 < q->length || modes_conflict(q->chooser, chosen[level].spot, chosen[0].spot);
}

static bool variant_agrees(const struct question *q, uint32_t level)
{
	const struct dt_edges *edges = q->chooser->edges;
	const struct dt_choice *chosen = q->chooser->chosen.at;
	const struct dt_variant *v = &edges->variants.at[chosen[level].variant];

	if ((q->demands & WAITS) && v->wait == DT_WAIT_TRY)
		return false;
	if ((q->demands & FOREVER) && v->wait != DT_WAIT_FOREVER)
		return false;
	if (!(q->demands & NO_GATE))
		return true;
	for (uint32_t i = 0; i < level; i++) {
		q->chooser->steps++;
		if (dt_sets_gate(&edges->sets, edges->variants.at[chosen[i].variant].set, v->set) != DT_NONE)
			return false;
	}
	return true;
}

/* Costs steps by how far the walk over the segments between may have to go. */
static bool is_ordered(struct dt_chooser *chooser, uint32_t a, uint32_t b)
{
	chooser->steps += 1 + (a < b ? b - a : a - b) / SEGMENTS_A_STEP;
	return a < b ? dt_facts_happens_before(chooser->facts, a, b)
	             : dt_facts_happens_before(chooser->facts, b, a);
}

static bool sight_agrees(const struct question *q, uint32_t level)
{
	const struct dt_choice *chosen = q->chooser->chosen.at;
	const struct dt_sight *sights = q->chooser->edges->sights.at;
	const struct dt_sight *sight = &sights[chosen[level].sight];

	if ((q->demands & ONE_THREAD) && level && sights[chosen[0].sight].thread != sight->thread)
		return false;
	for (uint32_t i = 0; (q->demands & THREADS) && i < level; i++) {
		q->chooser->steps++;
		if (sights[chosen[i].sight].thread == sight->thread)
			return false;
	}
	for (uint32_t i = 0; (q->demands & UNORDERED) && i < level; i++) {
		if (is_ordered(q->chooser, sights[chosen[i].sight].segment, sight->segment))
			return false;
	}
	return true;
}

/* Each of these three moves its part of the choice at `level` on to the next that agrees; DT_NONE as
 * the present one asks for the first. */
static bool next_spot(const struct question *q, uint32_t level)
{
	struct dt_choice *c = &q->chooser->chosen.at[level];
	const struct dt_edges *edges = q->chooser->edges;

	do {
		if (q->spot[level] != DT_NONE)
			c->spot = c->spot == DT_NONE ? q->spot[level] : DT_NONE;
		else
			c->spot = c->spot == DT_NONE ? edges->edges.at[c->edge].spots.first
			                             : edges->spots.at[c->spot].next;
		q->chooser->steps++;
	} while (c->spot != DT_NONE && !spot_agrees(q, level));
	return c->spot != DT_NONE;
}

static bool next_variant(const struct question *q, uint32_t level)
{
	struct dt_choice *c = &q->chooser->chosen.at[level];
	const struct dt_edges *edges = q->chooser->edges;

	do {
		c->variant = c->variant == DT_NONE ? edges->spots.at[c->spot].variants.first
		                                   : edges->variants.at[c->variant].next;
		q->chooser->steps++;
	} while (c->variant != DT_NONE && !variant_agrees(q, level));
	return c->variant != DT_NONE;
}

static bool next_sight(const struct question *q, uint32_t level)
{
	struct dt_choice *c = &q->chooser->chosen.at[level];
	const struct dt_edges *edges = q->chooser->edges;
	bool any = !(q->demands & (THREADS | ONE_THREAD));

	do {
		if (c->sight == DT_NONE)
			c->sight = edges->variants.at[c->variant].sights.first;
		else
			/* Where threads don't matter, one is as good as another. */
			c->sight = any ? DT_NONE : edges->sights.at[c->sight].next;
		q->chooser->steps++;
	} while (c->sight != DT_NONE && q->chooser->steps <= q->last_step && !sight_agrees(q, level));
	return c->sight != DT_NONE;
}

/* Move the choice at `level` on to the next one that agrees with those before it. */
static bool advance(const struct question *q, uint32_t level)
{
	struct dt_choice *c = &q->chooser->chosen.at[level];

	while (q->chooser->steps <= q->last_step) {
		if (c->variant != DT_NONE && next_sight(q, level))
			return true;
		if (c->spot != DT_NONE && next_variant(q, level))
			continue;
		if (!next_spot(q, level))
			return false;
	}
	return false;
}

/* A semaphore of which every choice holds a unit, and that has fewer units than there are choices. */
static uint32_t counting_gate(const struct dt_chooser *chooser, uint32_t length)
{
	const struct dt_edges *edges = chooser->edges;
	const struct dt_sets *sets = &edges->sets;
	uint32_t first = edges->variants.at[chooser->chosen.at[0].variant].set;

	for (uint32_t i = sets->starts.at[first]; i < sets->starts.at[first + 1]; i++) {
		uint32_t vertex = sets->items.at[i] >> 1, units = edges->tree->vertices.at[vertex].units, level = 1;
		if (units < 2 || units >= length)
			continue;
		while (level < length &&
		       dt_sets_has(sets, edges->variants.at[chooser->chosen.at[level].variant].set, vertex))
			level++;
		if (level == length)
			return vertex;
	}
	return DT_NONE;
}

/* Is there a choice that meets the demands? It is left in chosen. */
static bool answer(const struct question *q)
{
	struct dt_choice *chosen = q->chooser->chosen.at;
	uint32_t level = 0;

	chosen[0] = (struct dt_choice){q->edge[0], DT_NONE, DT_NONE, DT_NONE};
	for (;;) {
		if (!advance(q, level)) {
			if (level == 0 || q->chooser->steps > q->last_step)
				return false;
			level--;
			continue;
		}
		if (++level == q->length) {
			if (!(q->demands & NO_GATE) || counting_gate(q->chooser, level) == DT_NONE)
				return q->chooser->steps <= q->last_step;
			level--;
			continue;
		}
		chosen[level] = (struct dt_choice){q->edge[level], DT_NONE, DT_NONE, DT_NONE};
	}
}

enum dt_err dt_choose(struct dt_chooser *chooser, const uint32_t *edge, const uint32_t *spot, uint32_t length,
                      enum dt_fell least, enum dt_fell *verdict)
{
	chooser->chosen.count = 0;
	for (uint32_t i = 0; i < length; i++)
		if (!dt_vec_push(&chooser->chosen, chooser->alloc))
			return DT_ERR_NOMEM;
	for (unsigned i = 0; i < sizeof ladder / sizeof *ladder && ladder[i].verdict >= least; i++) {
		struct question q = {
		    chooser, edge, spot, length, ladder[i].demands, chooser->steps + chooser->max_steps};
		*verdict = ladder[i].verdict;
		if (answer(&q))
			return DT_OK;
		if (chooser->steps > q.last_step)
			chooser->bounded = true;
	}
	chooser->chosen.count = 0;
	*verdict = DT_FELL_READERS;
	return DT_OK;
}

/* The lock that choice `i` wants and the next one holds, both shared; DT_NONE. */
static uint32_t shared_lock(const struct dt_chooser *chooser, uint32_t i)
{
	uint32_t next = i + 1 < chooser->chosen.count ? i + 1 : 0;

	if (!both_share(chooser, chooser->chosen.at[i].spot, chooser->chosen.at[next].spot))
		return DT_NONE;
	return chooser->edges->edges.at[chooser->chosen.at[next].edge].from;
}

bool dt_chosen_by_policy(const struct dt_chooser *chooser, uint32_t *vertex)
{
	for (uint32_t i = 0; i < chooser->chosen.count; i++)
		if ((*vertex = shared_lock(chooser, i)) != DT_NONE)
			return true;
	return false;
}

uint32_t dt_chosen_readers(const struct dt_chooser *chooser)
{
	for (uint32_t i = 0; i < chooser->chosen.count; i++) {
		uint32_t lock = shared_lock(chooser, i);
		if (lock != DT_NONE && !chooser->edges->tree->vertices.at[lock].prefers_writer)
			return lock;
	}
	return DT_NONE;
}

uint32_t dt_chosen_gate(const struct dt_chooser *chooser)
{
	const struct dt_edges *edges = chooser->edges;

	for (uint32_t i = 0; i < chooser->chosen.count; i++) {
		for (uint32_t j = i + 1; j < chooser->chosen.count; j++) {
			uint32_t gate =
			    dt_sets_gate(&edges->sets, edges->variants.at[chooser->chosen.at[i].variant].set,
			                 edges->variants.at[chooser->chosen.at[j].variant].set);
			if (gate != DT_NONE)
				return gate;
		}
	}
	return chooser->chosen.count ? counting_gate(chooser, chooser->chosen.count) : DT_NONE;
}
