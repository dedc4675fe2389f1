/* between.c: groups of logs by union-find over the places of shared locks; a cycle through two processes
 * needs two locks that both know, so a group with fewer is none. */
#include "between.h"

#include <detect/join.h>

#include <stdlib.h>
#include <string.h>

#include "finding.h"
#include "progress.h"
#include "say.h"

struct place {
	uint64_t device, inode, offset;
	size_t log;
};

/* `log` forked the process, or waited for it. */
struct kin {
	size_t log;
	int32_t pid;
};

struct between {
	struct place *places;
	struct kin *kin;
	int32_t *pids; /* by log */
	size_t *group; /* by log: a log of its group, in the end the first one */
	size_t place_count, kin_count, log_count;
};

struct between *between_open(void)
{
	struct between *between = must_realloc(NULL, 1, sizeof(*between));

	*between = (struct between){0};
	return between;
}

void between_close(struct between *between)
{
	if (!between)
		return;
	free(between->places);
	free(between->kin);
	free(between->pids);
	free(between->group);
	free(between);
}

void between_note(struct between *between, const struct dt_facts *facts)
{
	size_t log = between->log_count++, places = dt_facts_shared_count(facts),
	       kin = dt_facts_kin_count(facts);

	between->pids = must_realloc(between->pids, between->log_count, sizeof(*between->pids));
	between->pids[log] = dt_facts_process(facts)->pid;
	between->places =
	    must_realloc(between->places, between->place_count + places + 1, sizeof(*between->places));
	for (uint32_t i = 0; i < places; i++) {
		const struct dt_shared *shared = dt_facts_shared_nth(facts, i);
		between->places[between->place_count++] =
		    (struct place){shared->device, shared->inode, shared->offset, log};
	}
	between->kin = must_realloc(between->kin, between->kin_count + kin + 1, sizeof(*between->kin));
	for (uint32_t i = 0; i < kin; i++)
		between->kin[between->kin_count++] = (struct kin){log, dt_facts_kin_nth(facts, i)->pid};
}

static int compare_where(const struct place *a, const struct place *b)
{
	if (a->device != b->device)
		return a->device < b->device ? -1 : 1;
	if (a->inode != b->inode)
		return a->inode < b->inode ? -1 : 1;
	return (a->offset > b->offset) - (a->offset < b->offset);
}

static int compare_places(const void *left, const void *right)
{
	const struct place *a = left, *b = right;
	int order = compare_where(a, b);

	return order ? order : (a->log > b->log) - (a->log < b->log);
}

static size_t group_of(const struct between *between, size_t log)
{
	while (between->group[log] != log)
		log = between->group[log] = between->group[between->group[log]];
	return log;
}

/* How many places are known to several logs of each group, by its first log. */
static size_t *group_logs(struct between *between)
{
	size_t *common = must_realloc(NULL, between->log_count + 1, sizeof(*common));

	between->group = must_realloc(NULL, between->log_count + 1, sizeof(*between->group));
	for (size_t i = 0; i < between->log_count; i++) {
		between->group[i] = i;
		common[i] = 0;
	}
	if (between->place_count)
		qsort(between->places, between->place_count, sizeof(*between->places), compare_places);
	for (size_t i = 1; i < between->place_count; i++) {
		const struct place *place = &between->places[i];
		if (compare_where(place - 1, place) || place[-1].log == place->log)
			continue;
		size_t a = group_of(between, place[-1].log), b = group_of(between, place->log);
		size_t first = a < b ? a : b, other = a < b ? b : a;
		bool counted = i > 1 && !compare_where(place - 2, place) && place[-2].log != place[-1].log;
		between->group[other] = first;
		if (first != other)
			common[first] += common[other];
		common[first] += !counted;
	}
	return common;
}

/* The logs of a group, and those of parents up to the first, which put them in order; ascending. */
static size_t members_of(const struct between *between, size_t group, size_t *members)
{
	bool *taken = must_realloc(NULL, between->log_count, sizeof(*taken));
	size_t count = 0;
	bool more = true;

	for (size_t i = 0; i < between->log_count; i++)
		taken[i] = group_of(between, i) == group;
	while (more) {
		more = false;
		for (size_t k = 0; k < between->kin_count; k++)
			for (size_t i = 0; !taken[between->kin[k].log] && i < between->log_count; i++)
				if (taken[i] && between->pids[i] == between->kin[k].pid)
					more = taken[between->kin[k].log] = true;
	}
	for (size_t i = 0; i < between->log_count; i++)
		if (taken[i])
			members[count++] = i;
	free(taken);
	return count;
}

/* A group that is being looked at. */
struct group {
	struct report_builder *builder;
	struct symbols *symbols;
	const size_t *logs; /* by member */
	struct dt_facts **facts;
	size_t count;
	struct dt_join *join;
};

static void read_facts(struct group *group, const struct log_set *logs)
{
	group->facts = must_realloc(NULL, group->count, sizeof(*group->facts));
	for (size_t i = 0; i < group->count; i++) {
		const struct log_file *log = &logs->files[group->logs[i]];
		progress_show("log that shares locks", i + 1, group->count, log->path);
		logs_read(log, &group->facts[i], NULL);
	}
}

/* A finding with ids of the processes: what is not the first event's process's is numbered by the peers. */
struct translation {
	const struct group *group;
	struct peers *peers;
	uint32_t own; /* member */
};

static uint32_t translate(const struct translation *to, struct dt_join_origin origin)
{
	const struct group *group = to->group;

	if (!origin.id || origin.member == to->own)
		return origin.id;
	struct dt_facts *facts = group->facts[origin.member];
	return peers_adopt(to->peers, dt_facts_process(facts)->pid, facts, origin.id);
}

static void translate_event(const struct translation *to, struct arena *arena, struct dt_event *event)
{
	const struct dt_join *join = to->group->join;
	uint32_t member = dt_join_thread(join, event->thread).member;
	uint32_t *holding = arena_alloc(arena, event->holding_count * sizeof(*holding));

	if (member != to->own)
		event->pid = dt_facts_process(to->group->facts[member])->pid;
	event->thread = translate(to, dt_join_thread(join, event->thread));
	event->lock = translate(to, dt_join_lock(join, event->lock));
	event->stack = translate(to, dt_join_stack(join, event->stack));
	event->other_thread = translate(to, dt_join_thread(join, event->other_thread));
	event->other_lock = translate(to, dt_join_lock(join, event->other_lock));
	for (uint32_t i = 0; i < event->holding_count; i++)
		holding[i] = translate(to, dt_join_lock(join, event->holding[i]));
	event->holding = holding;
}

static void add_finding(void *context, const struct dt_finding *found)
{
	const struct group *group = context;
	struct arena *arena = report_arena(group->builder);
	struct translation to = {group, peers_open(NULL, group->symbols, arena),
	                         dt_join_thread(group->join, found->events[0].thread).member};
	struct dt_finding told = *found;

	told.locks = arena_alloc(arena, found->lock_count * sizeof(*told.locks));
	told.events = arena_alloc(arena, found->event_count * sizeof(*told.events));
	for (uint32_t i = 0; i < found->lock_count; i++)
		told.locks[i] = translate(&to, dt_join_lock(group->join, found->locks[i]));
	told.reason_lock = translate(&to, dt_join_lock(group->join, found->reason_lock));
	for (uint32_t i = 0; i < found->event_count; i++) {
		told.events[i] = found->events[i];
		translate_event(&to, arena, &told.events[i]);
	}
	struct resolve *resolve = resolve_open(group->facts[to.own], group->symbols, arena);
	struct report_finding finding = finding_resolve_translated(resolve, to.peers, &told);
	finding.process = group->logs[to.own];
	report_add_finding(group->builder, &finding);
	resolve_close(resolve);
	peers_close(to.peers);
}

static void analyse(struct group *group)
{
	const struct report_settings *settings = report_get_settings(group->builder);
	const struct dt_check_options options = {
	    .rwlock_prefer_writer = settings->prefer_writer,
	    .want_filtered = settings->want_filtered,
	};
	struct dt_analysis analysis = {0};
	enum dt_err err = dt_join_open(&group->join, group->facts, (uint32_t)group->count, &dt_alloc_libc);

	if (!err) {
		err = dt_join_analyse(group->join, &options, add_finding, group, &analysis);
		dt_join_close(group->join);
	}
	if (err == DT_ERR_NOMEM)
		say_out_of_memory();
	if (err)
		report_add_notice(
		    group->builder,
		    "the processes that share locks did too much to be looked at together: lock orders "
		    "between them can be missing");
	if (analysis.bounded)
		report_add_notice(group->builder,
		                  "the search for cycles between processes was stopped at its bound: "
		                  "findings can be missing");
}

void between_find(struct between *between, struct report_builder *builder, const struct log_set *logs,
                  struct symbols *symbols)
{
	size_t *common = group_logs(between);
	size_t *members = must_realloc(NULL, between->log_count + 1, sizeof(*members));

	for (size_t log = 0; log < between->log_count; log++) {
		if (group_of(between, log) != log || common[log] < 2)
			continue;
		struct group group = {.builder = builder,
		                      .symbols = symbols,
		                      .logs = members,
		                      .count = members_of(between, log, members)};
		read_facts(&group, logs);
		analyse(&group);
		for (size_t i = 0; i < group.count; i++)
			dt_facts_free(group.facts[i]);
		free(group.facts);
	}
	free(members);
	free(common);
}
