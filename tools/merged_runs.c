/* Sightings sorted by what was wanted, and where. */
#include "merged_runs.h"

#include <stdlib.h>


struct merged_runs {
	const struct merged_rows *rows;
	const struct merged_sighting **by_want;
};

static int compare_wants(const void *left, const void *right, void *context)
{
	const struct merged_rows *rows = context;
	const struct merged_sighting *a = *(const struct merged_sighting *const *)left,
	                             *b = *(const struct merged_sighting *const *)right;
	const struct merged_acq *x = &rows->acqs.at[a->acq - 1], *y = &rows->acqs.at[b->acq - 1];

	if (x->lock != y->lock)
		return x->lock < y->lock ? -1 : 1;
	if (x->stack != y->stack)
		return x->stack < y->stack ? -1 : 1;
	return (a > b) - (a < b);
}

struct merged_runs *merged_runs_open(const struct merged_rows *rows)
{
	struct merged_runs *runs = must_realloc(NULL, 1, sizeof(*runs));

	*runs = (struct merged_runs){
	    .rows = rows, .by_want = must_realloc(NULL, rows->sightings.count + 1, sizeof(*runs->by_want))};
	for (size_t i = 0; i < rows->sightings.count; i++)
		runs->by_want[i] = &rows->sightings.at[i];
	if (rows->sightings.count)
		qsort_r(runs->by_want, rows->sightings.count, sizeof(*runs->by_want), compare_wants,
		        (void *)(uintptr_t)rows);
	return runs;
}

void merged_runs_close(struct merged_runs *runs)
{
	if (!runs)
		return;
	free(runs->by_want);
	free(runs);
}

static bool holds(const struct merged_rows *rows, const struct merged_acq *acq, int64_t lock, int64_t stack)
{
	for (uint32_t up = FIND(&rows->acqs, acq->parent); up; up = FIND(&rows->acqs, acq->parent)) {
		acq = &rows->acqs.at[up - 1];
		if (acq->lock == lock && acq->stack == stack)
			return true;
	}
	return false;
}

/* Index of the first sighting that does not come before a want of `lock` at `stack`. */
static size_t first_want(const struct merged_runs *runs, int64_t lock, int64_t stack)
{
	const struct merged_rows *rows = runs->rows;
	size_t low = 0, high = rows->sightings.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct merged_acq *acq = &rows->acqs.at[runs->by_want[middle]->acq - 1];
		if (acq->lock < lock || (acq->lock == lock && acq->stack < stack))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int64_t lock_of(const struct merged_rows *rows, uint32_t id)
{
	return id && id <= rows->locks.count ? rows->locks.at[id - 1].key : 0;
}

static int64_t stack_of(const struct merged_rows *rows, uint32_t id)
{
	return id && id <= rows->stacks.count ? rows->stacks.at[id - 1] : 0;
}

size_t merged_runs_find(const struct merged_runs *runs, const struct dt_event *hold,
                        const struct dt_event *want, int64_t *found, size_t most)
{
	const struct merged_rows *rows = runs->rows;
	int64_t lock = lock_of(rows, want->lock), stack = stack_of(rows, want->stack);
	int64_t held = lock_of(rows, hold->lock), hold_stack = stack_of(rows, hold->stack);
	size_t count = 0;

	for (size_t i = first_want(runs, lock, stack); i < rows->sightings.count && count < most; i++) {
		const struct merged_sighting *sighting = runs->by_want[i];
		const struct merged_acq *acq = &rows->acqs.at[sighting->acq - 1];
		bool known = false;

		if (acq->lock != lock || acq->stack != stack)
			break;
		if (sighting->thread != want->thread || !holds(rows, acq, held, hold_stack))
			continue;
		for (size_t r = 0; r < count; r++)
			known |= found[r] == sighting->run;
		if (!known)
			found[count++] = sighting->run;
	}
	return count;
}
