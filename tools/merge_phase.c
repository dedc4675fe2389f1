/* A role is judged by its first THREADS_MAX threads: pools have many that are alike. */
#include "merge_phase.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "merge_ids.h"

#define THREADS_MAX 8

struct role {
	struct merge_role role;
	uint32_t first[THREADS_MAX], last[THREADS_MAX]; /* segments */
	bool ended[THREADS_MAX];                        /* the thread did: `last` is its last */
	size_t thread_count;
};

struct merge_phase {
	struct dt_facts *facts;
	struct resolve *resolve;
	struct arena *arena;
	struct role *roles; /* by key, once all are there */
	size_t role_count;
	struct merge_relations *relations;
	size_t relation_count;
	struct merge_id *last;    /* by thread: its last segment that is known */
	struct merge_id *threads; /* by thread: its role's key */
	struct merge_id *phases;  /* by segment: its relations' key */
	struct merge_id *known;   /* by relations' key */
};

static int64_t role_key(const char *start)
{
	return hash_end(hash_string(HASH_START, start));
}

static uint32_t largest_segment(const struct merge_phase *phase)
{
	uint32_t largest = 0;

	for (uint32_t i = 0; i < dt_facts_acq_count(phase->facts); i++) {
		const struct dt_acq *acq = dt_facts_acq_nth(phase->facts, i);
		for (uint32_t s = 0; s < acq->segment_count; s++)
			largest = acq->segments[s] > largest ? acq->segments[s] : largest;
	}
	for (uint32_t i = 0; i < dt_facts_thread_count(phase->facts); i++) {
		uint32_t first = dt_facts_thread_nth(phase->facts, i)->first_segment;
		largest = first > largest ? first : largest;
	}
	return largest;
}

/* Ids grow along must-happen-before. */
static void find_last_segments(struct merge_phase *phase)
{
	uint32_t largest = largest_segment(phase);

	for (uint32_t id = 1; id <= largest && id <= DT_ID_MAX; id++) {
		const struct dt_segment *segment = dt_facts_segment(phase->facts, id);
		struct merge_id *last = segment ? merge_ids_find(phase->last, segment->thread) : NULL;
		if (last)
			last->key = id;
		else if (segment)
			merge_ids_add(&phase->last, phase->arena, segment->thread, id);
	}
}

static struct role *find_role(struct merge_phase *phase, int64_t key)
{
	for (size_t i = 0; i < phase->role_count; i++)
		if (phase->roles[i].role.key == key)
			return &phase->roles[i];
	return NULL;
}

static void add_thread(struct merge_phase *phase, const struct dt_thread *thread)
{
	const char *start = thread->id == 1 ? "main" : resolve_thread(phase->resolve, thread->id).start;
	int64_t key = role_key(start), last = merge_ids_key(phase->last, thread->id);
	struct role *role = find_role(phase, key);

	merge_ids_add(&phase->threads, phase->arena, thread->id, key);
	if (!role) {
		phase->roles = must_realloc(phase->roles, phase->role_count + 1, sizeof(*phase->roles));
		role = &phase->roles[phase->role_count++];
		*role =
		    (struct role){.role = {.key = key, .start = start, .create_stack = thread->create_stack}};
	}
	if (role->thread_count == THREADS_MAX)
		return;
	role->first[role->thread_count] = thread->first_segment;
	role->ended[role->thread_count] = thread->ended;
	role->last[role->thread_count++] = last ? (uint32_t)last : thread->first_segment;
}

static void judge_plural(struct merge_phase *phase, struct role *role)
{
	for (size_t a = 0; a < role->thread_count; a++)
		for (size_t b = 0; b < a; b++)
			if (!dt_facts_happens_before(phase->facts, role->last[a], role->first[b]) &&
			    !dt_facts_happens_before(phase->facts, role->last[b], role->first[a]))
				role->role.plural = true;
}

static int compare_roles(const void *left, const void *right)
{
	const struct role *a = left, *b = right;

	return (a->role.key > b->role.key) - (a->role.key < b->role.key);
}

struct merge_phase *merge_phase_open(struct dt_facts *facts, struct resolve *resolve, struct arena *arena)
{
	struct merge_phase *phase = must_realloc(NULL, 1, sizeof(*phase));

	*phase = (struct merge_phase){.facts = facts, .resolve = resolve, .arena = arena};
	find_last_segments(phase);
	for (uint32_t i = 0; i < dt_facts_thread_count(facts); i++)
		add_thread(phase, dt_facts_thread_nth(facts, i));
	for (size_t i = 0; i < phase->role_count; i++)
		judge_plural(phase, &phase->roles[i]);
	if (phase->role_count)
		qsort(phase->roles, phase->role_count, sizeof(*phase->roles), compare_roles);
	return phase;
}

void merge_phase_close(struct merge_phase *phase)
{
	merge_ids_free(&phase->last);
	merge_ids_free(&phase->threads);
	merge_ids_free(&phase->phases);
	merge_ids_free(&phase->known);
	free(phase->roles);
	free(phase->relations);
	free(phase);
}

static char relation_to(struct merge_phase *phase, uint32_t segment, const struct role *role)
{
	size_t before = 0, after = 0;

	for (size_t i = 0; i < role->thread_count; i++) {
		before += dt_facts_happens_before(phase->facts, segment, role->first[i]);
		after += role->ended[i] && dt_facts_happens_before(phase->facts, role->last[i], segment);
	}
	return before == role->thread_count ? 'b' : after == role->thread_count ? 'a' : 'd';
}

static int64_t find_relations(struct merge_phase *phase, uint32_t segment, int64_t own_role)
{
	const char *text = "";

	for (size_t i = 0; i < phase->role_count; i++)
		if (phase->roles[i].role.key != own_role)
			text = arena_printf(phase->arena, "%s%s%lld:%c", text, *text ? " " : "",
			                    (long long)phase->roles[i].role.key,
			                    relation_to(phase, segment, &phase->roles[i]));
	int64_t key = hash_end(hash_string(HASH_START, text));
	if (!merge_ids_find(phase->known, key)) {
		phase->relations =
		    must_realloc(phase->relations, phase->relation_count + 1, sizeof(*phase->relations));
		phase->relations[phase->relation_count++] = (struct merge_relations){key, text};
		merge_ids_add(&phase->known, phase->arena, key, key);
	}
	return key;
}

bool merge_phase_of(struct merge_phase *phase, uint32_t id, struct merge_place *place)
{
	const struct dt_segment *segment = dt_facts_segment(phase->facts, id);

	if (!segment || segment->thread == 0)
		return false;
	const struct merge_id *known = merge_ids_find(phase->phases, id);
	place->thread = segment->thread;
	place->role = merge_ids_key(phase->threads, segment->thread);
	if (!place->role)
		return false;
	if (!known)
		known =
		    merge_ids_add(&phase->phases, phase->arena, id, find_relations(phase, id, place->role));
	place->phase = known->key;
	return true;
}

const struct merge_role *merge_phase_role(const struct merge_phase *phase, size_t index)
{
	return index < phase->role_count ? &phase->roles[index].role : NULL;
}

const struct merge_relations *merge_phase_relations(const struct merge_phase *phase, size_t index)
{
	return index < phase->relation_count ? &phase->relations[index] : NULL;
}
