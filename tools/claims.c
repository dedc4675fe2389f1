/* claims.c: each node of the acquisition tree tells that the section of its root needed its lock: rows of
 * (section, resource, units), sorted and folded. Locks and stacks go by names that hold in another run
 * (claims_names.c). */
#include "claims.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <detect/avoid.h>
#include <detect/claims_format.h>

#include "arena.h"
#include "claims_names.h"

struct row {
	uint64_t stack, first, resource;
	uint32_t units, kind;
	bool coarse, nested; /* nested: under another lock of the same name */
};

struct edge {
	uint64_t from, to;
};

struct claims {
	struct row *rows;
	size_t row_count;
	struct edge *edges;
	size_t edge_count;
	struct dt_claims_resource *resources; /* by name */
	size_t resource_count;
};

static void add_resource(struct claims *claims, const struct row *row, const struct dt_lock *lock)
{
	struct dt_claims_resource resource = {row->resource, 1, row->coarse ? DT_CLAIMS_COARSE : 0};

	if (row->coarse)
		resource.units = 1;
	else if (lock->kind == DT_LOCK_RWLOCK)
		resource.units = DT_AVOID_READERS;
	else if (lock->kind == DT_LOCK_SEM)
		resource.units = lock->units;
	claims->resources = must_realloc(claims->resources, claims->resource_count + 1, sizeof(resource));
	claims->resources[claims->resource_count++] = resource;
}

static uint32_t units_of(const struct dt_acq *acq, const struct dt_lock *lock)
{
	return lock->kind == DT_LOCK_RWLOCK && acq->mode == DT_MODE_EXCLUSIVE ? (uint32_t)DT_AVOID_READERS
	                                                                      : 1;
}

static bool holds(const struct dt_acq *acq)
{
	return (acq->op == DT_OP_ACQUIRE || acq->op == DT_OP_HOLD) && acq->depth && !acq->handler;
}

/* True when a lock of the same name is among those held. */
static bool add_edges(struct claims *claims, const struct dt_facts *facts, const struct dt_acq *acq,
                      uint64_t to)
{
	bool global, nested = false;

	for (const struct dt_acq *at = dt_facts_acq(facts, acq->parent); at;
	     at = dt_facts_acq(facts, at->parent)) {
		const struct dt_lock *lock = dt_facts_lock(facts, at->lock);
		uint64_t from = lock ? claims_lock_name(facts, lock, &global) : 0;
		if (!from)
			continue;
		nested = nested || from == to;
		claims->edges = must_realloc(claims->edges, claims->edge_count + 1, sizeof(*claims->edges));
		claims->edges[claims->edge_count++] = (struct edge){from, to};
	}
	return nested;
}

/* `units` 0: what the acquisition itself takes. */
static void add_acq(struct claims *claims, const struct dt_facts *facts, const struct dt_acq *acq,
                    uint32_t units)
{
	const struct dt_lock *lock = dt_facts_lock(facts, acq->lock);
	const struct dt_acq *root = acq;
	bool global, first_global;

	while (root->parent && dt_facts_acq(facts, root->parent))
		root = dt_facts_acq(facts, root->parent);
	const struct dt_lock *first = dt_facts_lock(facts, root->lock);
	if (!lock || !first)
		return;
	struct row row = {
	    .stack = claims_stack_name(facts, root->stack),
	    .first = claims_lock_name(facts, first, &first_global),
	    .resource = claims_lock_name(facts, lock, &global),
	    .units = units ? units : units_of(acq, lock),
	    .kind = lock->kind,
	};
	if (!row.resource || !row.first)
		return;
	/* What is made anew in each run or many times over has one name for all of its kind. */
	row.coarse = !global && lock->kind != DT_LOCK_SEM;
	if (row.coarse)
		row.units = 1;
	row.nested = !units && add_edges(claims, facts, acq, row.resource);
	claims->rows = must_realloc(claims->rows, claims->row_count + 1, sizeof(row));
	claims->rows[claims->row_count++] = row;
	add_resource(claims, &row, lock);
}

static void add_log(struct claims *claims, const struct log_file *log)
{
	struct dt_facts *facts;

	logs_read(log, &facts, NULL);
	for (uint32_t i = 0; i < dt_facts_acq_count(facts); i++)
		if (holds(dt_facts_acq_nth(facts, i)))
			add_acq(claims, facts, dt_facts_acq_nth(facts, i), 0);
	for (uint32_t i = 0; i < dt_facts_units_count(facts); i++) {
		const struct dt_units *units = dt_facts_units_nth(facts, i);
		const struct dt_acq *acq = dt_facts_units_of(facts, units);
		if (acq && holds(acq))
			add_acq(claims, facts, acq, units->units);
	}
	dt_facts_free(facts);
}

static int compare_resources(const void *left, const void *right)
{
	const struct dt_claims_resource *a = left, *b = right;

	return a->name < b->name ? -1 : a->name > b->name;
}

static int compare_rows(const void *left, const void *right)
{
	const struct row *a = left, *b = right;

	if (a->stack != b->stack)
		return a->stack < b->stack ? -1 : 1;
	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return a->resource < b->resource ? -1 : a->resource > b->resource;
}

static int compare_edges(const void *left, const void *right)
{
	return memcmp(left, right, sizeof(struct edge));
}

static void fold(struct claims *claims)
{
	size_t kept = 0;

	if (!claims->row_count)
		return;
	qsort(claims->resources, claims->resource_count, sizeof(*claims->resources), compare_resources);
	for (size_t i = 0; i < claims->resource_count; i++) {
		struct dt_claims_resource *last = kept ? &claims->resources[kept - 1] : NULL;
		if (!last || last->name != claims->resources[i].name)
			claims->resources[kept++] = claims->resources[i];
		else if (last->units < claims->resources[i].units)
			last->units = claims->resources[i].units;
	}
	claims->resource_count = kept;
	qsort(claims->rows, claims->row_count, sizeof(*claims->rows), compare_rows);
	kept = 0;
	for (size_t i = 0; i < claims->row_count; i++) {
		struct row *last = kept ? &claims->rows[kept - 1] : NULL;
		bool new = !last || compare_rows(last, &claims->rows[i]) != 0;
		if (new) {
			claims->rows[kept++] = claims->rows[i];
			continue;
		}
		last->nested = last->nested || claims->rows[i].nested;
		if (last->units < claims->rows[i].units)
			last->units = claims->rows[i].units;
	}
	claims->row_count = kept;
	if (!claims->edge_count)
		return;
	qsort(claims->edges, claims->edge_count, sizeof(*claims->edges), compare_edges);
	kept = 0;
	for (size_t i = 0; i < claims->edge_count; i++)
		if (!kept || compare_edges(&claims->edges[kept - 1], &claims->edges[i]) != 0)
			claims->edges[kept++] = claims->edges[i];
	claims->edge_count = kept;
}

static int64_t find_resource(const struct claims *claims, uint64_t name)
{
	const struct dt_claims_resource key = {.name = name},
	                                *found =
	                                    claims->resource_count
	                                        ? bsearch(&key, claims->resources, claims->resource_count,
	                                                  sizeof(key), compare_resources)
	                                        : NULL;

	return found ? found - claims->resources : -1;
}

/* Keep the edges between locks that have edges both in and out, again and again: what is on a cycle is left,
 * and what lies between two cycles. */
static void keep_cycles(struct claims *claims)
{
	bool *in = must_realloc(NULL, claims->resource_count + 1, sizeof(*in));
	bool *out = must_realloc(NULL, claims->resource_count + 1, sizeof(*out));
	size_t before;

	do {
		memset(in, 0, claims->resource_count * sizeof(*in));
		memset(out, 0, claims->resource_count * sizeof(*out));
		for (size_t i = 0; i < claims->edge_count; i++) {
			out[find_resource(claims, claims->edges[i].from)] = true;
			in[find_resource(claims, claims->edges[i].to)] = true;
		}
		before = claims->edge_count;
		claims->edge_count = 0;
		for (size_t i = 0; i < before; i++)
			if (in[find_resource(claims, claims->edges[i].from)] &&
			    out[find_resource(claims, claims->edges[i].to)])
				claims->edges[claims->edge_count++] = claims->edges[i];
	} while (claims->edge_count < before);
	size_t kept = 0;
	for (size_t i = 0; i < claims->row_count; i++) {
		int64_t at = find_resource(claims, claims->rows[i].resource);
		if (in[at] && out[at])
			claims->rows[kept++] = claims->rows[i];
	}
	claims->row_count = kept;
	kept = 0;
	for (size_t i = 0; i < claims->resource_count; i++)
		if (in[i] && out[i])
			claims->resources[kept++] = claims->resources[i];
	claims->resource_count = kept;
	free(in);
	free(out);
}

/* Sections that need more than one unit; the others never wait for a second one. */
static bool write_rows(const struct claims *claims, bool cycles, FILE *out, struct claims_summary *summary)
{
	struct dt_claims_section *sections = must_realloc(NULL, claims->row_count + 1, sizeof(*sections));
	struct dt_claims_need *needs = must_realloc(NULL, claims->row_count + 1, sizeof(*needs));
	uint32_t section_count = 0, need_count = 0;

	for (size_t i = 0, end; i < claims->row_count; i = end) {
		const struct row *first = &claims->rows[i];
		for (end = i; end < claims->row_count && claims->rows[end].stack == first->stack &&
		              claims->rows[end].first == first->first;
		     end++)
			;
		if (end - i == 1 && !(first->kind == DT_LOCK_SEM && first->units > 1) && !first->nested)
			continue;
		sections[section_count++] =
		    (struct dt_claims_section){first->stack, first->first, need_count, (uint32_t)(end - i)};
		for (size_t at = i; at < end; at++)
			needs[need_count++] = (struct dt_claims_need){
			    (uint32_t)find_resource(claims, claims->rows[at].resource),
			    claims->rows[at].units};
	}
	struct dt_claims_header header = {
	    .magic = DT_CLAIMS_MAGIC,
	    .version = DT_CLAIMS_VERSION,
	    .flags = cycles ? DT_CLAIMS_CYCLES : 0,
	    .resources = (uint32_t)claims->resource_count,
	    .sections = section_count,
	    .needs = need_count,
	};
	bool written = fwrite(&header, sizeof(header), 1, out) == 1 &&
	               fwrite(claims->resources, sizeof(*claims->resources), claims->resource_count, out) ==
	                   claims->resource_count &&
	               fwrite(sections, sizeof(*sections), section_count, out) == section_count &&
	               fwrite(needs, sizeof(*needs), need_count, out) == need_count;
	*summary = (struct claims_summary){header.resources, header.sections};
	free(sections);
	free(needs);
	return written;
}

char *claims_write(const struct log_set *logs, bool cycles, const char *path, struct claims_summary *summary)
{
	struct claims claims = {0};

	for (size_t i = 0; i < logs->count; i++)
		add_log(&claims, &logs->files[i]);
	fold(&claims);
	if (cycles)
		keep_cycles(&claims);
	char *why = NULL;
	if (claims.resource_count >= DT_AVOID_RESOURCES)
		why = must_printf("the claims name %zu locks; --avoid can follow %d", claims.resource_count,
		                  DT_AVOID_RESOURCES - 1);
	FILE *out = why ? NULL : fopen(path, "wbe");
	if (!why && !out)
		why = must_printf("%s: %s", path, strerror(errno));
	bool written = out && write_rows(&claims, cycles, out, summary);
	if (out && (fclose(out) != 0 || !written))
		why = must_printf("%s: %s", path, strerror(errno));
	free(claims.rows);
	free(claims.edges);
	free(claims.resources);
	return why;
}
