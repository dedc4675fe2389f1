/* Everything read is small rows of numbers, sorted by key, so that a key is found by bisection; names and
 * frames are read when a finding asks for them. */
#include "merged_facts.h"

#include <stdlib.h>
#include <string.h>

#include "finding_json.h"
#include "merge_ids.h"
#include "merged_order.h"
#include "names.h"
#include "say.h"

#define NO_ROLE UINT32_MAX
#define SEEN_MAX 16 /* sightings kept of an acquisition: by different threads first */

struct acq {
	int64_t key, parent, lock, stack;
	uint8_t op, mode, wait;
};

struct lock {
	int64_t key;
	struct report_lock named;
	uint32_t kind, flags, units;
	bool plural;
};

struct role {
	int64_t key;
	const char *start;
	int64_t created;
	bool plural;
};

/* A thread of the facts: a role's one, or a run's. */
struct thread {
	uint32_t id, role, in_run;
	int64_t run;
};

struct seen {
	int64_t run;
	uint32_t thread, in_run, role, phase;
};

struct sighting {
	uint32_t acq, thread, segment;
	int64_t run;
};

#define LIST(type)                                                                                           \
	struct {                                                                                             \
		type *at;                                                                                    \
		size_t count, room;                                                                          \
	}
#define PUSH(list)                                                                                           \
	((list)->count < (list)->room                                                                        \
	     ? 0                                                                                             \
	     : ((list)->room = (list)->room ? 2 * (list)->room : 64,                                         \
	        (list)->at = must_realloc((list)->at, (list)->room, sizeof(*(list)->at)), 0),                \
	 memset(&(list)->at[(list)->count], 0, sizeof(*(list)->at)), &(list)->at[(list)->count++])

struct merged_facts {
	struct store *store;
	struct arena *arena;
	struct dt_facts *facts;
	LIST(struct acq) acqs;
	LIST(struct lock) locks;
	LIST(struct role) roles;
	LIST(struct thread) threads;
	LIST(int64_t) stacks;    /* keys of those that acquisitions have */
	LIST(struct seen) group; /* of one acquisition */
	LIST(struct sighting) sightings;
	int64_t group_acq;
	struct merge_id *phase_ids, *thread_ids; /* thread_ids: by what they are made of */
	struct merged_order *order;
	struct sighting **by_want; /* sightings by lock and stack, made when asked */
};

static int compare_keys(const void *left, const void *right)
{
	int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

	return (a > b) - (a < b);
}

/* Index + 1 of the row with this key, of rows that begin with theirs; 0: none. */
static uint32_t find_row(const void *rows, size_t count, size_t each, int64_t key)
{
	const char *found = count ? bsearch(&key, rows, count, each, compare_keys) : NULL;

	return found ? (uint32_t)((size_t)(found - (const char *)rows) / each) + 1 : 0;
}

#define FIND(list, key) find_row((list)->at, (list)->count, sizeof(*(list)->at), key)

static void take_lock(void *context, const struct store_row *row)
{
	struct merged_facts *facts = context;
	struct lock *lock = PUSH(&facts->locks);
	enum dt_lock_kind kind = (enum dt_lock_kind)row->values[1].number;
	const char *name = row->values[4].text, *class_name = row->values[5].text;

	lock->key = row->values[0].number;
	lock->kind = (uint32_t)row->values[1].number;
	lock->flags = (uint32_t)row->values[2].number;
	lock->units = (uint32_t)row->values[3].number;
	lock->plural = row->values[7].number != 0;
	lock->named = (struct report_lock){
	    .id = (uint32_t)facts->locks.count,
	    .name = arena_copy(facts->arena, name ? name : "lock"),
	    .class_name = arena_copy(facts->arena, class_name ? class_name : "lock"),
	    .kind = names_kind(kind),
	    .kind_words = names_kind_words(kind),
	    .origin = arena_copy(facts->arena, row->values[6].text),
	};
}

static void take_role(void *context, const struct store_row *row)
{
	struct merged_facts *facts = context;
	struct role *role = PUSH(&facts->roles);

	role->key = row->values[0].number;
	role->start = arena_copy(facts->arena, row->values[1].text);
	role->created = row->values[2].number;
	role->plural = row->values[3].number != 0;
}

static void take_phase(void *context, const struct store_row *row)
{
	struct merged_facts *facts = context;
	uint32_t id = merged_order_add_phase(facts->order);
	const char *text = row->values[1].text ? row->values[1].text : "";

	merge_ids_add(&facts->phase_ids, facts->arena, row->values[0].number, id + 1);
	while (*text) {
		char *end;
		int64_t key = strtoll(text, &end, 10);
		uint32_t role = FIND(&facts->roles, key);
		if (role && *end == ':')
			merged_order_set(facts->order, id, role - 1, end[1]);
		text = end + strcspn(end, " ");
		text += strspn(text, " ");
	}
}

static void take_acq(void *context, const struct store_row *row)
{
	struct merged_facts *facts = context;
	struct acq *acq = PUSH(&facts->acqs);

	acq->key = row->values[0].number;
	acq->parent = row->values[1].number;
	acq->lock = row->values[2].number;
	acq->stack = row->values[3].number;
	acq->op = (uint8_t)row->values[4].number;
	acq->mode = (uint8_t)row->values[5].number;
	acq->wait = (uint8_t)row->values[6].number;
}

static bool is_main_role(const struct role *role)
{
	return !role->plural && role->start && strcmp(role->start, "main") == 0;
}

/* The thread of the facts that a thread of a run is. */
static uint32_t thread_id(struct merged_facts *facts, const struct seen *seen)
{
	bool plural = facts->roles.at[seen->role].plural;
	int64_t made_of[3] = {seen->role, plural ? seen->run : 0, plural ? seen->in_run : 0};
	int64_t key = (int64_t)((uint64_t)made_of[0] * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)made_of[1]) +
	              made_of[2];
	struct merge_id *known = merge_ids_find(facts->thread_ids, key);

	if (known)
		return (uint32_t)known->key;
	if (facts->threads.count == 0)
		PUSH(&facts->threads)->role = NO_ROLE; /* 1 is the main thread's, if there is one */
	bool is_main = is_main_role(&facts->roles.at[seen->role]);
	struct thread *thread = is_main ? facts->threads.at : PUSH(&facts->threads);
	*thread = (struct thread){.id = is_main ? 1 : (uint32_t)facts->threads.count,
	                          .role = seen->role,
	                          .in_run = seen->in_run,
	                          .run = plural ? seen->run : 0};
	merge_ids_add(&facts->thread_ids, facts->arena, key, thread->id);
	return thread->id;
}

/* Keep a thread's first sighting in each segment, new threads first, up to SEEN_MAX. */
static void keep_sightings(struct merged_facts *facts, uint32_t acq)
{
	size_t first = facts->sightings.count;

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < facts->group.count && facts->sightings.count - first < SEEN_MAX; i++) {
			const struct seen *seen = &facts->group.at[i];
			uint32_t segment =
			    merged_order_segment(facts->order, seen->thread, seen->role, seen->phase);
			bool known = false;
			for (size_t s = first; !known && s < facts->sightings.count; s++) {
				const struct sighting *other = &facts->sightings.at[s];
				known = other->thread == seen->thread &&
				        (pass == 0 || (other->segment == segment && other->run == seen->run));
			}
			if (known)
				continue;
			struct sighting *sighting = PUSH(&facts->sightings);
			*sighting = (struct sighting){acq, seen->thread, segment, seen->run};
		}
}

static void end_group(struct merged_facts *facts)
{
	uint32_t acq = FIND(&facts->acqs, facts->group_acq);

	if (acq && facts->group.count) {
		merged_order_begin_group(facts->order);
		for (size_t i = 0; i < facts->group.count; i++)
			merged_order_join(facts->order, facts->group.at[i].role, facts->group.at[i].phase);
		for (size_t i = 0; i < facts->group.count; i++)
			facts->group.at[i].phase = merged_order_complete(
			    facts->order, facts->group.at[i].role, facts->group.at[i].phase);
		keep_sightings(facts, acq);
	}
	facts->group.count = 0;
}

static void take_seen(void *context, const struct store_row *row)
{
	struct merged_facts *facts = context;
	uint32_t role = FIND(&facts->roles, row->values[3].number);
	int64_t phase = merge_ids_key(facts->phase_ids, row->values[4].number);

	if (row->values[1].number != facts->group_acq) {
		end_group(facts);
		facts->group_acq = row->values[1].number;
	}
	if (!role || !phase)
		return;
	struct seen *seen = PUSH(&facts->group);
	*seen = (struct seen){
	    .run = row->values[0].number,
	    .in_run = (uint32_t)row->values[2].number,
	    .role = role - 1,
	    .phase = (uint32_t)phase - 1,
	};
	seen->thread = thread_id(facts, seen);
}

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
	for (size_t i = 0; i < facts->locks.count; i++) {
		const struct lock *lock = &facts->locks.at[i];
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
	size_t kept = 0;

	for (size_t i = 0; i < facts->acqs.count; i++)
		*PUSH(&facts->stacks) = facts->acqs.at[i].stack;
	if (facts->stacks.count)
		qsort(facts->stacks.at, facts->stacks.count, sizeof(int64_t), compare_keys);
	for (size_t i = 0; i < facts->stacks.count; i++)
		if (facts->stacks.at[i] && (kept == 0 || facts->stacks.at[i] != facts->stacks.at[kept - 1]))
			facts->stacks.at[kept++] = facts->stacks.at[i];
	facts->stacks.count = kept;
	for (size_t i = 0; i < kept; i++) {
		memset(&record, 0, sizeof(record));
		record.stack.id = (uint32_t)i + 1;
		record.stack.count = record.stack.exact = 1;
		record.pc = i + 1;
		add_record(facts, DT_REC_STACK, 0, &record, sizeof(record));
	}
}

static void add_acqs(struct merged_facts *facts)
{
	for (size_t i = 0; i < facts->acqs.count; i++) {
		const struct acq *acq = &facts->acqs.at[i];
		struct dt_rec_acq record = {
		    .id = (uint32_t)i + 1,
		    .parent = acq->parent ? FIND(&facts->acqs, acq->parent) : 0,
		    .lock = FIND(&facts->locks, acq->lock),
		    .stack = FIND(&facts->stacks, acq->stack),
		    .op = acq->op,
		    .mode = acq->mode,
		    .wait = acq->wait,
		};
		if (record.lock && (record.parent || !acq->parent))
			add_record(facts, DT_REC_ACQ, 0, &record, sizeof(record));
	}
}

static void add_thread(struct merged_facts *facts, const struct thread *thread)
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
	for (size_t i = 0; i < facts->sightings.count; i++) {
		struct sighting *sighting = &facts->sightings.at[i];
		struct dt_rec_sighting record = {
		    .acq = sighting->acq, .segment = merged_order_number(facts->order, sighting->segment)};
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
	for (size_t i = 0; i < facts->threads.count; i++)
		if (facts->threads.at[i].role != NO_ROLE)
			add_thread(facts, &facts->threads.at[i]);
	merged_order_lay_out(facts->order, add_segment, facts);
	add_sightings(facts);
	if (dt_facts_settle(facts->facts) != DT_OK)
		say_out_of_memory();
}

char *merged_facts_open(struct merged_facts **out, struct store *store, struct arena *arena)
{
	struct merged_facts *facts = must_realloc(NULL, 1, sizeof(*facts));
	char *why;

	*facts = (struct merged_facts){.store = store, .arena = arena};
	why = store_read(store, STORE_LOCK, NULL, take_lock, facts);
	if (!why)
		why = store_read(store, STORE_ROLE, NULL, take_role, facts);
	facts->order = merged_order_open((uint32_t)facts->roles.count);
	if (!why)
		why = store_read(store, STORE_PHASE, NULL, take_phase, facts);
	if (!why)
		why = store_read(store, STORE_ACQ, NULL, take_acq, facts);
	if (!why && facts->acqs.count >= DT_ID_MAX)
		why = must_printf("%zu acquisitions: more than %u can't be analysed at once",
		                  facts->acqs.count, DT_ID_MAX);
	if (!why)
		why = store_read(store, STORE_SEEN, NULL, take_seen, facts);
	end_group(facts);
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
	merged_order_close(facts->order);
	merge_ids_free(&facts->phase_ids);
	merge_ids_free(&facts->thread_ids);
	free(facts->acqs.at);
	free(facts->locks.at);
	free(facts->roles.at);
	free(facts->threads.at);
	free(facts->stacks.at);
	free(facts->group.at);
	free(facts->sightings.at);
	free(facts->by_want);
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
	struct frames frames = {.arena = facts->arena};
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

	return read_stack(facts, id && id <= facts->stacks.count ? facts->stacks.at[id - 1] : 0);
}

static struct report_lock source_lock(void *context, uint32_t id)
{
	struct merged_facts *facts = context;

	if (id && id <= facts->locks.count)
		return facts->locks.at[id - 1].named;
	return (struct report_lock){
	    .id = id, .name = "lock", .class_name = "lock", .kind = "unknown", .kind_words = "lock"};
}

static struct report_thread source_thread(void *context, uint32_t id)
{
	struct merged_facts *facts = context;
	struct report_thread thread = {.id = id};

	if (id == 0 || id > facts->threads.count || facts->threads.at[id - 1].role == NO_ROLE)
		return thread;
	const struct role *role = &facts->roles.at[facts->threads.at[id - 1].role];
	thread.start = is_main_role(role) ? NULL : role->start;
	thread.created = read_stack(facts, role->created);
	return thread;
}

struct resolve_source merged_facts_source(struct merged_facts *facts)
{
	return (struct resolve_source){
	    .context = facts, .stack = source_stack, .lock = source_lock, .thread = source_thread};
}

static int compare_wants(const void *left, const void *right, void *context)
{
	const struct merged_facts *facts = context;
	const struct sighting *a = *(struct sighting *const *)left, *b = *(struct sighting *const *)right;
	const struct acq *x = &facts->acqs.at[a->acq - 1], *y = &facts->acqs.at[b->acq - 1];

	if (x->lock != y->lock)
		return x->lock < y->lock ? -1 : 1;
	if (x->stack != y->stack)
		return x->stack < y->stack ? -1 : 1;
	return (a > b) - (a < b);
}

static void sort_by_want(struct merged_facts *facts)
{
	facts->by_want = must_realloc(NULL, facts->sightings.count + 1, sizeof(*facts->by_want));
	for (size_t i = 0; i < facts->sightings.count; i++)
		facts->by_want[i] = &facts->sightings.at[i];
	if (facts->sightings.count)
		qsort_r(facts->by_want, facts->sightings.count, sizeof(*facts->by_want), compare_wants,
		        facts);
}

static bool holds(const struct merged_facts *facts, const struct acq *acq, int64_t lock, int64_t stack)
{
	for (uint32_t up = FIND(&facts->acqs, acq->parent); up; up = FIND(&facts->acqs, acq->parent)) {
		acq = &facts->acqs.at[up - 1];
		if (acq->lock == lock && acq->stack == stack)
			return true;
	}
	return false;
}

/* Index of the first sighting that does not come before a want of `lock` at `stack`. */
static size_t first_want(const struct merged_facts *facts, int64_t lock, int64_t stack)
{
	size_t low = 0, high = facts->sightings.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct acq *acq = &facts->acqs.at[facts->by_want[middle]->acq - 1];
		if (acq->lock < lock || (acq->lock == lock && acq->stack < stack))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int64_t lock_of(const struct merged_facts *facts, uint32_t id)
{
	return id && id <= facts->locks.count ? facts->locks.at[id - 1].key : 0;
}

static int64_t stack_of(const struct merged_facts *facts, uint32_t id)
{
	return id && id <= facts->stacks.count ? facts->stacks.at[id - 1] : 0;
}

size_t merged_facts_runs(struct merged_facts *facts, const struct dt_event *hold, const struct dt_event *want,
                         int64_t *runs, size_t most)
{
	int64_t lock = lock_of(facts, want->lock), stack = stack_of(facts, want->stack);
	int64_t held = lock_of(facts, hold->lock), hold_stack = stack_of(facts, hold->stack);
	size_t count = 0;

	if (!facts->by_want)
		sort_by_want(facts);
	for (size_t i = first_want(facts, lock, stack); i < facts->sightings.count && count < most; i++) {
		const struct sighting *sighting = facts->by_want[i];
		const struct acq *acq = &facts->acqs.at[sighting->acq - 1];
		bool known = false;

		if (acq->lock != lock || acq->stack != stack)
			break;
		if (sighting->thread != want->thread || !holds(facts, acq, held, hold_stack))
			continue;
		for (size_t r = 0; r < count; r++)
			known |= runs[r] == sighting->run;
		if (!known)
			runs[count++] = sighting->run;
	}
	return count;
}
