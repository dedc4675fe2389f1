/* The growing graph against a naive model of reachability, and its own invariants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph.h"

enum { VERTICES_MAX = 24, GRAPHS = 4000 };

struct model {
	uint32_t count;
	bool reach[VERTICES_MAX][VERTICES_MAX];
};

static void model_add(struct model *m, uint32_t from, uint32_t to)
{
	for (uint32_t a = 0; a < m->count; a++)
		for (uint32_t b = 0; b < m->count; b++)
			if ((a == from || m->reach[a][from]) && (b == to || m->reach[to][b]))
				m->reach[a][b] = true;
}

static void compare(const struct dt_graph *graph, const struct model *m)
{
	for (uint32_t a = 0; a < m->count; a++) {
		uint32_t size = 0;
		for (uint32_t b = 0; b < m->count; b++) {
			bool together = a == b || (m->reach[a][b] && m->reach[b][a]);
			size += together;
			assert_int_equal(together,
			                 dt_graph_component(graph, a) == dt_graph_component(graph, b));
		}
		assert_int_equal(size, dt_graph_component_size(graph, a));
	}
}

/* Now and then a vertex, else an edge; the news of each edge and the whole state are compared. */
static void grow_one_random_graph(unsigned edges)
{
	struct dt_graph *graph;
	struct model m = {0};

	assert_int_equal(dt_graph_new(&graph, &dt_alloc_libc), DT_OK);
	for (unsigned i = 0; i < edges; i++) {
		if (m.count < 2 || (m.count < VERTICES_MAX && rand() % 4 == 0)) {
			uint32_t vertex;
			assert_int_equal(dt_graph_add_vertex(graph, &vertex), DT_OK);
			assert_int_equal(vertex, m.count++);
			continue;
		}
		uint32_t from = (uint32_t)rand() % m.count, to = (uint32_t)rand() % m.count;
		bool closes = from != to && m.reach[to][from] && !m.reach[from][to], closed;
		assert_int_equal(dt_graph_add_edge(graph, from, to, &closed), DT_OK);
		assert_int_equal(closed, closes);
		if (from != to)
			model_add(&m, from, to);
		assert_true(dt_graph_check(graph));
	}
	compare(graph, &m);
	dt_graph_free(graph);
}

static void test_random_graphs_match_the_model(void **state)
{
	(void)state;
	for (unsigned i = 0; i < GRAPHS; i++) {
		srand(i + 1);
		grow_one_random_graph(10 + i % 70);
	}
}

static void test_an_order_that_agrees_closes_nothing(void **state)
{
	struct dt_graph *graph;
	uint32_t vertex;
	bool closed;

	(void)state;
	assert_int_equal(dt_graph_new(&graph, &dt_alloc_libc), DT_OK);
	for (int i = 0; i < 100; i++)
		assert_int_equal(dt_graph_add_vertex(graph, &vertex), DT_OK);
	for (uint32_t i = 0; i < 99; i++) {
		assert_int_equal(dt_graph_add_edge(graph, i, i + 1, &closed), DT_OK);
		assert_false(closed);
	}
	assert_int_equal(dt_graph_add_edge(graph, 99, 0, &closed), DT_OK);
	assert_true(closed);
	assert_int_equal(dt_graph_component_size(graph, 50), 100);
	assert_true(dt_graph_check(graph));
	dt_graph_free(graph);
}

static void test_the_ring_visits_each_member_once(void **state)
{
	struct dt_graph *graph;
	uint32_t vertex;
	bool closed, seen[6] = {false};

	(void)state;
	assert_int_equal(dt_graph_new(&graph, &dt_alloc_libc), DT_OK);
	for (int i = 0; i < 6; i++)
		assert_int_equal(dt_graph_add_vertex(graph, &vertex), DT_OK);
	static const uint32_t edges[][2] = {{0, 1}, {1, 0}, {2, 3}, {3, 2}, {1, 2}, {3, 0}, {4, 5}};
	for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
		assert_int_equal(dt_graph_add_edge(graph, edges[i][0], edges[i][1], &closed), DT_OK);
	vertex = 2;
	do {
		assert_false(seen[vertex]);
		seen[vertex] = true;
		vertex = dt_graph_next_member(graph, vertex);
	} while (vertex != 2);
	assert_true(seen[0] && seen[1] && seen[2] && seen[3] && !seen[4] && !seen[5]);
	dt_graph_free(graph);
}

/* An allocator that fails from the `left`-th request on. */
struct failing {
	struct dt_alloc alloc;
	unsigned left;
};

static void *resize_failing(struct dt_alloc *self, void *block, size_t old_bytes, size_t new_bytes)
{
	struct failing *failing = (struct failing *)self;

	if (new_bytes) {
		if (!failing->left)
			return NULL;
		failing->left--;
	}
	return dt_alloc_libc.resize(&dt_alloc_libc, block, old_bytes, new_bytes);
}

static void test_no_memory_leaves_the_graph_whole(void **state)
{
	(void)state;
	for (unsigned left = 1; left < 400; left++) {
		struct failing failing = {{resize_failing}, left};
		struct dt_graph *graph;
		uint32_t vertex = 0;
		bool closed;

		if (dt_graph_new(&graph, &failing.alloc) != DT_OK)
			continue;
		while (vertex < 40 && dt_graph_add_vertex(graph, &vertex) == DT_OK)
			;
		uint32_t count = dt_graph_vertex_count(graph);
		for (uint32_t i = 0; count > 1 && i < 200; i++)
			if (dt_graph_add_edge(graph, i * 7 % count, i * 5 % count, &closed) != DT_OK)
				break;
		failing.left = 1000;
		assert_true(dt_graph_check(graph));
		dt_graph_free(graph);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random_graphs_match_the_model),
	    cmocka_unit_test(test_an_order_that_agrees_closes_nothing),
	    cmocka_unit_test(test_the_ring_visits_each_member_once),
	    cmocka_unit_test(test_no_memory_leaves_the_graph_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
