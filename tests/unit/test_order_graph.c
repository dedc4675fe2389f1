/* The lock-order graph for people: its edges against a naive count on random facts, direct edges, cycles,
 * and the want of memory at every request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <detect/order_graph.h>

#include "failing_alloc.h"
#include "maker.h"

enum { LOCKS = 8, ACQS = 40, CHAIN = 200 };

static struct dt_order_graph graph_of(struct maker *m)
{
	struct dt_order_graph graph;

	assert_int_equal(dt_facts_settle(m->facts), DT_OK);
	assert_int_equal(dt_order_graph_init(&graph, m->facts, &dt_alloc_libc), DT_OK);
	return graph;
}

static const struct dt_order_edge *edge(const struct dt_order_graph *graph, uint32_t from, uint32_t to)
{
	for (uint32_t i = 0; i < graph->edge_count; i++)
		if (graph->locks[graph->edges[i].from].lock == from &&
		    graph->locks[graph->edges[i].to].lock == to)
			return &graph->edges[i];
	return NULL;
}

static void three_deep(struct maker *m)
{
	maker_begin(m);
	for (uint32_t lock = 1; lock <= 3; lock++)
		maker_lock(m, lock, DT_LOCK_MUTEX, 0);
	uint32_t segment = maker_thread(m, 1, 0);
	uint32_t a = maker_acq(m, 0, 1, 11), b = maker_acq(m, a, 2, 12), c = maker_acq(m, b, 3, 13);
	maker_see(m, a, segment);
	maker_see(m, b, segment);
	maker_see(m, c, segment);
}

static void direct_edges(void **unused)
{
	struct maker m;

	(void)unused;
	three_deep(&m);
	struct dt_order_graph graph = graph_of(&m);
	assert_int_equal(graph.lock_count, 3);
	assert_int_equal(graph.edge_count, 3);
	assert_true(edge(&graph, 1, 2)->direct);
	assert_true(edge(&graph, 2, 3)->direct);
	assert_false(edge(&graph, 1, 3)->direct);
	assert_int_equal(edge(&graph, 1, 3)->hold_stack, 11);
	assert_int_equal(edge(&graph, 1, 3)->want_stack, 13);
	assert_int_equal(edge(&graph, 1, 3)->thread, 1);
	for (uint32_t i = 0; i < 3; i++) {
		assert_false(graph.edges[i].on_cycle);
		assert_false(graph.edges[i].many_threads);
		assert_int_equal(graph.locks[i].component, 0);
	}
	dt_order_graph_fini(&graph);
	maker_end(&m);
}

/* A third lock under both stays off the cycle; a try is the exemplar only until a call that waits is seen. */
static void cycles_and_exemplars(void **unused)
{
	struct maker m;

	(void)unused;
	three_deep(&m);
	uint32_t segment = maker_thread(&m, 2, 0);
	uint32_t b = maker_acq(&m, 0, 2, 21);
	uint32_t try = maker_acq_as(&m, b, DT_OP_ACQUIRE, 1, 22, DT_MODE_EXCLUSIVE, DT_WAIT_TRY);
	maker_see(&m, try, segment);
	struct dt_order_graph graph = graph_of(&m);
	assert_true(edge(&graph, 1, 2)->on_cycle && edge(&graph, 2, 1)->on_cycle);
	assert_false(edge(&graph, 2, 1)->blocks);
	assert_int_equal(edge(&graph, 2, 1)->want_stack, 22);
	assert_false(edge(&graph, 1, 3)->on_cycle || edge(&graph, 2, 3)->on_cycle);
	dt_order_graph_fini(&graph);

	uint32_t waits = maker_acq(&m, b, 1, 23), third = maker_thread(&m, 3, 0);
	maker_see(&m, waits, third);
	graph = graph_of(&m);
	assert_true(edge(&graph, 2, 1)->blocks);
	assert_true(edge(&graph, 2, 1)->many_threads);
	assert_int_equal(edge(&graph, 2, 1)->want_stack, 23);
	assert_int_equal(edge(&graph, 2, 1)->thread, 3);
	assert_int_equal(edge(&graph, 2, 1)->acquisitions, 2);
	dt_order_graph_fini(&graph);
	maker_end(&m);
}

static void no_edges(void **unused)
{
	struct maker m;

	(void)unused;
	maker_begin(&m);
	maker_lock(&m, 1, DT_LOCK_MUTEX, 0);
	uint32_t a = maker_acq(&m, 0, 1, 1);
	maker_acq(&m, a, 1, 2); /* recursion is no order */
	struct dt_order_graph graph = graph_of(&m);
	assert_int_equal(graph.edge_count, 0);
	assert_int_equal(graph.lock_count, 0);
	dt_order_graph_fini(&graph);
	maker_end(&m);
}

/* n locks in a chain have n * n / 2 edges; a reader gets the n that say it. */
static void deep_chain(void **unused)
{
	struct maker m;
	uint32_t at = 0;

	(void)unused;
	maker_begin(&m);
	for (uint32_t lock = 1; lock <= CHAIN; lock++) {
		maker_lock(&m, lock, DT_LOCK_MUTEX, 0);
		at = maker_acq(&m, at, lock, lock);
	}
	struct dt_order_graph graph = graph_of(&m);
	assert_true(graph.reduced);
	assert_true(graph.edge_count < 64 * 64 / 2 + CHAIN);
	for (uint32_t lock = 1; lock < CHAIN; lock++)
		assert_true(edge(&graph, lock, lock + 1)->direct);
	dt_order_graph_fini(&graph);
	maker_end(&m);
}

/* Edges and cycles by definition. */
static void against_naive(void **unused)
{
	(void)unused;
	for (unsigned seed = 1; seed <= 300; seed++) {
		bool seen[LOCKS + 1][LOCKS + 1] = {{false}}, reach[LOCKS + 1][LOCKS + 1];
		uint32_t lock_of[ACQS + 1] = {0}, parent_of[ACQS + 1] = {0}, edges = 0;
		struct maker m;

		srand(seed);
		maker_begin(&m);
		for (uint32_t lock = 1; lock <= LOCKS; lock++)
			maker_lock(&m, lock, DT_LOCK_MUTEX, 0);
		for (uint32_t acq = 1; acq <= ACQS; acq++) {
			parent_of[acq] = (uint32_t)rand() % 2 ? 0 : (uint32_t)rand() % acq;
			lock_of[acq] = 1 + (uint32_t)rand() % LOCKS;
			maker_acq(&m, parent_of[acq], lock_of[acq], acq);
			bool again = false;
			for (uint32_t up = parent_of[acq]; up; up = parent_of[up])
				again |= lock_of[up] == lock_of[acq];
			for (uint32_t up = parent_of[acq]; up && !again; up = parent_of[up])
				seen[lock_of[up]][lock_of[acq]] = true;
		}
		memcpy(reach, seen, sizeof reach);
		for (int k = 1; k <= LOCKS; k++)
			for (int i = 1; i <= LOCKS; i++)
				for (int j = 1; j <= LOCKS; j++)
					reach[i][j] |= reach[i][k] && reach[k][j];
		struct dt_order_graph graph = graph_of(&m);
		for (uint32_t i = 1; i <= LOCKS; i++)
			for (uint32_t j = 1; j <= LOCKS; j++) {
				const struct dt_order_edge *found = edge(&graph, i, j);
				assert_int_equal(found != NULL, seen[i][j]);
				assert_true(!found || found->on_cycle == reach[j][i]);
				edges += seen[i][j];
			}
		assert_int_equal(graph.edge_count, edges);
		dt_order_graph_fini(&graph);
		maker_end(&m);
	}
}

static void no_memory(void **unused)
{
	struct maker m;
	enum dt_err err = DT_ERR_NOMEM;

	(void)unused;
	three_deep(&m);
	assert_int_equal(dt_facts_settle(m.facts), DT_OK);
	for (uint32_t refused = 1; err; refused++) {
		struct failing_alloc alloc = failing_alloc(refused);
		struct dt_order_graph graph;

		err = dt_order_graph_init(&graph, m.facts, &alloc.alloc);
		assert_true(err == DT_OK || err == DT_ERR_NOMEM);
		assert_true(!err || graph.edge_count == 0);
		assert_true(refused > 5 || err);
		dt_order_graph_fini(&graph);
		assert_int_equal(alloc.used_bytes, 0);
	}
	maker_end(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(direct_edges),  cmocka_unit_test(cycles_and_exemplars),
	    cmocka_unit_test(no_edges),      cmocka_unit_test(deep_chain),
	    cmocka_unit_test(against_naive), cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
