/* textlog_signals.c: handlers and masks, as preload/signals.c keeps them: an acquisition says in which handler it
 * was made, and which handlers could have interrupted it. */
#include <detect/finding.h>

#include "textlog_run.h"

uint32_t dt_run_signal_number(const char *name)
{
	for (uint32_t signal = 1; signal <= DT_SIGNAL_MAX; signal++)
		if (strcmp(name, dt_signal_name(signal)) == 0)
			return signal;
	return 0;
}

static uint64_t bit(uint32_t signal)
{
	return (uint64_t)1 << (signal - 1);
}

/* While its handler runs, a signal is blocked. */
static uint64_t open_signals(const struct dt_run *run, const struct dt_run_thread *t)
{
	uint64_t open = run->handled & ~t->blocked;

	for (uint32_t i = 0; i < t->handling.count; i++)
		open &= ~bit(t->handling.at[i]);
	return open;
}

enum dt_err dt_run_handles(struct dt_run *run, uint32_t thread, uint32_t signal)
{
	struct dt_run_thread *t = &run->threads.at[thread];

	if (!(open_signals(run, t) & bit(signal)))
		return dt_run_refuse(run, t->name, " can't be interrupted by ", dt_signal_name(signal), NULL);
	uint32_t *at = dt_vec_push(&t->handling, run->alloc);
	if (!at)
		return DT_ERR_NOMEM;
	*at = signal;
	return DT_OK;
}

enum dt_err dt_run_returns(struct dt_run *run, uint32_t thread)
{
	struct dt_run_thread *t = &run->threads.at[thread];

	if (!t->handling.count)
		return dt_run_refuse(run, t->name, " is in no handler", NULL);
	t->handling.count--;
	return DT_OK;
}

static enum dt_err set_id(struct dt_run *run, uint64_t signals, uint32_t *id)
{
	struct dt_rec_signal_set rec = {.head = {.type = DT_REC_SIGNAL_SET}, .signals = signals};

	*id = 0;
	if (!signals)
		return DT_OK;
	for (uint32_t i = 0; i < run->signal_sets.count; i++) {
		if (run->signal_sets.at[i] != signals)
			continue;
		*id = i + 1;
		return DT_OK;
	}
	uint64_t *at = dt_vec_push(&run->signal_sets, run->alloc);
	if (!at)
		return DT_ERR_NOMEM;
	*at = signals;
	*id = rec.id = run->signal_sets.count;
	return dt_log_buffer_add(&run->log, &rec, sizeof rec, NULL, 0);
}

enum dt_err dt_run_signals(struct dt_run *run, uint32_t thread, struct dt_run_held *held)
{
	const struct dt_run_thread *t = &run->threads.at[thread];

	held->handler = t->handling.count ? t->handling.at[t->handling.count - 1] : 0;
	return set_id(run, open_signals(run, t), &held->open_signals);
}
