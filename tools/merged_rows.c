/* Rows come in the order of their keys; what several runs saw of one acquisition comes together, and is kept
 * up to a bound. */
#include "merged_rows.h"

#include <stdlib.h>

#include "merge_ids.h"
#include "names.h"

#define SEEN_MAX 16 /* sightings kept of an acquisition: by different threads first */

struct seen {
	int64_t run;
	uint32_t thread, in_run, role, phase;
};

struct reader {
	struct merged_rows *rows;
	LIST(struct seen) group; /* of one acquisition */
	int64_t group_acq;
	struct merge_id *phase_ids, *thread_ids; /* thread_ids: by what they are made of */
};

static int compare_keys(const void *left, const void *right)
{
	int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

	return (a > b) - (a < b);
}

uint32_t merged_rows_find(const void *rows, size_t count, size_t each, int64_t key)
{
	const char *found = count ? bsearch(&key, rows, count, each, compare_keys) : NULL;

	return found ? (uint32_t)((size_t)(found - (const char *)rows) / each) + 1 : 0;
}

static void take_lock(void *context, const struct store_row *row)
{
	struct reader *reader = context;
	struct merged_rows *rows = reader->rows;
	struct merged_lock *lock = PUSH(&rows->locks);
	enum dt_lock_kind kind = (enum dt_lock_kind)row->values[1].number;
	const char *name = row->values[4].text, *class_name = row->values[5].text;

	lock->key = row->values[0].number;
	lock->kind = (uint32_t)row->values[1].number;
	lock->flags = (uint32_t)row->values[2].number;
	lock->units = (uint32_t)row->values[3].number;
	lock->plural = row->values[7].number != 0;
	lock->named = (struct report_lock){
	    .id = (uint32_t)rows->locks.count,
	    .name = arena_copy(rows->arena, name ? name : "lock"),
	    .class_name = arena_copy(rows->arena, class_name ? class_name : "lock"),
	    .kind = names_kind(kind),
	    .kind_words = names_kind_words(kind),
	    .origin = arena_copy(rows->arena, row->values[6].text),
	};
}

static void take_role(void *context, const struct store_row *row)
{
	struct reader *reader = context;
	struct merged_rows *rows = reader->rows;
	struct merged_role *role = PUSH(&rows->roles);

	role->key = row->values[0].number;
	role->start = arena_copy(rows->arena, row->values[1].text);
	role->created = row->values[2].number;
	role->plural = row->values[3].number != 0;
}

static void take_phase(void *context, const struct store_row *row)
{
	struct reader *reader = context;
	struct merged_rows *rows = reader->rows;
	uint32_t id = merged_order_add_phase(rows->order);
	const char *text = row->values[1].text ? row->values[1].text : "";

	merge_ids_add(&reader->phase_ids, rows->arena, row->values[0].number, id + 1);
	while (*text) {
		char *end;
		int64_t key = strtoll(text, &end, 10);
		uint32_t role = FIND(&rows->roles, key);
		if (role && *end == ':')
			merged_order_set(rows->order, id, role - 1, end[1]);
		text = end + strcspn(end, " ");
		text += strspn(text, " ");
	}
}

static void take_acq(void *context, const struct store_row *row)
{
	struct reader *reader = context;
	struct merged_rows *rows = reader->rows;
	struct merged_acq *acq = PUSH(&rows->acqs);

	acq->key = row->values[0].number;
	acq->parent = row->values[1].number;
	acq->lock = row->values[2].number;
	acq->stack = row->values[3].number;
	acq->op = (uint8_t)row->values[4].number;
	acq->mode = (uint8_t)row->values[5].number;
	acq->wait = (uint8_t)row->values[6].number;
}

bool merged_rows_is_main(const struct merged_role *role)
{
	return !role->plural && role->start && strcmp(role->start, "main") == 0;
}

/* The thread of the facts that a thread of a run is. */
static uint32_t thread_id(struct reader *reader, const struct seen *seen)
{
	struct merged_rows *rows = reader->rows;
	bool plural = rows->roles.at[seen->role].plural;
	int64_t made_of[3] = {seen->role, plural ? seen->run : 0, plural ? seen->in_run : 0};
	int64_t key = (int64_t)((uint64_t)made_of[0] * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)made_of[1]) +
	              made_of[2];
	struct merge_id *known = merge_ids_find(reader->thread_ids, key);

	if (known)
		return (uint32_t)known->key;
	if (rows->threads.count == 0)
		PUSH(&rows->threads)->role = NO_ROLE; /* 1 is the main thread's, if there is one */
	bool is_main = merged_rows_is_main(&rows->roles.at[seen->role]);
	struct merged_thread *thread = is_main ? rows->threads.at : PUSH(&rows->threads);
	*thread = (struct merged_thread){.id = is_main ? 1 : (uint32_t)rows->threads.count,
	                                 .role = seen->role,
	                                 .in_run = seen->in_run,
	                                 .run = plural ? seen->run : 0};
	merge_ids_add(&reader->thread_ids, rows->arena, key, thread->id);
	return thread->id;
}

/* Keep a thread's first sighting in each segment, new threads first, up to SEEN_MAX. */
static void keep_sightings(struct reader *reader, uint32_t acq)
{
	struct merged_rows *rows = reader->rows;
	size_t first = rows->sightings.count;

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < reader->group.count && rows->sightings.count - first < SEEN_MAX; i++) {
			const struct seen *seen = &reader->group.at[i];
			uint32_t segment =
			    merged_order_segment(rows->order, seen->thread, seen->role, seen->phase);
			bool known = false;
			for (size_t s = first; !known && s < rows->sightings.count; s++) {
				const struct merged_sighting *other = &rows->sightings.at[s];
				known = other->thread == seen->thread &&
				        (pass == 0 || (other->segment == segment && other->run == seen->run));
			}
			if (known)
				continue;
			struct merged_sighting *sighting = PUSH(&rows->sightings);
			*sighting = (struct merged_sighting){acq, seen->thread, segment, seen->run};
		}
}

static void end_group(struct reader *reader)
{
	struct merged_rows *rows = reader->rows;
	uint32_t acq = FIND(&rows->acqs, reader->group_acq);

	if (acq && reader->group.count) {
		merged_order_begin_group(rows->order);
		for (size_t i = 0; i < reader->group.count; i++)
			merged_order_join(rows->order, reader->group.at[i].role, reader->group.at[i].phase);
		for (size_t i = 0; i < reader->group.count; i++)
			reader->group.at[i].phase = merged_order_complete(
			    rows->order, reader->group.at[i].role, reader->group.at[i].phase);
		keep_sightings(reader, acq);
	}
	reader->group.count = 0;
}

static void take_seen(void *context, const struct store_row *row)
{
	struct reader *reader = context;
	struct merged_rows *rows = reader->rows;
	uint32_t role = FIND(&rows->roles, row->values[3].number);
	int64_t phase = merge_ids_key(reader->phase_ids, row->values[4].number);

	if (row->values[1].number != reader->group_acq) {
		end_group(reader);
		reader->group_acq = row->values[1].number;
	}
	if (!role || !phase)
		return;
	struct seen *seen = PUSH(&reader->group);
	*seen = (struct seen){
	    .run = row->values[0].number,
	    .in_run = (uint32_t)row->values[2].number,
	    .role = role - 1,
	    .phase = (uint32_t)phase - 1,
	};
	seen->thread = thread_id(reader, seen);
}

/* Each once, sorted. */
static void list_stacks(struct merged_rows *rows)
{
	size_t kept = 0;

	for (size_t i = 0; i < rows->acqs.count; i++)
		*PUSH(&rows->stacks) = rows->acqs.at[i].stack;
	if (rows->stacks.count)
		qsort(rows->stacks.at, rows->stacks.count, sizeof(int64_t), compare_keys);
	for (size_t i = 0; i < rows->stacks.count; i++)
		if (rows->stacks.at[i] && (kept == 0 || rows->stacks.at[i] != rows->stacks.at[kept - 1]))
			rows->stacks.at[kept++] = rows->stacks.at[i];
	rows->stacks.count = kept;
}

char *merged_rows_read(struct merged_rows *rows, struct store *store, struct arena *arena)
{
	struct reader reader = {.rows = rows};
	char *why;

	*rows = (struct merged_rows){.arena = arena};
	why = store_read(store, STORE_LOCK, NULL, take_lock, &reader);
	if (!why)
		why = store_read(store, STORE_ROLE, NULL, take_role, &reader);
	rows->order = merged_order_open((uint32_t)rows->roles.count);
	if (!why)
		why = store_read(store, STORE_PHASE, NULL, take_phase, &reader);
	if (!why)
		why = store_read(store, STORE_ACQ, NULL, take_acq, &reader);
	if (!why && rows->acqs.count >= DT_ID_MAX)
		why = must_printf("%zu acquisitions: more than %u can't be analysed at once",
		                  rows->acqs.count, DT_ID_MAX);
	if (!why)
		why = store_read(store, STORE_SEEN, NULL, take_seen, &reader);
	end_group(&reader);
	list_stacks(rows);
	merge_ids_free(&reader.phase_ids);
	merge_ids_free(&reader.thread_ids);
	free(reader.group.at);
	return why;
}

void merged_rows_close(struct merged_rows *rows)
{
	merged_order_close(rows->order);
	free(rows->acqs.at);
	free(rows->locks.at);
	free(rows->roles.at);
	free(rows->threads.at);
	free(rows->stacks.at);
	free(rows->sightings.at);
}
