/* hook_notify.c: threads that the C library starts itself to say that something happened: a timer ran out,
 * a message came (SIGEV_THREAD). Such a thread comes after the call that asked for it.
 *
 * The library is given a function of ours and a row of ours as its value. How long it will use them nobody
 * says, so rows stay: one for each function and value that the program asks with. Asked again by the same
 * thread, the row's first call still comes before the threads; by another thread, neither call is known to
 * come before all of them. */
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "hook.h"
#include "process.h"
#include "thread.h"

enum { ROWS = 4096, ROW_TRIES = 32 };

struct row {
	_Atomic uint32_t state; /* enum row_state */
	void (*function)(union sigval value);
	union sigval value;
	struct shim_start start;
	_Atomic bool ordered;
};

enum row_state { FREE, WRITING, WRITTEN };

static struct row rows[ROWS];

static void run(union sigval value)
{
	const struct row *row = value.sival_ptr;

	shim_thread_begin_by_itself(&row->start, atomic_load(&row->ordered));
	row->function(row->value);
}

static bool same(const struct row *row, const struct sigevent *event)
{
	return row->function == event->sigev_notify_function &&
	       row->value.sival_ptr == event->sigev_value.sival_ptr;
}

static void write_row(struct row *row, struct shim_thread *t, const struct sigevent *event, uintptr_t slot)
{
	row->function = event->sigev_notify_function;
	row->value = event->sigev_value;
	row->start = (struct shim_start){.parent = t->id, .segment = t->segment, .process = t->process};
	row->start.context = shim_context_find(t, slot)->id;
	row->start.routine = (void *(*)(void *))(uintptr_t)event->sigev_notify_function;
	atomic_store(&row->ordered, true);
	atomic_store_explicit(&row->state, WRITTEN, memory_order_release);
}

/* The row of the event, made or known; NULL: there is no room, or a handler interrupted its making. */
static struct row *row_of(struct shim_thread *t, const struct sigevent *event, uintptr_t slot)
{
	uint64_t mixed =
	    shim_mix((uintptr_t)event->sigev_notify_function, event->sigev_value.sival_ptr, t->process, 0, 0);

	for (uint32_t i = 0; i < ROW_TRIES; i++) {
		struct row *row = &rows[(mixed + i) % ROWS];
		uint32_t state = FREE;
		if (atomic_compare_exchange_strong(&row->state, &state, WRITING)) {
			write_row(row, t, event, slot);
			return row;
		}
		if (state == WRITTEN && same(row, event) && row->start.process == t->process) {
			if (row->start.parent != t->id)
				atomic_store(&row->ordered, false);
			return row;
		}
	}
	return NULL;
}

/* What to ask with instead: *ours, or `event` as it is. */
static const struct sigevent *prepare(struct shim_thread *t, const struct sigevent *event,
                                      struct sigevent *ours, uintptr_t slot)
{
	if (!event || event->sigev_notify != SIGEV_THREAD || t->busy || (!t->capacity && !shim_attach(t)) ||
	    !shim_process_check(t))
		return event;
	struct row *row = row_of(t, event, slot);
	if (!row)
		return event;
	*ours = *event;
	ours->sigev_notify_function = run;
	ours->sigev_value.sival_ptr = row;
	/* What this thread does from here on may be at the same time. */
	shim_segment_next(t, 0);
	return ours;
}

SHIM_HOOK(int, timer_create, (clockid_t clock, struct sigevent *event, timer_t *timer))
{
	struct sigevent ours;
	const struct sigevent *asked = prepare(&shim_self, event, &ours, SHIM_SLOT());
	return SHIM_REAL(timer_create)(clock, (struct sigevent *)asked, timer);
}

SHIM_HOOK(int, mq_notify, (mqd_t queue, const struct sigevent *event))
{
	struct sigevent ours;
	return SHIM_REAL(mq_notify)(queue, prepare(&shim_self, event, &ours, SHIM_SLOT()));
}
