/* The rows as records of a log, which the engine reads. Names and frames are read when a finding asks for
 * them. */
#include "merged_facts.h"

#include <stdlib.h>
#include <string.h>

#include "finding_json.h"
#include "merged_rows.h"
#include "merged_runs.h"
#include "say.h"

struct merged_facts {
	struct store *store;
	struct dt_facts *facts;
	struct merged_rows rows;
	struct merged_runs *runs; /* made when asked */
};

static void add_record(struct merged_facts *facts, enum dt_rec_type type, uint32_t flags, void *record,
                       size_t bytes)
{
	struct dt_rec *head = record;

	*head = (struct dt_rec){(uint16_t)type, (uint16_t)flags, (uint32_t)(bytes / 8)};
	if (dt_facts_add(facts->facts, head, bytes) == DT_ERR_NOMEM)
		say_out_of_memory();
}

static void add_locks(struct merged_facts *facts)
{
	for (size_t i = 0; i < facts->rows.locks.count; i++) {
		const struct merged_lock *lock = &facts->rows.locks.at[i];
		struct dt_rec_lock record = {
		    .id = (uint32_t)i + 1,
		    .kind = (uint8_t)lock->kind,
		    .place = DT_PLACE_UNKNOWN,
		    .units = (uint16_t)lock->units,
		    .address = 0x1000 + 64 * i,
		};
		add_record(facts, DT_REC_LOCK, lock->flags | (lock->plural ? DT_LOCK_CLASS : 0), &record,
		           sizeof(record));
	}
}

static void add_stacks(struct merged_facts *facts)
{
	struct {
		struct dt_rec_stack stack;
		uint64_t pc;
	} record;

	for (size_t i = 0; i < facts->rows.stacks.count; i++) {
		memset(&record, 0, sizeof(record));
		record.stack.id = (uint32_t)i + 1;
		record.stack.count = record.stack.exact = 1;
		record.pc = i + 1;
		add_record(facts, DT_REC_STACK, 0, &record, sizeof(record));
	}
}

static void add_acqs(struct merged_facts *facts)
{
	for (size_t i = 0; i < facts->rows.acqs.count; i++) {
		const struct merged_acq *acq = &facts->rows.acqs.at[i];
		struct dt_rec_acq record = {
		    .id = (uint32_t)i + 1,
		    .parent = acq->parent ? FIND(&facts->rows.acqs, acq->parent) : 0,
		    .lock = FIND(&facts->rows.locks, acq->lock),
		    .stack = FIND(&facts->rows.stacks, acq->stack),
		    .op = acq->op,
		    .mode = acq->mode,
		    .wait = acq->wait,
		};
		if (record.lock && (record.parent || !acq->parent))
			add_record(facts, DT_REC_ACQ, 0, &record, sizeof(record));
	}
}

static void add_thread(struct merged_facts *facts, const struct merged_thread *thread)
{
	struct dt_rec_thread record = {.id = thread->id, .first_segment = 0};

	add_record(facts, DT_REC_THREAD, 0, &record, sizeof(record));
}

static void add_segment(void *context, uint32_t id, uint32_t thread, uint32_t pred)
{
	struct dt_rec_segment record = {.id = id, .thread = thread, .pred = pred};

	add_record(context, DT_REC_SEGMENT, 0, &record, sizeof(record));
}

static void add_sightings(struct merged_facts *facts)
{
	for (size_t i = 0; i < facts->rows.sightings.count; i++) {
		struct merged_sighting *sighting = &facts->rows.sightings.at[i];
		struct dt_rec_sighting record = {
		    .acq = sighting->acq,
		    .segment = merged_order_number(facts->rows.order, sighting->segment)};
		add_record(facts, DT_REC_SIGHTING, 0, &record, sizeof(record));
	}
}

static void build(struct merged_facts *facts)
{
	if (dt_facts_new(&facts->facts, &dt_alloc_libc) != DT_OK)
		say_out_of_memory();
	add_locks(facts);
	add_stacks(facts);
	add_acqs(facts);
	for (size_t i = 0; i < facts->rows.threads.count; i++)
		if (facts->rows.threads.at[i].role != NO_ROLE)
			add_thread(facts, &facts->rows.threads.at[i]);
	merged_order_lay_out(facts->rows.order, add_segment, facts);
	add_sightings(facts);
	if (dt_facts_settle(facts->facts) != DT_OK)
		say_out_of_memory();
}

char *merged_facts_open(struct merged_facts **out, struct store *store, struct arena *arena)
{
	struct merged_facts *facts = must_realloc(NULL, 1, sizeof(*facts));

	*facts = (struct merged_facts){.store = store};
	char *why = merged_rows_read(&facts->rows, store, arena);
	if (why) {
		merged_facts_close(facts);
		return why;
	}
	build(facts);
	*out = facts;
	return NULL;
}

void merged_facts_close(struct merged_facts *facts)
{
	if (!facts)
		return;
	dt_facts_free(facts->facts);
	merged_runs_close(facts->runs);
	merged_rows_close(&facts->rows);
	free(facts);
}

struct dt_facts *merged_facts_get(const struct merged_facts *facts)
{
	return facts->facts;
}

struct frames {
	struct arena *arena;
	struct report_stack stack;
};

static void take_frames(void *context, const struct store_row *row)
{
	struct frames *frames = context;
	json_t *json = row->values[1].text ? json_loads(row->values[1].text, 0, NULL) : NULL;

	frames->stack = finding_json_read_stack(frames->arena, json);
	json_decref(json);
}

static struct report_stack read_stack(struct merged_facts *facts, int64_t key)
{
	struct frames frames = {.arena = facts->rows.arena};
	char *where = must_printf("id = %lld", (long long)key);
	char *why = key ? store_read(facts->store, STORE_STACK, where, take_frames, &frames) : NULL;

	if (why)
		say("%s", why); /* the finding stays, without these frames */
	free(why);
	free(where);
	return frames.stack;
}

static struct report_stack source_stack(void *context, uint32_t id)
{
	struct merged_facts *facts = context;

	return read_stack(facts, id && id <= facts->rows.stacks.count ? facts->rows.stacks.at[id - 1] : 0);
}

static struct report_lock source_lock(void *context, uint32_t id)
{
	struct merged_facts *facts = context;

	if (id && id <= facts->rows.locks.count)
		return facts->rows.locks.at[id - 1].named;
	return (struct report_lock){
	    .id = id, .name = "lock", .class_name = "lock", .kind = "unknown", .kind_words = "lock"};
}

static struct report_thread source_thread(void *context, uint32_t id)
{
	struct merged_facts *facts = context;
	struct report_thread thread = {.id = id};

	if (id == 0 || id > facts->rows.threads.count || facts->rows.threads.at[id - 1].role == NO_ROLE)
		return thread;
	const struct merged_role *role = &facts->rows.roles.at[facts->rows.threads.at[id - 1].role];
	thread.start = merged_rows_is_main(role) ? NULL : role->start;
	thread.created = read_stack(facts, role->created);
	return thread;
}

struct resolve_source merged_facts_source(struct merged_facts *facts)
{
	return (struct resolve_source){
	    .context = facts, .stack = source_stack, .lock = source_lock, .thread = source_thread};
}

size_t merged_facts_runs(struct merged_facts *facts, const struct dt_event *hold, const struct dt_event *want,
                         int64_t *runs, size_t most)
{
	if (!facts->runs)
		facts->runs = merged_runs_open(&facts->rows);
	return merged_runs_find(facts->runs, hold, want, runs, most);
}
