/* tangle.c: passes over one component. Each pass says what it allows on its cycles; within it, lengths go
 * up and each open edge (one with a place not shown well enough) is asked for its cycles. An edge
 * that was asked is left out for the rest of that length, so no cycle comes twice. */
#include "tangle.h"

/* Ranks of what a place was shown in; 0: nothing. */
enum { SHOWN_FILTERED = 1, SHOWN_NOTE, SHOWN_FINDING };

void dt_tangle_init(struct dt_tangle *tangle, struct dt_edges *edges, struct dt_bugs *bugs,
                    struct dt_facts *facts, const struct dt_tangle_options *options)
{
	memset(tangle, 0, sizeof *tangle);
	tangle->options = *options;
	tangle->edges = edges;
	tangle->bugs = bugs;
	tangle->alloc = edges->alloc;
	dt_chooser_init(&tangle->chooser, edges, facts, options->max_search_steps);
	dt_cycles_init(&tangle->cycles, edges, options->max_search_steps);
}

void dt_tangle_fini(struct dt_tangle *tangle)
{
	dt_vec_fini(&tangle->covers, tangle->alloc);
	dt_vec_fini(&tangle->states, tangle->alloc);
	dt_vec_fini(&tangle->threads, tangle->alloc);
	dt_vec_fini(&tangle->fixed, tangle->alloc);
	dt_vec_fini(&tangle->shown, tangle->alloc);
	dt_chooser_fini(&tangle->chooser);
	dt_cycles_fini(&tangle->cycles);
}

#define GROW_TO(vec, size, alloc)                                                                            \
	while ((vec)->count < (size))                                                                        \
		if (!dt_vec_push((vec), (alloc)))                                                            \
	return DT_ERR_NOMEM

static enum dt_err make_room(struct dt_tangle *t)
{
	GROW_TO(&t->covers, t->edges->places->all.count, t->alloc);
	GROW_TO(&t->states, t->edges->edges.count, t->alloc);
	GROW_TO(&t->shown, t->edges->spots.count, t->alloc);
	return DT_OK;
}

static uint8_t cover_of(const struct dt_tangle *t, uint32_t spot)
{
	const struct dt_cover *cover = &t->covers.at[t->edges->spots.at[spot].place];

	return cover->tangle == t->tangle ? cover->rank : 0;
}

static void cover(struct dt_tangle *t, uint32_t spot, uint8_t rank)
{
	if (cover_of(t, spot) < rank)
		t->covers.at[t->edges->spots.at[spot].place] = (struct dt_cover){t->tangle, rank};
}

static bool is_open(const struct dt_tangle *t, uint32_t edge)
{
	for (uint32_t s = t->edges->edges.at[edge].spots.first; s != DT_NONE; s = t->edges->spots.at[s].next)
		if (cover_of(t, s) < t->pass.need)
			return true;
	return false;
}

/* The rank of a choice with this verdict. What depends on the lock's class is settled in bugs.c and can
 * only be less. */
static uint8_t rank_of(enum dt_fell verdict)
{
	if (verdict == DT_FELL_NOT)
		return SHOWN_FINDING;
	return verdict >= DT_FELL_SAME_THREAD ? SHOWN_NOTE : SHOWN_FILTERED;
}

static bool has_class_lock(const struct dt_tangle *t, uint32_t edge)
{
	const struct dt_edge *e = &t->edges->edges.at[edge];
	const struct dt_vertex *v = t->edges->tree->vertices.at;

	return v[e->from].is_class || v[e->to].is_class;
}

static bool chosen_shows_more(const struct dt_tangle *t, uint8_t rank)
{
	for (uint32_t i = 0; i < t->chooser.chosen.count; i++)
		if (cover_of(t, t->chooser.chosen.at[i].spot) < rank)
			return true;
	return false;
}

static enum dt_err any_place(struct dt_tangle *t, uint32_t length)
{
	t->fixed.count = 0;
	while (t->fixed.count < length) {
		uint32_t *spot = dt_vec_push(&t->fixed, t->alloc);
		if (!spot)
			return DT_ERR_NOMEM;
		*spot = DT_NONE;
	}
	return DT_OK;
}

/* Ask for the best choice with the places in t->fixed, record it if it shows a place better than it was
 * (or `always`), and remember what it shows. *rank: 0 when there was none. */
static enum dt_err examine(struct dt_tangle *t, const uint32_t *edge, uint32_t length, enum dt_fell least,
                           bool always, uint8_t *rank)
{
	enum dt_fell verdict;
	struct dt_bug *bug;
	enum dt_err err = dt_choose(&t->chooser, edge, t->fixed.at, length, least, &verdict);

	*rank = 0;
	if (err || !t->chooser.chosen.count)
		return err;
	*rank = rank_of(verdict);
	for (uint32_t i = 0; i < length; i++)
		if (*rank > SHOWN_NOTE && has_class_lock(t, edge[i]))
			*rank = SHOWN_NOTE;
	if (!always && !chosen_shows_more(t, *rank))
		return DT_OK;
	err = dt_bugs_record(t->bugs, &t->chooser, verdict, t->cycle, &bug);
	for (uint32_t i = 0; !err && i < length; i++)
		cover(t, t->chooser.chosen.at[i].spot, *rank);
	return err;
}

/* Two locks in both orders: every combination of places. */
static enum dt_err examine_pair(struct dt_tangle *t, const uint32_t *edge, enum dt_fell least)
{
	const struct dt_edge *e = t->edges->edges.at;
	enum dt_err err = DT_OK;
	uint8_t rank;

	for (uint32_t a = e[edge[0]].spots.first; !err && a != DT_NONE; a = t->edges->spots.at[a].next) {
		for (uint32_t b = e[edge[1]].spots.first; !err && b != DT_NONE;
		     b = t->edges->spots.at[b].next) {
			t->fixed.at[0] = a;
			t->fixed.at[1] = b;
			err = examine(t, edge, 2, least, true, &rank);
		}
	}
	return err;
}

/* The same where the combinations are too many for a person: each place, in its best combination. */
static enum dt_err examine_wide_pair(struct dt_tangle *t, const uint32_t *edge, enum dt_fell least)
{
	enum dt_err err = DT_OK;
	uint8_t rank;

	for (uint32_t i = 0; i < 2; i++) {
		t->fixed.at[1 - i] = DT_NONE;
		for (uint32_t s = t->edges->edges.at[edge[i]].spots.first; !err && s != DT_NONE;
		     s = t->edges->spots.at[s].next) {
			if (t->shown.at[s] == t->cycle)
				continue;
			t->fixed.at[i] = s;
			err = examine(t, edge, 2, least, true, &rank);
			if (!err && rank == SHOWN_FINDING)
				t->shown.at[t->chooser.chosen.at[0].spot] =
				    t->shown.at[t->chooser.chosen.at[1].spot] = t->cycle;
		}
	}
	return err;
}

static enum dt_err search_pairs(struct dt_tangle *t, const uint32_t *edge, uint32_t count)
{
	enum dt_fell least = t->options.want_filtered ? DT_FELL_READERS : DT_FELL_SAME_THREAD;
	enum dt_err err = any_place(t, 2);

	t->chooser.max_steps = t->options.max_search_steps;
	for (uint32_t i = 0; !err && i < count; i++) {
		const struct dt_edge *e = &t->edges->edges.at[edge[i]];
		uint32_t pair[2] = {edge[i], dt_edges_find(t->edges, e->to, e->from)};
		if (pair[1] == DT_NONE || pair[1] < pair[0])
			continue;
		t->cycle++;
		t->states.at[pair[0]].examined = t->states.at[pair[1]].examined = true;
		uint64_t combinations = (uint64_t)e->spot_count * t->edges->edges.at[pair[1]].spot_count;
		err = combinations <= DT_COMBINATIONS_MAX ? examine_pair(t, pair, least)
		                                          : examine_wide_pair(t, pair, least);
	}
	return err;
}

/* What a pass allows: a finding needs calls that wait for ever and locks that are one object; a note
 * of one thread, that thread. */
static bool pass_allows(void *context, uint32_t edge)
{
	struct dt_tangle *t = context;
	const struct dt_edge *e = &t->edges->edges.at[edge];

	if (t->states.at[edge].done == t->sweep || !e->blocks)
		return false;
	if (t->pass.need == SHOWN_FINDING && (!e->blocks_forever || has_class_lock(t, edge)))
		return false;
	return !t->pass.thread || dt_edges_made_by(t->edges, edge, t->pass.thread);
}

static bool pass_agree(void *context, uint32_t a, uint32_t b)
{
	struct dt_tangle *t = context;
	const struct dt_edge *x = &t->edges->edges.at[a], *y = &t->edges->edges.at[b];

	if (!t->pass.thread && x->only_thread && x->only_thread == y->only_thread)
		return false;
	return dt_sets_gate(&t->edges->sets, x->common_set, y->common_set) == DT_NONE;
}

static struct dt_cycle_wish pass_wish(struct dt_tangle *t)
{
	return (struct dt_cycle_wish){pass_allows, pass_agree, t};
}

/* A longer cycle: each place in it that was not shown well enough, in its best combination. */
static enum dt_err visit(void *context, const uint32_t *edge, uint32_t length)
{
	struct dt_tangle *t = context;
	enum dt_err err = any_place(t, length);
	uint8_t rank;

	t->cycle++;
	for (uint32_t i = 0; !err && i < length; i++) {
		t->states.at[edge[i]].examined = true;
		for (uint32_t s = t->edges->edges.at[edge[i]].spots.first; !err && s != DT_NONE;
		     s = t->edges->spots.at[s].next) {
			if (cover_of(t, s) >= t->pass.need)
				continue;
			if (t->cycles.steps >= t->cycles.last_step) {
				t->bounded = true;
				return DT_OK;
			}
			/* Choosing has its share of the tangle's steps. */
			uint64_t before = t->chooser.steps;
			t->chooser.max_steps = t->cycles.last_step - t->cycles.steps;
			t->fixed.at[i] = s;
			err = examine(t, edge, length, t->pass.least, false, &rank);
			t->fixed.at[i] = DT_NONE;
			t->cycles.steps += t->chooser.steps - before;
		}
	}
	return err;
}

/* The lengths of the shortest cycles of this pass; *any: there is an open edge with one. */
static enum dt_err measure(struct dt_tangle *t, const uint32_t *edge, uint32_t count, uint32_t max, bool *any)
{
	struct dt_cycle_wish wish = pass_wish(t);
	enum dt_err err = DT_OK;

	*any = false;
	for (uint32_t i = 0; !err && i < count; i++) {
		struct dt_edge_state *state = &t->states.at[edge[i]];
		state->shortest = 0;
		if (is_open(t, edge[i]))
			err = dt_cycles_shortest(&t->cycles, edge[i], max, &wish, &state->shortest);
		*any |= state->shortest != 0;
	}
	return err;
}

static enum dt_err search_length(struct dt_tangle *t, const uint32_t *edge, uint32_t count, uint32_t length,
                                 bool *any)
{
	struct dt_cycle_wish wish = pass_wish(t);
	enum dt_err err = DT_OK;

	t->sweep++;
	*any = false;
	for (uint32_t i = 0; !err && i < count; i++) {
		struct dt_edge_state *state = &t->states.at[edge[i]];
		if (!state->shortest || !is_open(t, edge[i]))
			continue;
		*any = true;
		if (state->shortest > length)
			continue;
		err = dt_cycles_through(&t->cycles, edge[i], length, &wish, visit, t);
		state->done = t->sweep;
	}
	return err;
}

/* What no cycle of the lengths searched has shown: a shortest cycle, however long. */
static enum dt_err search_long(struct dt_tangle *t, const uint32_t *edge, uint32_t count, uint32_t max)
{
	struct dt_cycle_wish wish = pass_wish(t);
	enum dt_err err = DT_OK;
	uint32_t length;

	t->sweep++;
	for (uint32_t i = 0; !err && i < count; i++) {
		if (t->states.at[edge[i]].shortest <= t->options.max_cycle_length || !is_open(t, edge[i]))
			continue;
		err = dt_cycles_shortest(&t->cycles, edge[i], max, &wish, &length);
		if (!err && length)
			err = visit(t, t->cycles.path.at, length);
		/* There may be another, as long or longer, that would. */
		t->bounded |= is_open(t, edge[i]);
	}
	return err;
}

static enum dt_err run_pass(struct dt_tangle *t, const uint32_t *edge, uint32_t count, uint8_t need,
                            uint32_t thread)
{
	/* As many threads as edges, or one alone. */
	uint32_t max = thread ? t->edges->tree->vertices.count : t->threads.count;
	bool any;

	if (max < 3)
		return DT_OK;
	t->pass.need = need;
	t->pass.thread = thread;
	t->pass.least = thread ? DT_FELL_SAME_THREAD : DT_FELL_TIMED;
	t->sweep++;
	enum dt_err err = measure(t, edge, count, max, &any);
	for (uint32_t length = 3; !err && any && length <= max && length <= t->options.max_cycle_length;
	     length++)
		err = search_length(t, edge, count, length, &any);
	return err || !any ? err : search_long(t, edge, count, max);
}

/* For those who want to see what was filtered: edges in no cycle looked at so far, in a shortest one. */
static enum dt_err search_filtered(struct dt_tangle *t, const uint32_t *edge, uint32_t count)
{
	static const struct dt_cycle_wish anything;
	uint32_t length;
	uint8_t rank;
	enum dt_err err = DT_OK;

	t->chooser.max_steps = t->options.max_search_steps;
	for (uint32_t i = 0; !err && i < count; i++) {
		if (t->states.at[edge[i]].examined)
			continue;
		err = dt_cycles_shortest(&t->cycles, edge[i], t->edges->tree->vertices.count, &anything,
		                         &length);
		err = err ? err : any_place(t, length);
		if (err || !length)
			continue;
		for (uint32_t j = 0; j < length; j++)
			t->states.at[t->cycles.path.at[j]].examined = true;
		t->cycle++;
		err = examine(t, t->cycles.path.at, length, DT_FELL_READERS, false, &rank);
	}
	return err;
}

static enum dt_err collect_threads(struct dt_tangle *t, const uint32_t *edge, uint32_t count)
{
	struct dt_idmap seen = {0};
	bool room = true;

	t->threads.count = 0;
	for (uint32_t i = 0; room && i < count; i++) {
		for (uint32_t m = t->edges->edges.at[edge[i]].makers.first; room && m != DT_NONE;
		     m = t->edges->makers.at[m].next) {
			uint32_t thread = t->edges->makers.at[m].thread, *at;
			if (dt_idmap_find(&seen, thread))
				continue;
			at = dt_vec_push(&t->threads, t->alloc);
			room = at && dt_idmap_add(&seen, t->alloc, thread, 1);
			if (at)
				*at = thread;
		}
	}
	dt_idmap_fini(&seen, t->alloc);
	return room ? DT_OK : DT_ERR_NOMEM;
}

enum dt_err dt_tangle_search(struct dt_tangle *t, const uint32_t *edge, uint32_t count)
{
	enum dt_err err = make_room(t);

	t->tangle++;
	t->cycles.steps = 0;
	err = err ? err : collect_threads(t, edge, count);
	err = err ? err : search_pairs(t, edge, count);
	err = err ? err : run_pass(t, edge, count, SHOWN_FINDING, 0);
	err = err ? err : run_pass(t, edge, count, SHOWN_NOTE, 0);
	for (uint32_t i = 0; !err && i < t->threads.count; i++)
		err = run_pass(t, edge, count, SHOWN_NOTE, t->threads.at[i]);
	t->bounded |= t->chooser.bounded || t->cycles.bounded;
	if (err || !t->options.want_filtered)
		return err;
	t->cycles.steps = 0;
	err = search_filtered(t, edge, count);
	t->chooser.bounded = t->cycles.bounded = false;
	return err;
}
