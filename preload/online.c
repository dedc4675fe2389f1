/* online.c: feed the engine what the log got, and say what it finds.
 *
 * `marks` counts additions not yet seen to; who raises it from 0 analyses until it is 0 again. The
 * analysis has bounds (memory, acquisitions): behind them it stops, says so in the log, and leaves
 * the rest to the reporter, who has all facts anyway. */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include <detect/check.h>

#include "arena.h"
#include "log.h"
#include "names.h"
#include "online.h"
#include "options.h"
#include "say.h"
#include "shim.h"

enum { ACQS_MAX = 20000, MEMORY_MAX = 64 << 20, SAID_MAX = 100, LINES_BYTES = 8192, CHECKS_MAX = 8 };

static _Atomic uint32_t marks;
static _Atomic bool stopped;
static struct shim_arena arena;
static struct dt_facts *facts;
static struct dt_check_state *checks[CHECKS_MAX];
static uint64_t cursor;
static uint32_t said;

static void add_lock(struct shim_text *text, uint32_t id)
{
	const struct dt_lock *lock = dt_facts_lock(facts, id);
	static const char *const kinds[DT_LOCK_KINDS] = {
	    [DT_LOCK_MUTEX] = "mutex ",    [DT_LOCK_RWLOCK] = "rwlock ", [DT_LOCK_SPIN] = "spinlock ",
	    [DT_LOCK_COND] = "condition ", [DT_LOCK_SEM] = "semaphore ", [DT_LOCK_BARRIER] = "barrier ",
	    [DT_LOCK_ONCE] = "once ",
	};
	if (!lock)
		return;
	if (kinds[lock->kind])
		shim_text_add(text, kinds[lock->kind]);
	shim_names_add_data(text, lock->made->address);
}

static void add_stack(struct shim_text *text, uint32_t id)
{
	const struct dt_stack *stack = dt_facts_stack(facts, id);
	for (uint32_t i = 0; stack && i < stack->count && i < 8; i++) {
		shim_text_add(text, "libdetect:       ");
		shim_names_add_code(text, stack->pc[i]);
		shim_text_add(text, "\n");
	}
}

static void add_event(struct shim_text *text, const struct dt_event *event)
{
	shim_text_add(text, "libdetect:   thread ");
	shim_text_number(text, event->thread);
	const struct dt_thread *thread = dt_facts_thread(facts, event->thread);
	if (thread && thread->name) {
		shim_text_add(text, " ");
		shim_text_add(text, thread->name);
	}
	shim_text_add(text, " ");
	shim_text_add(text, dt_event_name(event->kind));
	shim_text_add(text, "s ");
	if (event->op == DT_OP_JOIN) {
		shim_text_add(text, "for thread ");
		shim_text_number(text, event->other_thread);
	} else {
		add_lock(text, event->lock);
	}
	if (event->handler) {
		shim_text_add(text, " in the handler of ");
		shim_text_add(text, dt_signal_name(event->handler));
	}
	if (event->interruptible) {
		shim_text_add(text, " with this signal not blocked: ");
		shim_text_add(text, dt_signal_name(event->interruptible));
	}
	shim_text_add(text, "\n");
	add_stack(text, event->stack);
}

static void say_finding(void *unused, const struct dt_finding *finding)
{
	(void)unused;
	/* What happened was said when it did (incident.c). */
	if (finding->filtered || finding->happened || finding->level < DT_LEVEL_WARNING || said >= SAID_MAX)
		return;
	said++;
	static char buffer[LINES_BYTES];
	struct shim_text text = {buffer, 0, sizeof buffer - 1};
	shim_text_add(&text,
	              finding->level == DT_LEVEL_ERROR ? "libdetect: error: " : "libdetect: warning: ");
	shim_text_add(&text, dt_rules[finding->rule].name);
	shim_text_add(&text, ": ");
	shim_text_add(&text, dt_rules[finding->rule].summary);
	shim_text_add(&text, "\n");
	for (uint32_t i = 0; i < finding->event_count; i++)
		add_event(&text, &finding->events[i]);
	if (*shim_options.log_dir) {
		shim_text_add(&text, "libdetect:   names, lines and all stacks: detect report ");
		shim_text_add(&text, shim_options.log_dir);
		shim_text_add(&text, "\n");
	}
	shim_text_write(&text);
}

static bool begin(void)
{
	shim_arena_init(&arena, MEMORY_MAX);
	cursor = DT_LOG_HEADER_BYTES;
	said = 0;
	if (dt_facts_new(&facts, &arena.alloc) != DT_OK)
		return false;
	dt_facts_set_header(facts, shim_log_header());
	static const struct dt_check_options options;
	for (int i = 0; dt_checks[i]; i++) {
		if (i == CHECKS_MAX ||
		    dt_checks[i]->open(&checks[i], facts, &arena.alloc, &options, say_finding, NULL) != DT_OK)
			return false;
	}
	return true;
}

/* The next finished record, or NULL. */
static const struct dt_rec *next_record(void)
{
	const struct dt_log_header *header = shim_log_header();
	if (cursor + sizeof(struct dt_rec) > __atomic_load_n(&header->tail_bytes, __ATOMIC_ACQUIRE))
		return NULL;
	const struct dt_rec *rec = (const void *)((const char *)header + cursor);
	uint64_t head_bits = __atomic_load_n((const uint64_t *)rec, __ATOMIC_ACQUIRE);
	struct dt_rec head;
	memcpy(&head, &head_bits, sizeof head);
	if (head.type == DT_REC_RESERVED)
		return NULL;
	cursor += (uint64_t)head.words * 8;
	return rec;
}

/* Add what the log got and let the checks see the sightings in it. */
static bool catch_up(void)
{
	uint64_t from = cursor;
	const struct dt_rec *rec;
	/* Figures and intervals are for the reporter. */
	while ((rec = next_record()))
		if (rec->type != DT_REC_STAT && rec->type != DT_REC_INTERVAL &&
		    dt_facts_add(facts, rec, (size_t)rec->words * 8) == DT_ERR_NOMEM)
			return false;
	if (cursor == from)
		return true;
	if (dt_facts_settle(facts) != DT_OK || dt_facts_acq_count(facts) > ACQS_MAX)
		return false;
	for (uint64_t at = from; at < cursor;) {
		rec = (const void *)((const char *)shim_log_header() + at);
		at += (uint64_t)rec->words * 8;
		if (rec->type != DT_REC_SIGHTING)
			continue;
		const struct dt_rec_sighting *sighting = (const void *)rec;
		for (int i = 0; dt_checks[i]; i++)
			if (dt_checks[i]->feed && dt_checks[i]->feed(checks[i], sighting->acq, sighting->segment) != DT_OK)
				return false;
	}
	return true;
}

void shim_online_feed(void)
{
	if (!shim_options.online || atomic_load_explicit(&stopped, memory_order_relaxed))
		return;
	if (atomic_fetch_add(&marks, 1) != 0)
		return;
	uint32_t seen;
	do {
		seen = atomic_load(&marks);
		if ((facts || begin()) && catch_up())
			continue;
		atomic_store(&stopped, true);
		shim_log_count(DT_COUNT_ONLINE_STOPPED, 1);
	} while (!atomic_compare_exchange_strong(&marks, &seen, 0) && !atomic_load(&stopped));
}

void shim_online_finish(void)
{
	if (!facts || atomic_load(&stopped) || atomic_fetch_add(&marks, 1) != 0)
		return;
	if (catch_up())
		for (int i = 0; dt_checks[i]; i++)
			dt_checks[i]->finish(checks[i]);
	/* The marks stay: there is nobody to say more to. */
}

void shim_online_forked(void)
{
	facts = NULL;
	atomic_store(&marks, 0);
}
