/* tree.h: the acquisition tree in arrays: which acquisition hangs under which, and what a thread
 * holds at each.
 *
 * Nodes and lock vertices are numbers from 0 in order of adding; DT_NONE is none. Memory: the
 * tree's own; pointers into it are valid until the next add. Threads: one at a time.
 * Failure: DT_ERR_NOMEM; the tree stays usable. */
#ifndef DT_TREE_H
#define DT_TREE_H

#include <detect/facts.h>

#include "idmap.h"
#include "vec.h"

#define DT_NONE UINT32_MAX

/* Deeper chains than this are not looked at (dt_tree_held answers false): one chain of n locks has
 * n * n / 2 pairs. */
enum { DT_HELD_MAX = 8192 };

/* A list of numbers that is linked elsewhere. */
struct dt_list {
	uint32_t first, last; /* DT_NONE: empty */
};

struct dt_node {
	uint32_t acq;    /* id in the facts */
	uint32_t parent; /* node, or DT_NONE */
	uint32_t vertex; /* its lock; DT_NONE when it is none (a joined thread) */
	uint32_t stack;
	uint8_t op, mode, wait;
};

/* A lock of the process as a vertex of the lock-order graph. */
struct dt_vertex {
	uint32_t lock; /* id in the facts */
	bool is_class; /* stands for many objects */
	bool excludes; /* one holder shuts out the others: may be a gate */
	bool is_sem;
	uint32_t units; /* of a semaphore; of any other lock 1 */
	bool prefers_writer;
};

struct dt_held {
	uint32_t node, vertex;
	bool shared;
};

struct dt_tree {
	const struct dt_facts *facts;
	struct dt_alloc *alloc;
	bool prefer_writer; /* take every rwlock as preferring writers */
	DT_VEC(struct dt_node) nodes;
	DT_VEC(struct dt_vertex) vertices;
	struct dt_idmap node_of_acq, vertex_of_lock;
	DT_VEC(struct dt_held) held; /* what dt_tree_held found */
	DT_VEC(uint32_t) chain;      /* scratch */
	DT_VEC(uint32_t) stamps;     /* by vertex: the last walk that met it */
	uint32_t stamp;
};

void dt_tree_init(struct dt_tree *tree, const struct dt_facts *facts, struct dt_alloc *alloc,
                  bool prefer_writer);
void dt_tree_fini(struct dt_tree *tree);

/* The node of an acquisition of settled facts, added (after its ancestors) when new. DT_NONE when
 * the facts know it only by name. */
enum dt_err dt_tree_add(struct dt_tree *tree, uint32_t acq, uint32_t *node);
uint32_t dt_tree_find(const struct dt_tree *tree, uint32_t acq);

/* Fill tree->held with the locks held when `node` was done, outermost first, each once (a lock
 * taken again counts where it was taken first). False: more than DT_HELD_MAX, or no memory. */
bool dt_tree_held(struct dt_tree *tree, uint32_t node);

/* After dt_tree_held: the node wants a lock (of one unit: of several, others may be free) that it does not hold already, with something held, so
 * that it can wait for another thread with it. */
bool dt_tree_wants(const struct dt_tree *tree, uint32_t node);

#endif
