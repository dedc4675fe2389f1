/* tree.c: acquisitions by number instead of by id, so that walking up from a node costs an array
 * access a step: this is the inner loop of every check. */
#include "tree.h"

void dt_tree_init(struct dt_tree *tree, const struct dt_facts *facts, struct dt_alloc *alloc,
                  bool prefer_writer)
{
	memset(tree, 0, sizeof *tree);
	tree->facts = facts;
	tree->alloc = alloc;
	tree->prefer_writer = prefer_writer;
}

void dt_tree_fini(struct dt_tree *tree)
{
	dt_vec_fini(&tree->nodes, tree->alloc);
	dt_vec_fini(&tree->vertices, tree->alloc);
	dt_vec_fini(&tree->held, tree->alloc);
	dt_vec_fini(&tree->chain, tree->alloc);
	dt_vec_fini(&tree->stamps, tree->alloc);
	dt_idmap_fini(&tree->node_of_acq, tree->alloc);
	dt_idmap_fini(&tree->vertex_of_lock, tree->alloc);
}

uint32_t dt_tree_find(const struct dt_tree *tree, uint32_t acq)
{
	uint32_t index = dt_idmap_find(&tree->node_of_acq, acq);

	return index ? index - 1 : DT_NONE;
}

static enum dt_err add_vertex(struct dt_tree *tree, uint32_t id, uint32_t *vertex)
{
	uint32_t index = dt_idmap_find(&tree->vertex_of_lock, id);

	if (index) {
		*vertex = index - 1;
		return DT_OK;
	}
	const struct dt_lock *lock = dt_facts_lock(tree->facts, id);
	if (!lock) {
		*vertex = DT_NONE;
		return DT_OK;
	}
	uint32_t *stamp = dt_vec_push(&tree->stamps, tree->alloc);
	if (!stamp)
		return DT_ERR_NOMEM;
	struct dt_vertex *v = dt_vec_push(&tree->vertices, tree->alloc);
	if (!v || !dt_idmap_add(&tree->vertex_of_lock, tree->alloc, id, tree->vertices.count)) {
		tree->vertices.count -= v != NULL;
		tree->stamps.count--;
		return DT_ERR_NOMEM;
	}
	v->lock = id;
	v->is_class = lock->flags & DT_LOCK_CLASS;
	v->units = lock->kind == DT_LOCK_SEM ? lock->units : 1;
	v->is_sem = lock->kind == DT_LOCK_SEM;
	v->excludes = !v->is_class && v->units == 1;
	v->prefers_writer =
	    lock->kind == DT_LOCK_RWLOCK && (tree->prefer_writer || (lock->flags & DT_LOCK_PREFER_WRITER));
	*vertex = tree->vertices.count - 1;
	return DT_OK;
}

static enum dt_err add_node(struct dt_tree *tree, const struct dt_acq *acq, uint32_t parent)
{
	uint32_t vertex = DT_NONE;
	enum dt_err err = acq->op == DT_OP_JOIN ? DT_OK : add_vertex(tree, acq->lock, &vertex);

	if (err)
		return err;
	struct dt_node *n = dt_vec_push(&tree->nodes, tree->alloc);
	if (!n)
		return DT_ERR_NOMEM;
	if (!dt_idmap_add(&tree->node_of_acq, tree->alloc, acq->id, tree->nodes.count)) {
		tree->nodes.count--;
		return DT_ERR_NOMEM;
	}
	*n = (struct dt_node){
	    acq->id, parent, vertex, acq->stack, (uint8_t)acq->op, (uint8_t)acq->mode, (uint8_t)acq->wait};
	return DT_OK;
}

enum dt_err dt_tree_add(struct dt_tree *tree, uint32_t id, uint32_t *node)
{
	const struct dt_acq *acq = dt_facts_acq(tree->facts, id);

	*node = DT_NONE;
	if (!acq || !acq->depth)
		return DT_OK;
	/* Up to what is there already, then down again. A depth says that the chain has an end. */
	tree->chain.count = 0;
	while (acq && (*node = dt_tree_find(tree, acq->id)) == DT_NONE) {
		uint32_t *link = dt_vec_push(&tree->chain, tree->alloc);
		if (!link)
			return DT_ERR_NOMEM;
		*link = acq->id;
		acq = acq->parent ? dt_facts_acq(tree->facts, acq->parent) : NULL;
	}
	while (tree->chain.count) {
		enum dt_err err =
		    add_node(tree, dt_facts_acq(tree->facts, tree->chain.at[tree->chain.count - 1]), *node);
		if (err)
			return err;
		*node = tree->nodes.count - 1;
		tree->chain.count--;
	}
	return DT_OK;
}

/* Units of a semaphore that others post without having waited are not held by anybody. A live host learns that
 * late. */
static bool is_signal(const struct dt_tree *tree, const struct dt_vertex *v)
{
	return v->is_sem && (!v->units || dt_facts_lock(tree->facts, v->lock)->signal);
}

static bool is_held(const struct dt_tree *tree, const struct dt_node *node)
{
	return (node->op == DT_OP_ACQUIRE || node->op == DT_OP_HOLD) && node->vertex != DT_NONE &&
	       !is_signal(tree, &tree->vertices.at[node->vertex]);
}

bool dt_tree_held(struct dt_tree *tree, uint32_t node)
{
	tree->held.count = 0;
	tree->chain.count = 0;
	tree->stamp++;
	for (uint32_t at = tree->nodes.at[node].parent; at != DT_NONE; at = tree->nodes.at[at].parent) {
		if (!is_held(tree, &tree->nodes.at[at]))
			continue;
		uint32_t *link =
		    tree->chain.count < DT_HELD_MAX ? dt_vec_push(&tree->chain, tree->alloc) : NULL;
		if (!link)
			return false;
		*link = at;
	}
	for (uint32_t i = tree->chain.count; i-- > 0;) {
		const struct dt_node *n = &tree->nodes.at[tree->chain.at[i]];
		if (tree->stamps.at[n->vertex] == tree->stamp)
			continue;
		tree->stamps.at[n->vertex] = tree->stamp;
		struct dt_held *held = dt_vec_push(&tree->held, tree->alloc);
		if (!held)
			return false;
		*held = (struct dt_held){tree->chain.at[i], n->vertex, n->mode == DT_MODE_SHARED};
	}
	return true;
}

bool dt_tree_wants(const struct dt_tree *tree, uint32_t node)
{
	const struct dt_node *n = &tree->nodes.at[node];

	/* A lock held already is taken again by recursion, or the thread waits for itself: neither is an
	 * order between locks. Of a class, another object may be meant. */
	return n->op == DT_OP_ACQUIRE && n->vertex != DT_NONE && tree->held.count &&
	       tree->vertices.at[n->vertex].units == 1 && !is_signal(tree, &tree->vertices.at[n->vertex]) &&
	       (tree->stamps.at[n->vertex] != tree->stamp || tree->vertices.at[n->vertex].is_class);
}
