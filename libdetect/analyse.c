/* analyse.c: the table of checks, and all of them over one process's facts. Findings are kept until
 * the last check is done, because the order in which a person reads them is not the order in which they
 * are found. */
#include <detect/check.h>

#include "checks.h"
#include "sort.h"
#include "vec.h"

const struct dt_check *const dt_checks[] = {
    &dt_check_lock_order,
    &dt_check_wait_while_holding,
    &dt_check_incidents,
    &dt_check_signals,
    &dt_check_races,
    &dt_check_states,
    NULL,
};

struct kept {
	struct dt_finding finding; /* its lists are in `block` */
	unsigned char *block;
	size_t bytes;
};

struct collection {
	struct dt_alloc *alloc;
	DT_VEC(struct kept) kept;
	bool out_of_memory;
};

static size_t holding_total(const struct dt_finding *finding)
{
	size_t total = 0;

	for (uint32_t i = 0; i < finding->event_count; i++)
		total += finding->events[i].holding_count;
	return total;
}

static size_t matrices_total(const struct dt_matrices *m)
{
	return (size_t)2 * m->resource_count + (size_t)2 * m->thread_count +
	       (size_t)2 * m->thread_count * m->resource_count + m->stuck_count;
}

static const uint32_t *copy_numbers(uint32_t **to, const uint32_t *from, size_t count)
{
	uint32_t *start = *to;

	if (count)
		memcpy(start, from, count * sizeof *start);
	*to += count;
	return start;
}

static void copy_matrices(struct dt_matrices *m, uint32_t *to)
{
	size_t cells = (size_t)m->thread_count * m->resource_count;

	m->resources = copy_numbers(&to, m->resources, m->resource_count);
	m->available = copy_numbers(&to, m->available, m->resource_count);
	m->threads = copy_numbers(&to, m->threads, m->thread_count);
	m->sections = copy_numbers(&to, m->sections, m->thread_count);
	m->allocation = copy_numbers(&to, m->allocation, cells);
	m->claim = copy_numbers(&to, m->claim, cells);
	m->stuck = copy_numbers(&to, m->stuck, m->stuck_count);
}

/* The events first: they have the strictest alignment. */
static void copy_lists(struct dt_finding *to, const struct dt_finding *from, unsigned char *block)
{
	to->events = (struct dt_event *)(void *)block;
	to->locks = (uint32_t *)(void *)(to->events + from->event_count);
	uint32_t *holding = to->locks + from->lock_count;

	if (from->lock_count)
		memcpy(to->locks, from->locks, from->lock_count * sizeof *to->locks);
	for (uint32_t i = 0; i < from->event_count; i++) {
		const struct dt_event *event = &from->events[i];
		to->events[i] = *event;
		to->events[i].holding = holding;
		if (event->holding_count)
			memcpy(holding, event->holding, event->holding_count * sizeof *holding);
		holding += event->holding_count;
	}
	copy_matrices(&to->matrices, holding);
}

static void keep(void *context, const struct dt_finding *finding)
{
	struct collection *all = context;
	size_t bytes =
	    finding->event_count * sizeof *finding->events +
	    (finding->lock_count + holding_total(finding) + matrices_total(&finding->matrices) + 1) *
	        sizeof(uint32_t);
	unsigned char *block = all->alloc->resize(all->alloc, NULL, 0, bytes);
	struct kept *kept = block ? dt_vec_push(&all->kept, all->alloc) : NULL;

	if (!kept) {
		if (block)
			all->alloc->resize(all->alloc, block, bytes, 0);
		all->out_of_memory = true;
		return;
	}
	*kept = (struct kept){*finding, block, bytes};
	copy_lists(&kept->finding, finding, block);
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_lists(const uint32_t *a, uint32_t a_count, const uint32_t *b, uint32_t b_count)
{
	for (uint32_t i = 0; i < a_count && i < b_count; i++)
		if (a[i] != b[i])
			return compare_numbers(a[i], b[i]);
	return compare_numbers(a_count, b_count);
}

static int compare_events(const struct dt_finding *a, const struct dt_finding *b)
{
	int order = compare_numbers(a->event_count, b->event_count);

	for (uint32_t i = 0; !order && i < a->event_count; i++) {
		order = compare_numbers(a->events[i].stack, b->events[i].stack);
		order = order ? order : compare_numbers(a->events[i].thread, b->events[i].thread);
	}
	return order;
}

/* What matters most first; then anything that is the same in every analysis of the same facts. */
static int compare_findings(const void *left, const void *right, void *context)
{
	const struct dt_finding *a = &((const struct kept *)left)->finding,
	                        *b = &((const struct kept *)right)->finding;
	int order = compare_numbers(a->filtered, b->filtered);

	(void)context;
	order = order ? order : compare_numbers(b->level, a->level);
	order = order ? order : compare_numbers(!a->bug, !b->bug); /* it came near */
	order = order ? order : compare_numbers(a->rule, b->rule);
	order = order ? order : compare_numbers(a->lock_count, b->lock_count);
	order = order ? order : compare_lists(a->locks, a->lock_count, b->locks, b->lock_count);
	return order ? order : compare_events(a, b);
}

static bool has_all(const uint32_t *list, uint32_t count, const struct dt_finding *of)
{
	for (uint32_t i = 0; i < of->lock_count; i++) {
		uint32_t at = 0;
		while (at < count && list[at] != of->locks[i])
			at++;
		if (at == count)
			return false;
	}
	return of->lock_count != 0;
}

/* A lock-order cycle whose unsafe state was reached is one bug with it; a deadlock that came of the state
 * says it all. */
static void relate(struct collection *all)
{
	uint32_t bugs = 0;

	for (uint32_t s = 0; s < all->kept.count; s++) {
		struct dt_finding *state = &all->kept.at[s].finding;
		const struct dt_matrices *m = &state->matrices;
		for (uint32_t i = 0; state->rule == DT_RULE_UNSAFE_STATE && i < all->kept.count; i++) {
			struct dt_finding *other = &all->kept.at[i].finding;
			if (other->filtered || !has_all(m->resources, m->resource_count, other))
				continue;
			if (other->rule == DT_RULE_DEADLOCK || other->rule == DT_RULE_SELF_DEADLOCK) {
				state->filtered = true;
				state->reason = DT_REASON_DEADLOCKED;
			} else if (other->rule == DT_RULE_LOCK_ORDER_CYCLE) {
				state->bug = state->bug ? state->bug : other->bug ? other->bug : ++bugs;
				other->bug = state->bug;
			}
		}
	}
}

static enum dt_err run(const struct dt_check *check, struct dt_facts *facts,
                       const struct dt_check_options *options, struct collection *all,
                       struct dt_analysis *result)
{
	struct dt_check_state *state;
	enum dt_err err = check->open(&state, facts, all->alloc, options, keep, all);

	if (err)
		return err;
	err = check->finish(state);
	result->bounded |= check->bounded ? check->bounded(state) : 0;
	check->close(state);
	return err;
}

enum dt_err dt_analyse(struct dt_facts *facts, struct dt_alloc *alloc, const struct dt_check_options *options,
                       dt_finding_sink *sink, void *context, struct dt_analysis *result)
{
	struct collection all = {.alloc = alloc};
	enum dt_err err = DT_OK;

	result->bounded = 0;
	for (int i = 0; !err && dt_checks[i]; i++)
		err = run(dt_checks[i], facts, options, &all, result);
	if (!err && all.out_of_memory)
		err = DT_ERR_NOMEM;
	relate(&all);
	dt_sort(all.kept.at, all.kept.count, sizeof *all.kept.at, compare_findings, NULL);
	for (uint32_t i = 0; i < all.kept.count; i++) {
		if (!err && (options->want_filtered || !all.kept.at[i].finding.filtered))
			sink(context, &all.kept.at[i].finding);
		alloc->resize(alloc, all.kept.at[i].block, all.kept.at[i].bytes, 0);
	}
	dt_vec_fini(&all.kept, alloc);
	return err;
}
