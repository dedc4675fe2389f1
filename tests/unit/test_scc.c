/* Components of a finished graph, against a naive model and against the growing graph. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph.h"
#include "scc.h"

enum { VERTICES_MAX = 30, GRAPHS = 4000 };

struct sample {
	uint32_t count;
	bool edge[VERTICES_MAX][VERTICES_MAX], reach[VERTICES_MAX][VERTICES_MAX];
	uint32_t first[VERTICES_MAX + 1], target[VERTICES_MAX * VERTICES_MAX];
};

static void make_random(struct sample *s)
{
	memset(s, 0, sizeof *s);
	s->count = 1 + (uint32_t)rand() % VERTICES_MAX;
	for (unsigned edges = (unsigned)rand() % (2 * s->count); edges; edges--)
		s->edge[(uint32_t)rand() % s->count][(uint32_t)rand() % s->count] = true;
	memcpy(s->reach, s->edge, sizeof s->edge);
	for (uint32_t k = 0; k < s->count; k++)
		for (uint32_t i = 0; i < s->count; i++)
			for (uint32_t j = 0; j < s->count; j++)
				s->reach[i][j] = s->reach[i][j] || (s->reach[i][k] && s->reach[k][j]);
	uint32_t edges = 0;
	for (uint32_t i = 0; i < s->count; i++) {
		s->first[i] = edges;
		for (uint32_t j = 0; j < s->count; j++)
			if (s->edge[i][j])
				s->target[edges++] = j;
	}
	s->first[s->count] = edges;
}

/* What dt_scc must answer, by definition. */
static uint32_t model_components(const struct sample *s, uint32_t *component)
{
	uint32_t components = 0;

	memset(component, 0, s->count * sizeof *component);
	for (uint32_t i = 0; i < s->count; i++) {
		for (uint32_t j = 0; j < s->count && !component[i]; j++)
			if (j < i && component[j] && s->reach[i][j] && s->reach[j][i])
				component[i] = component[j];
		for (uint32_t j = i + 1; j < s->count && !component[i]; j++)
			if (s->reach[i][j] && s->reach[j][i])
				component[i] = ++components;
	}
	return components;
}

static void test_random_graphs_match_the_model(void **state)
{
	static struct sample s;

	(void)state;
	for (unsigned i = 0; i < GRAPHS; i++) {
		uint32_t expected[VERTICES_MAX], got[VERTICES_MAX], components;
		srand(i + 1);
		make_random(&s);
		uint32_t count = model_components(&s, expected);
		assert_int_equal(dt_scc(&dt_alloc_libc, s.count, s.first, s.target, got, &components), DT_OK);
		assert_int_equal(components, count);
		assert_memory_equal(got, expected, s.count * sizeof *got);
	}
}

static void test_agrees_with_the_growing_graph(void **state)
{
	static struct sample s;

	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		uint32_t component[VERTICES_MAX], components, vertex;
		struct dt_graph *graph;
		bool closed;
		srand(9000 + i);
		make_random(&s);
		assert_int_equal(dt_scc(&dt_alloc_libc, s.count, s.first, s.target, component, &components),
		                 DT_OK);
		assert_int_equal(dt_graph_new(&graph, &dt_alloc_libc), DT_OK);
		for (uint32_t v = 0; v < s.count; v++)
			assert_int_equal(dt_graph_add_vertex(graph, &vertex), DT_OK);
		for (uint32_t v = 0; v < s.count; v++)
			for (uint32_t e = s.first[v]; e < s.first[v + 1]; e++)
				assert_int_equal(dt_graph_add_edge(graph, v, s.target[e], &closed), DT_OK);
		for (uint32_t v = 0; v < s.count; v++)
			assert_int_equal(component[v] != 0, dt_graph_component_size(graph, v) > 1);
		dt_graph_free(graph);
	}
}

/* A ring and a chain of a million: no recursion, linear time. */
static void test_long_chains(void **state)
{
	enum { COUNT = 1000000 };
	uint32_t *first = calloc(COUNT + 1, sizeof *first), *target = calloc(COUNT, sizeof *target);
	uint32_t *component = calloc(COUNT, sizeof *component), components;

	(void)state;
	assert_true(first && target && component);
	for (uint32_t v = 0; v < COUNT; v++) {
		first[v] = v;
		target[v] = (v + 1) % COUNT;
	}
	first[COUNT] = COUNT;
	assert_int_equal(dt_scc(&dt_alloc_libc, COUNT, first, target, component, &components), DT_OK);
	assert_int_equal(components, 1);
	assert_int_equal(component[COUNT / 2], 1);
	first[COUNT] = COUNT - 1;
	assert_int_equal(dt_scc(&dt_alloc_libc, COUNT, first, target, component, &components), DT_OK);
	assert_int_equal(components, 0);
	assert_int_equal(component[COUNT / 2], 0);
	free(first);
	free(target);
	free(component);
}

static void test_no_vertices(void **state)
{
	uint32_t first[1] = {0}, components = 9;

	(void)state;
	assert_int_equal(dt_scc(&dt_alloc_libc, 0, first, NULL, NULL, &components), DT_OK);
	assert_int_equal(components, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random_graphs_match_the_model),
	    cmocka_unit_test(test_agrees_with_the_growing_graph),
	    cmocka_unit_test(test_long_chains),
	    cmocka_unit_test(test_no_vertices),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
