/* near_edges.c: the tree of acquisitions is made piece by piece and dropped again, since it takes far more
 * memory than the edges. */
#include "near_edges.h"

#include "pairmap.h"
#include "tree.h"

enum { PIECE = 1 << 18 };

struct search {
	const struct dt_facts *facts;
	struct dt_alloc *alloc;
	struct dt_tree tree;
	DT_VEC(uint64_t) pairs; /* from and to */
	struct dt_pairmap seen;
	uint32_t keep; /* nodes of a tree before it is dropped */
	bool bounded;
};

static uint32_t number_of(const struct search *s, uint32_t vertex)
{
	return dt_facts_lock_number(s->facts, s->tree.vertices.at[vertex].lock);
}

static enum dt_err add_pair(struct search *s, uint32_t from, uint32_t to)
{
	if (from == to || dt_pairmap_find(&s->seen, dt_pair(from + 1, to + 1)))
		return DT_OK;
	uint64_t *pair = dt_vec_push(&s->pairs, s->alloc);
	if (!pair || !dt_pairmap_add(&s->seen, s->alloc, dt_pair(from + 1, to + 1), 0))
		return DT_ERR_NOMEM;
	*pair = dt_pair(from, to);
	return DT_OK;
}

/* The edges to what `node` wants, as far as the components need them: beyond the nearest lock that was
 * acquired (and not inherited from a release out of order) they follow from that lock's own. */
static enum dt_err add_near_edges(struct search *s, uint32_t node)
{
	const struct dt_tree *tree = &s->tree;
	uint32_t to = tree->nodes.at[node].vertex;

	for (uint32_t i = tree->held.count; i-- > 0;) {
		enum dt_err err = add_pair(s, number_of(s, tree->held.at[i].vertex), number_of(s, to));
		if (err)
			return err;
		if (tree->nodes.at[tree->held.at[i].node].op == DT_OP_ACQUIRE &&
		    tree->held.at[i].vertex != to)
			break;
	}
	return DT_OK;
}

static void drop_tree(struct search *s)
{
	dt_tree_fini(&s->tree);
	dt_tree_init(&s->tree, s->facts, s->alloc, false);
}

/* One acquisition's ancestors may fill a tree: it is kept for several times as many, lest each brings them
 * again. */
static enum dt_err look_at(struct search *s, uint32_t acq)
{
	uint32_t node, before = s->tree.nodes.count;
	enum dt_err err = dt_tree_add(&s->tree, acq, &node);

	if (err || node == DT_NONE)
		return err;
	uint32_t added = s->tree.nodes.count - before;
	if (added > s->keep / 4)
		s->keep = added < UINT32_MAX / 4 ? added * 4 : UINT32_MAX;
	if (!dt_tree_held(&s->tree, node))
		s->bounded = true;
	else if (dt_tree_wants(&s->tree, node))
		err = add_near_edges(s, node);
	if (s->tree.nodes.count >= s->keep)
		drop_tree(s);
	return err;
}

static uint32_t *zeroed(struct dt_alloc *alloc, size_t count)
{
	uint32_t *block = alloc->resize(alloc, NULL, 0, count * sizeof *block);

	return block ? memset(block, 0, count * sizeof *block) : NULL;
}

/* first[v + 1] counts, then is where v's next edge goes, then where v + 1 begins. */
static enum dt_err lay_out(struct dt_near_edges *near, const struct search *s)
{
	near->locks = dt_facts_lock_count(s->facts);
	near->edges = s->pairs.count;
	near->first = zeroed(s->alloc, (size_t)near->locks + 2);
	near->target = zeroed(s->alloc, (size_t)near->edges + 1);
	if (!near->first || !near->target)
		return DT_ERR_NOMEM;
	for (uint32_t i = 0; i < near->edges; i++)
		near->first[(s->pairs.at[i] >> 32) + 2]++;
	for (uint32_t v = 0; v < near->locks; v++)
		near->first[v + 2] += near->first[v + 1];
	for (uint32_t i = 0; i < near->edges; i++)
		near->target[near->first[(s->pairs.at[i] >> 32) + 1]++] = (uint32_t)s->pairs.at[i];
	return DT_OK;
}

enum dt_err dt_near_edges_find(struct dt_near_edges *near, const struct dt_facts *facts,
                               struct dt_alloc *alloc)
{
	struct search s = {.facts = facts, .alloc = alloc, .keep = PIECE};
	enum dt_err err = DT_OK;

	*near = (struct dt_near_edges){.alloc = alloc};
	dt_tree_init(&s.tree, facts, alloc, false);
	for (uint32_t i = 0; !err && i < dt_facts_acq_count(facts); i++) {
		const struct dt_acq *acq = dt_facts_acq_nth(facts, i);
		if (acq->op == DT_OP_ACQUIRE && acq->depth > 1)
			err = look_at(&s, acq->id);
	}
	dt_tree_fini(&s.tree);
	dt_pairmap_fini(&s.seen, alloc);
	err = err ? err : lay_out(near, &s);
	dt_vec_fini(&s.pairs, alloc);
	near->bounded = s.bounded;
	return err;
}

void dt_near_edges_fini(struct dt_near_edges *near)
{
	if (near->first)
		near->alloc->resize(near->alloc, near->first, ((size_t)near->locks + 2) * sizeof *near->first,
		                    0);
	if (near->target)
		near->alloc->resize(near->alloc, near->target,
		                    ((size_t)near->edges + 1) * sizeof *near->target, 0);
	near->first = near->target = NULL;
}
