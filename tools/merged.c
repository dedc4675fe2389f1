/* Two sources of findings. What each run's own analysis found is there whole, and exact: it knew the objects.
 * The analysis of the merged facts adds cycles that no run has whole, and raises a note on one thread's
 * locking when other runs have other threads do it. A cycle that one run's threads do have whole, but which
 * its own analysis did not report, is left out: it knew better. */
#include "merged.h"

#include <detect/check.h>

#include <stdlib.h>
#include <string.h>

#include "finding.h"
#include "finding_json.h"
#include "merge_ids.h"
#include "merged_facts.h"
#include "notices.h"
#include "order.h"
#include "peers.h"
#include "progress.h"
#include "say.h"

#define RUNS_MAX 64 /* looked at of one edge */

struct merged {
	struct report_builder *builder;
	struct arena *arena;
	struct merge_id *runs;                    /* by key: index of the process */
	struct merge_id *shown_by;                /* by finding: its first run's index */
	struct merge_id *shown_count, *run_count; /* by finding: instances, runs */
	const char **run_names;
	size_t run_total;
	struct resolve *resolve;
	struct peers *peers;
	struct merged_facts *facts;
};

static const char *const *read_argv(struct arena *arena, const char *text, size_t *argc)
{
	json_t *json = text ? json_loads(text, 0, NULL) : NULL;
	const char **argv = arena_alloc(arena, (json_array_size(json) + 1) * sizeof(*argv));

	*argc = json_array_size(json);
	for (size_t i = 0; i < *argc; i++) {
		const char *word = json_string_value(json_array_get(json, i));
		argv[i] = arena_copy(arena, word ? word : "");
	}
	json_decref(json);
	return argv;
}

static void add_notice(void *context, const char *notice)
{
	report_add_notice(((struct merged *)context)->builder, notice);
}

static void add_notices(struct merged *merged, const char *text)
{
	size_t count;
	const char *const *notices = read_argv(merged->arena, text, &count);

	for (size_t i = 0; i < count; i++)
		add_notice(merged, notices[i]);
}

static void take_run(void *context, const struct store_row *row)
{
	struct merged *merged = context;
	struct arena *arena = merged->arena;
	const union store_value *values = row->values;
	size_t index, argc;
	struct report_process *process = report_add_process(merged->builder, &index);
	const char *const *argv = read_argv(arena, values[3].text, &argc);

	*process = (struct report_process){
	    .pid = (int32_t)values[4].number,
	    .ppid = (int32_t)values[5].number,
	    .start_ns = (uint64_t)values[6].number,
	    .program = arena_copy(arena, values[2].text ? values[2].text : "unknown program"),
	    .argv = argv,
	    .argc = argc,
	    .exited = values[7].number == 1,
	    .execed = values[7].number == 2,
	    .exit_status = values[7].number == 1 ? (int)values[8].number : 0,
	    .threads = (uint32_t)values[9].number,
	    .locks = (uint32_t)values[10].number,
	    .acquisitions = (uint32_t)values[11].number,
	};
	merge_ids_add(&merged->runs, arena, values[0].number, (int64_t)index);
	merged->run_names = must_realloc(merged->run_names, index + 1, sizeof(*merged->run_names));
	merged->run_names[index] =
	    arena_printf(arena, "%s (%s, pid %d)", values[1].text ? values[1].text : "a run",
	                 process->program, process->pid);
	merged->run_total = index + 1;
	add_notices(merged, values[12].text);
}

static void take_finding_run(void *context, const struct store_row *row)
{
	struct merged *merged = context;
	const struct merge_id *run = merge_ids_find(merged->runs, row->values[1].number);
	struct merge_id *first = merge_ids_find(merged->shown_by, row->values[0].number);

	if (!run)
		return;
	if (!first) {
		merge_ids_add(&merged->shown_by, merged->arena, row->values[0].number, run->key);
		merge_ids_add(&merged->shown_count, merged->arena, row->values[0].number,
		              row->values[2].number);
		merge_ids_add(&merged->run_count, merged->arena, row->values[0].number, 1);
		return;
	}
	if (run->key < first->key)
		first->key = run->key;
	merge_ids_find(merged->shown_count, row->values[0].number)->key += row->values[2].number;
	merge_ids_find(merged->run_count, row->values[0].number)->key++;
}

static void take_finding(void *context, const struct store_row *row)
{
	struct merged *merged = context;
	int64_t key = row->values[0].number;
	const struct merge_id *first = merge_ids_find(merged->shown_by, key);
	json_t *json = row->values[6].text ? json_loads(row->values[6].text, 0, NULL) : NULL;
	struct report_finding finding;

	if (first && json && finding_json_read(merged->arena, json, &finding)) {
		finding.process = (size_t)first->key;
		finding.count = (uint64_t)merge_ids_key(merged->shown_count, key);
		finding.run_count = (size_t)merge_ids_key(merged->run_count, key);
		report_add_finding(merged->builder, &finding);
	} else {
		report_add_notice(merged->builder,
		                  arena_printf(merged->arena,
		                               "a finding of rule %s can't be read by this detect",
		                               row->values[2].text ? row->values[2].text : "?"));
	}
	json_decref(json);
}

struct edge_runs {
	int64_t run[RUNS_MAX];
	size_t count;
};

static bool has_run(const struct edge_runs *edge, int64_t run)
{
	for (size_t i = 0; i < edge->count; i++)
		if (edge->run[i] == run)
			return true;
	return false;
}

static bool one_run_has_all(const struct edge_runs *edges, size_t count)
{
	for (size_t i = 0; count && i < edges[0].count; i++) {
		size_t have = 0;
		while (have < count && has_run(&edges[have], edges[0].run[i]))
			have++;
		if (have == count)
			return true;
	}
	return false;
}

/* A run of each edge's, another one than the edges before have where there is one. */
static int64_t choose_run(const struct edge_runs *edges, const int64_t *chosen, size_t edge)
{
	for (size_t i = 0; i < edges[edge].count; i++) {
		bool used = false;
		for (size_t before = 0; before < edge; before++)
			used |= chosen[before] == edges[edge].run[i];
		if (!used)
			return edges[edge].run[i];
	}
	return edges[edge].run[0];
}

static const char *run_name(const struct merged *merged, int64_t run)
{
	const struct merge_id *index = merge_ids_find(merged->runs, run);

	return index ? merged->run_names[index->key] : "a run that is not there";
}

/* A cycle's events come in pairs: held, wanted. */
static bool is_cycle(const struct dt_finding *found)
{
	if (found->rule != DT_RULE_LOCK_ORDER_CYCLE || found->event_count % 2 || found->event_count == 0)
		return false;
	for (uint32_t i = 0; i < found->event_count; i++)
		if (found->events[i].kind != (i % 2 ? DT_EVENT_ACQUIRE : DT_EVENT_HOLD))
			return false;
	return true;
}

static void name_runs(struct merged *merged, struct report_finding *finding, const struct edge_runs *edges,
                      size_t edge_count)
{
	int64_t *chosen = arena_alloc(merged->arena, edge_count * sizeof(*chosen));
	size_t first = merged->run_total;

	for (size_t i = 0; i < edge_count; i++) {
		chosen[i] = choose_run(edges, chosen, i);
		finding->events[2 * i].run = finding->events[2 * i + 1].run = run_name(merged, chosen[i]);
		const struct merge_id *index = merge_ids_find(merged->runs, chosen[i]);
		if (index && (size_t)index->key < first)
			first = (size_t)index->key;
	}
	finding->process = first < merged->run_total ? first : 0;
}

static void take_cycle(void *context, const struct dt_finding *found)
{
	struct merged *merged = context;
	size_t edge_count = found->event_count / 2;
	struct edge_runs *edges;

	if (!is_cycle(found))
		return;
	edges = must_realloc(NULL, edge_count, sizeof(*edges));
	bool known = true;
	for (size_t i = 0; i < edge_count; i++) {
		edges[i].count = merged_facts_runs(merged->facts, &found->events[2 * i],
		                                   &found->events[2 * i + 1], edges[i].run, RUNS_MAX);
		known &= edges[i].count > 0;
	}
	if (known) {
		struct report_finding finding = finding_resolve(merged->resolve, merged->peers, found);
		name_runs(merged, &finding, edges, edge_count);
		const struct report_finding *own =
		    report_find(merged->builder, finding.fingerprint, finding.process);
		bool whole = one_run_has_all(edges, edge_count);
		if (own ? own->level < finding.level && !finding.filtered : !whole) {
			finding.message =
			    arena_printf(merged->arena, "%s; no single run shows it", finding.message);
			report_add_finding(merged->builder, &finding);
		}
	}
	free(edges);
}

static void analyse(struct merged *merged)
{
	const struct report_settings *settings = report_get_settings(merged->builder);
	const struct dt_check_options options = {
	    .rwlock_prefer_writer = settings->prefer_writer,
	    .want_filtered = settings->want_filtered,
	};
	const struct resolve_source source = merged_facts_source(merged->facts);
	struct dt_analysis analysis = {0};

	merged->resolve = resolve_open_source(merged_facts_get(merged->facts), &source, merged->arena);
	merged->peers = peers_open(NULL, NULL, merged->arena);
	if (dt_analyse(merged_facts_get(merged->facts), &dt_alloc_libc, &options, take_cycle, merged,
	               &analysis))
		say_out_of_memory();
	if (settings->want_graph)
		order_add(report_get_graph(merged->builder), merged->resolve, NO_PROCESS);
	peers_close(merged->peers);
	resolve_close(merged->resolve);
	notices_of_bounds(analysis.bounded, "merged facts", merged->arena, add_notice, merged);
}

char *merged_report(struct report_builder *builder, struct store *store)
{
	struct merged merged = {.builder = builder, .arena = report_arena(builder)};

	progress_show("merged facts", 0, 0, NULL);
	char *why = store_read(store, STORE_RUN, NULL, take_run, &merged);
	if (!why)
		why = store_read(store, STORE_FINDING_RUN, NULL, take_finding_run, &merged);
	if (!why)
		why = store_read(store, STORE_FINDING, NULL, take_finding, &merged);
	if (!why && merged.run_total)
		why = merged_facts_open(&merged.facts, store, merged.arena);
	if (!why && merged.facts)
		analyse(&merged);
	merged_facts_close(merged.facts);
	merge_ids_free(&merged.runs);
	merge_ids_free(&merged.shown_by);
	merge_ids_free(&merged.shown_count);
	merge_ids_free(&merged.run_count);
	free(merged.run_names);
	return why;
}
