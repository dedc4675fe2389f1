/* banker.c: a thread that lacks something is parked at the first resource it lacks, and goes on from there
 * when units of that come back; what it had enough of before it has enough of still, since what is free only
 * grows. */
#include <detect/banker.h>

#include <stdbool.h>

struct run {
	const struct dt_banker *state;
	uint32_t *at, *next,
	    *ready; /* by thread: the resource to look at, who is parked behind it (plus one); a stack */
	uint32_t *free, *parked; /* by resource; parked: thread plus one */
	uint32_t ready_count;
};

static uint64_t row(const struct dt_banker *state, uint32_t thread)
{
	return (uint64_t)thread * state->resources;
}

/* False: it is parked now. */
static bool can_end(struct run *run, uint32_t thread)
{
	const struct dt_banker *state = run->state;
	const uint32_t *has = state->allocation + row(state, thread),
	               *claim = state->claim + row(state, thread);

	for (; run->at[thread] < state->resources; run->at[thread]++) {
		uint32_t r = run->at[thread];
		if (claim[r] <= has[r] || claim[r] - has[r] <= run->free[r])
			continue;
		run->next[thread] = run->parked[r];
		run->parked[r] = thread + 1;
		return false;
	}
	return true;
}

static void give_back(struct run *run, uint32_t thread)
{
	const uint32_t *has = run->state->allocation + row(run->state, thread);

	for (uint32_t r = 0; r < run->state->resources; r++) {
		if (!has[r])
			continue;
		run->free[r] = has[r] > UINT32_MAX - run->free[r] ? UINT32_MAX : run->free[r] + has[r];
		for (uint32_t t = run->parked[r]; t; t = run->next[t - 1])
			run->ready[run->ready_count++] = t - 1;
		run->parked[r] = 0;
	}
}

uint32_t dt_banker_stuck(const struct dt_banker *state, uint32_t *order, uint32_t *work)
{
	uint32_t n = state->threads, ended = 0, last = n;
	struct run run = {state, work, work + n, work + 2 * n, work + 3 * n, work + 3 * n + state->resources,
	                  0};

	for (uint32_t r = 0; r < state->resources; r++) {
		run.free[r] = state->available[r];
		run.parked[r] = 0;
	}
	for (uint32_t t = n; t-- > 0;) {
		run.at[t] = 0;
		run.ready[run.ready_count++] = t;
	}
	while (run.ready_count) {
		uint32_t t = run.ready[--run.ready_count];
		if (!can_end(&run, t))
			continue;
		order[ended++] = t;
		run.next[t] = UINT32_MAX; /* it has ended */
		give_back(&run, t);
	}
	for (uint32_t t = n; t-- > 0;)
		if (run.next[t] != UINT32_MAX)
			order[--last] = t;
	return n - ended;
}
