/* The first attempts hold back at every edge, from the first pass on, which closes most cycles at once. The
 * others are for what that can't do: an edge under a lock that another thread needs to get to its own (hold
 * back at fewer edges), one that matters only later (let some pass), threads that meet seldom (longer pauses)
 * or in another callers' name than in the log (compare fewer frames). */
#include "steer.h"

#include <detect/steer_format.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

#define MS 1000000ull

/* Co-prime in length, so that their combinations don't repeat within the usual 20. */
static const unsigned pauses_ms[] = {100, 20, 300, 50, 1000, 5, 200, 2000, 500};
static const unsigned frame_counts[] = {DT_STEER_FRAMES, DT_STEER_FRAMES, 3, DT_STEER_FRAMES, 1};
enum which { ALL, ONE, ALL_BUT_ONE };
static const enum which edges_paused[] = {ALL, ONE, ALL, ALL_BUT_ONE};

#define PICK(list, at) ((list)[(at) % (sizeof(list) / sizeof(*(list)))])

enum { FIRST_ATTEMPTS = 4, SKIP_MOST = 32, BUDGET_PAUSES = 2, BUDGET_LEAST_MS = 1000 };

/* splitmix64: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014. */
static uint64_t mixed(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static bool is_paused(unsigned attempt, uint32_t edge, uint32_t edges)
{
	bool chosen = edge == attempt / 2 % edges;

	switch (PICK(edges_paused, attempt)) {
	case ONE:
		return chosen;
	case ALL_BUT_ONE:
		return !chosen;
	case ALL:
		break;
	}
	return true;
}

/* Half of the later attempts begin with the first pass; the others after up to 32, small numbers more often.
 */
static uint32_t skipped(unsigned attempt, uint32_t edge)
{
	uint64_t chance = mixed(attempt * DT_STEER_EDGES + edge);

	if (attempt < FIRST_ATTEMPTS || chance & 1)
		return 0;
	uint32_t most = 2u << (chance >> 1) % 5;
	return (uint32_t)(chance >> 32) % (most < SKIP_MOST ? most : SKIP_MOST);
}

struct draft {
	struct dt_steer plan;
	struct dt_steer_frame frames[DT_STEER_EDGES * 2 * DT_STEER_FRAMES];
};

static struct dt_steer_place add_place(struct draft *draft, const struct report_stack *stack, uint32_t most)
{
	struct dt_steer_place place = {.first = draft->plan.frame_count};

	for (size_t i = 0; i < stack->count && place.count < most; i++) {
		const struct report_frame *frame = &stack->frames[i];
		if (frame->inlined)
			continue;
		draft->frames[draft->plan.frame_count++] =
		    frame->module ? (struct dt_steer_frame){dt_steer_module(frame->module), frame->offset}
		                  : (struct dt_steer_frame){0, 0};
		place.count++;
	}
	return place;
}

static void add_edge(struct draft *draft, const struct report_event *hold, const struct report_event *want,
                     unsigned attempt)
{
	uint32_t frames = PICK(frame_counts, attempt);

	draft->plan.edges[draft->plan.edge_count++] = (struct dt_steer_edge){
	    .hold = add_place(draft, &hold->stack, frames),
	    .want = add_place(draft, &want->stack, frames),
	};
}

static bool is_edge(const struct report_finding *finding, size_t at)
{
	return at + 1 < finding->event_count && finding->events[at].kind == DT_EVENT_HOLD &&
	       finding->events[at + 1].kind == DT_EVENT_ACQUIRE;
}

const char *steer_why_not(const struct report_finding *finding)
{
	uint32_t edges = 0;

	for (size_t i = 0; i < finding->event_count; i++) {
		if (!finding->events[i].stack.count)
			return "a stack of it is not known";
		edges += is_edge(finding, i);
	}
	return edges < 2                ? "it has no edges between locks"
	       : edges > DT_STEER_EDGES ? "it has too many edges"
	                                : NULL;
}

static void fill(struct draft *draft, const struct report_finding *finding, unsigned attempt)
{
	struct dt_steer *plan = &draft->plan;
	uint64_t pause_ms = PICK(pauses_ms, attempt);
	uint64_t budget_ms = BUDGET_PAUSES * pause_ms;

	for (size_t i = 0; i < finding->event_count && plan->edge_count < DT_STEER_EDGES; i++)
		if (is_edge(finding, i))
			add_edge(draft, &finding->events[i], &finding->events[i + 1], attempt);
	for (uint32_t i = 0; i < plan->edge_count; i++) {
		plan->edges[i].pause = is_paused(attempt, i, plan->edge_count);
		plan->edges[i].skip = skipped(attempt, i);
	}
	memcpy(plan->magic, DT_STEER_MAGIC, sizeof(plan->magic));
	plan->version = DT_STEER_VERSION;
	plan->pause_ns = pause_ms * MS;
	plan->budget_ns = (budget_ms > BUDGET_LEAST_MS ? budget_ms : BUDGET_LEAST_MS) * MS;
	plan->bytes = (uint32_t)(sizeof(*plan) + plan->frame_count * sizeof(*draft->frames));
}

bool steer_write(const char *path, const struct report_finding *finding, unsigned attempt)
{
	struct draft *draft = must_realloc(NULL, 1, sizeof(*draft));
	FILE *out = fopen(path, "wxe");

	*draft = (struct draft){0};
	fill(draft, finding, attempt);
	bool written = out && fwrite(draft, draft->plan.bytes, 1, out) == 1;
	if (out && fclose(out) != 0)
		written = false;
	free(draft);
	return written;
}
