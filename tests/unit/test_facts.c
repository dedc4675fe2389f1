/* The facts: what is kept, what is refused, what is left out, what comes before what, and what it all
 * costs when a log is large or means harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <detect/facts.h>

#include "cpu_time.h"
#include "failing_alloc.h"
#include "maker.h"

static void begin_with(struct maker *m, struct dt_alloc *alloc)
{
	memset(m, 0, sizeof *m);
	assert_int_equal(dt_facts_new(&m->facts, alloc), DT_OK);
}

static void settle(struct maker *m, uint64_t dangling)
{
	assert_int_equal(dt_facts_settle(m->facts), DT_OK);
	assert_int_equal(dt_facts_dangling(m->facts), dangling);
}

static uint32_t depth(struct maker *m, uint32_t acq)
{
	return dt_facts_acq(m->facts, acq)->depth;
}

/* With an id of one's own choice. */
static void add_acq(struct maker *m, uint32_t id, uint32_t parent, uint32_t lock)
{
	m->acqs = id - 1;
	assert_int_equal(maker_acq(m, parent, lock, 0), id);
}

static void add_id(struct maker *m, uint16_t type, uint32_t id, const char *name)
{
	struct {
		struct dt_rec_id rec;
		char name[16];
	} rec = {.rec = {.id = id}};

	if (name)
		strcpy(rec.name, name);
	maker_add(m, &rec, type, 0, name ? sizeof rec : sizeof rec.rec);
}

static void test_depths_in_any_order(void **state)
{
	struct maker m;

	(void)state;
	maker_begin(&m);
	add_acq(&m, 30, 20, 3);
	add_acq(&m, 20, 10, 2);
	add_acq(&m, 40, 20, 3);
	maker_lock(&m, 1, DT_LOCK_MUTEX, 0);
	maker_lock(&m, 2, DT_LOCK_MUTEX, 0);
	maker_lock(&m, 3, DT_LOCK_MUTEX, 0);
	settle(&m, 3);
	assert_int_equal(depth(&m, 30), 0);
	add_acq(&m, 10, 0, 1);
	settle(&m, 0);
	assert_int_equal(depth(&m, 10), 1);
	assert_int_equal(depth(&m, 20), 2);
	assert_int_equal(depth(&m, 30), 3);
	assert_int_equal(depth(&m, 40), 3);
	maker_end(&m);
}

static void test_what_hangs_in_the_air(void **state)
{
	struct maker m;

	(void)state;
	maker_begin(&m);
	maker_lock(&m, 1, DT_LOCK_MUTEX, 0);
	add_acq(&m, 1, 0, 1);
	add_acq(&m, 2, 99, 1); /* no such parent */
	add_acq(&m, 3, 2, 1);
	add_acq(&m, 4, 0, 77); /* no such lock */
	add_acq(&m, 5, 4, 1);
	add_acq(&m, 6, 7, 1); /* a circle, */
	add_acq(&m, 7, 8, 1);
	add_acq(&m, 8, 6, 1);
	add_acq(&m, 9, 6, 1); /* and one that hangs on it */
	add_acq(&m, 10, 1, 1);
	for (int again = 0; again < 2; again++) {
		settle(&m, 8);
		for (uint32_t id = 2; id <= 9; id++)
			assert_int_equal(depth(&m, id), 0);
		assert_int_equal(depth(&m, 1), 1);
		assert_int_equal(depth(&m, 10), 2);
	}
	/* A thread that is joined is no lock. */
	m.acqs = 10;
	uint32_t join = maker_acq_as(&m, 1, DT_OP_JOIN, 55, 0, DT_MODE_EXCLUSIVE, DT_WAIT_FOREVER);
	settle(&m, 8);
	assert_int_equal(depth(&m, join), 2);
	maker_end(&m);
}

/* Long chains that lead nowhere, or round and round, cost no more than others. */
static void test_long_chains(void **state)
{
	enum { LENGTH = 500000 };
	static const uint32_t ends[] = {0, LENGTH, LENGTH + 7};

	(void)state;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		struct maker m;
		maker_begin(&m);
		maker_lock(&m, 1, DT_LOCK_MUTEX, 0);
		for (uint32_t id = LENGTH; id > 0; id--)
			add_acq(&m, id, id == 1 ? ends[i] : id - 1, 1);
		double start = cpu_seconds();
		settle(&m, ends[i] ? LENGTH : 0);
		assert_true(cpu_seconds() - start < ENDS_WITHIN);
		assert_int_equal(depth(&m, LENGTH), ends[i] ? 0 : LENGTH);
		maker_end(&m);
	}
}

static void test_records_that_come_early(void **state)
{
	struct maker m;

	(void)state;
	maker_begin(&m);
	maker_see(&m, 1, 1);
	maker_see(&m, 1, 2);
	add_id(&m, DT_REC_THREAD_NAME, 7, "first");
	add_id(&m, DT_REC_THREAD_NAME, 7, "second");
	add_id(&m, DT_REC_THREAD_END, 7, NULL);
	add_id(&m, DT_REC_LOCK_END, 1, NULL);
	add_id(&m, DT_REC_MODULE_END, 1, NULL);
	settle(&m, 7);
	maker_lock(&m, 1, DT_LOCK_MUTEX, 0);
	maker_acq(&m, 0, 1, 0);
	maker_thread(&m, 7, 0);
	settle(&m, 2); /* segment 2, the module */
	assert_string_equal(dt_facts_thread(m.facts, 7)->name, "second");
	assert_true(dt_facts_thread(m.facts, 7)->ended);
	assert_true(dt_facts_lock(m.facts, 1)->ended);
	assert_int_equal(dt_facts_acq(m.facts, 1)->segment_count, 1);
	maker_segment(&m, 7, 1);
	settle(&m, 1);
	assert_int_equal(dt_facts_acq(m.facts, 1)->segment_count, 2);
	maker_end(&m);
}

/* A name given before the thread's own record, and one behind it, in whatever order they are applied. */
static void test_the_last_name_counts(void **state)
{
	struct maker m;

	(void)state;
	maker_begin(&m);
	add_id(&m, DT_REC_THREAD_NAME, 7, "early");
	maker_thread(&m, 7, 0);
	assert_null(dt_facts_thread(m.facts, 7)->name);
	add_id(&m, DT_REC_THREAD_NAME, 7, "late");
	settle(&m, 0);
	assert_string_equal(dt_facts_thread(m.facts, 7)->name, "late");
	maker_end(&m);
}

static void test_sightings(void **state)
{
	enum { OVER = 5 };
	struct maker m;

	(void)state;
	maker_begin(&m);
	maker_lock(&m, 1, DT_LOCK_MUTEX, 0);
	maker_acq(&m, 0, 1, 0);
	maker_thread(&m, 1, 0);
	for (uint32_t i = 1; i < DT_SIGHTINGS_MAX + OVER; i++)
		maker_segment(&m, 1, i);
	for (int again = 0; again < 2; again++)
		for (uint32_t i = 1; i <= DT_SIGHTINGS_MAX + OVER; i++)
			maker_see(&m, 1, i);
	const struct dt_acq *acq = dt_facts_acq(m.facts, 1);
	assert_int_equal(acq->segment_count, DT_SIGHTINGS_MAX);
	for (uint32_t i = 0; i < DT_SIGHTINGS_MAX; i++)
		assert_int_equal(acq->segments[i], i + 1);
	assert_int_equal(dt_facts_counter(m.facts, DT_COUNT_SIGHTINGS_LOST), 2 * OVER);
	maker_end(&m);
}

/* What is refused, and leaves no trace. */
static void test_refused_records(void **state)
{
	union any {
		struct dt_rec head;
		struct dt_rec_id id;
		struct dt_rec_process process;
		struct dt_rec_module module;
		struct dt_rec_thread thread;
		struct dt_rec_segment segment;
		struct dt_rec_stack stack;
		struct dt_rec_lock lock;
		struct dt_rec_acq acq;
		struct dt_rec_sighting sighting;
		uint64_t words[16];
	};
	static const struct {
		uint16_t type;
		union any rec;
		size_t bytes;
	} cases[] = {
	    {DT_REC_THREAD, {.thread = {.id = 0}}, sizeof(struct dt_rec_thread)},
	    {DT_REC_THREAD, {.thread = {.id = DT_ID_MAX + 1}}, sizeof(struct dt_rec_thread)},
	    {DT_REC_THREAD, {.thread = {.id = 1}}, sizeof(struct dt_rec_thread)}, /* is there */
	    {DT_REC_THREAD, {.thread = {.id = 2}}, sizeof(struct dt_rec_thread) - 8},
	    {DT_REC_THREAD_END, {.id = {.id = 0}}, sizeof(struct dt_rec_id)},
	    {DT_REC_THREAD_NAME, {.id = {.id = 1}}, sizeof(struct dt_rec_id)}, /* no name */
	    {DT_REC_THREAD_NAME, {.words = {0, 1, ~0ull}}, 24},                /* no end */
	    {DT_REC_SEGMENT, {.segment = {.id = 5, .thread = 1, .pred = 5}}, sizeof(struct dt_rec_segment)},
	    {DT_REC_SEGMENT, {.segment = {.id = 5, .thread = 1, .pred = 6}}, sizeof(struct dt_rec_segment)},
	    {DT_REC_SEGMENT, {.segment = {.id = 0, .thread = 1}}, sizeof(struct dt_rec_segment)},
	    {DT_REC_SEGMENT, {.segment = {.id = 1, .thread = 2}}, sizeof(struct dt_rec_segment)}, /* is 1's */
	    {DT_REC_SEGMENT, {.segment = {.id = 5, .thread = ~0u}}, sizeof(struct dt_rec_segment)},
	    {DT_REC_STACK, {.stack = {.id = 9, .count = 2, .exact = 1}}, sizeof(struct dt_rec_stack) + 8},
	    {DT_REC_STACK, {.stack = {.id = 9, .count = 1, .exact = 2}}, sizeof(struct dt_rec_stack) + 8},
	    {DT_REC_LOCK, {.lock = {.id = 9, .kind = 0}}, sizeof(struct dt_rec_lock)},
	    {DT_REC_LOCK, {.lock = {.id = 9, .kind = DT_LOCK_KINDS}}, sizeof(struct dt_rec_lock)},
	    {DT_REC_LOCK, {.lock = {.id = 9, .kind = 1, .place = 5}}, sizeof(struct dt_rec_lock)},
	    {DT_REC_ACQ, {.acq = {.id = 9, .op = 0}}, sizeof(struct dt_rec_acq)},
	    {DT_REC_ACQ, {.acq = {.id = 9, .op = DT_OPS}}, sizeof(struct dt_rec_acq)},
	    {DT_REC_ACQ, {.acq = {.id = 9, .op = 1, .mode = 2}}, sizeof(struct dt_rec_acq)},
	    {DT_REC_ACQ, {.acq = {.id = 9, .op = 1, .wait = 3}}, sizeof(struct dt_rec_acq)},
	    {DT_REC_ACQ, {.acq = {.id = 9, .op = 1, .parent = 9}}, sizeof(struct dt_rec_acq)},
	    {DT_REC_SIGHTING, {.sighting = {.acq = 0, .segment = 1}}, sizeof(struct dt_rec_sighting)},
	    {DT_REC_SIGHTING, {.sighting = {.acq = 1, .segment = 0}}, sizeof(struct dt_rec_sighting)},
	    {DT_REC_MODULE, {.module = {.id = 1}}, sizeof(struct dt_rec_module)}, /* no path */
	    {DT_REC_MODULE, {.module = {.id = 1, .path_bytes = 9}}, sizeof(struct dt_rec_module) + 8},
	    {DT_REC_MODULE,
	     {.module = {.id = 1, .path_bytes = 8, .build_id_bytes = 1}},
	     sizeof(struct dt_rec_module) + 8},
	    {DT_REC_MODULE, {.module = {.id = 1, .path_bytes = 1, .start = 2, .end = 1}}, 56},
	    {DT_REC_MODULE, {.words = {0, 1 | 8ull << 32, 0, 0, 0, ~0ull}}, 48}, /* path without end */
	    {DT_REC_PROCESS, {.process = {.text_bytes = 9}}, sizeof(struct dt_rec_process) + 8},
	    {DT_REC_PROCESS, {.process = {.argc = 2, .text_bytes = 1}}, sizeof(struct dt_rec_process) + 8},
	    {DT_REC_PROCESS, {.words = {0, 1 | 8ull << 32, ~0ull}}, 24},              /* text without end */
	    {DT_REC_PROCESS, {.words = {0, 2 | 8ull << 32, 0x0041414141414141}}, 24}, /* one word, not two */
	    {DT_REC_EXIT, {.words = {0}}, 8},
	};
	struct maker m;

	(void)state;
	maker_begin(&m);
	maker_thread(&m, 1, 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		union any rec = cases[i].rec;
		rec.head = (struct dt_rec){cases[i].type, 0, (uint32_t)(cases[i].bytes / 8)};
		if (dt_facts_add(m.facts, &rec.head, cases[i].bytes) != DT_ERR_CORRUPT)
			fail_msg("record %zu was taken", i);
	}
	settle(&m, 0);
	assert_int_equal(dt_facts_thread_count(m.facts), 1);
	assert_int_equal(dt_facts_lock_count(m.facts) + dt_facts_acq_count(m.facts), 0);
	assert_int_equal(dt_facts_module_count(m.facts), 0);
	assert_null(dt_facts_stack(m.facts, 9));
	assert_null(dt_facts_segment(m.facts, 5));
	assert_int_equal(dt_facts_segment(m.facts, 1)->pred_count, 0);
	assert_null(dt_facts_process(m.facts)->argv);
	assert_false(dt_facts_process(m.facts)->exited);
	maker_end(&m);
}

static void test_lengths(void **state)
{
	struct dt_rec_id rec = {.id = 1};
	struct maker m;

	(void)state;
	maker_begin(&m);
	rec.head = (struct dt_rec){DT_REC_THREAD_END, 0, 0};
	assert_int_equal(dt_facts_add(m.facts, &rec.head, sizeof rec), DT_ERR_CORRUPT);
	rec.head.words = 3;
	assert_int_equal(dt_facts_add(m.facts, &rec.head, sizeof rec), DT_ERR_CORRUPT);
	rec.head.words = UINT32_MAX;
	assert_int_equal(dt_facts_add(m.facts, &rec.head, sizeof rec), DT_ERR_CORRUPT);
	rec.head.words = 1;
	assert_int_equal(dt_facts_add(m.facts, &rec.head, 7), DT_ERR_CORRUPT);
	rec.head = (struct dt_rec){DT_REC_RESERVED, 0, 2};
	assert_int_equal(dt_facts_add(m.facts, &rec.head, sizeof rec), DT_OK);
	rec.head = (struct dt_rec){DT_REC_TYPES, 0, 2};
	assert_int_equal(dt_facts_add(m.facts, &rec.head, sizeof rec), DT_OK);
	assert_int_equal(dt_facts_unfinished(m.facts), 1);
	assert_int_equal(dt_facts_unknown(m.facts), 1);
	maker_end(&m);
}

static void test_process(void **state)
{
	struct {
		struct dt_rec_process rec;
		char text[24];
	} rec = {.rec = {.argc = 3, .text_bytes = 17}, .text = "bank\0\0--fast\0/bank"};
	struct dt_log_header header = {.pid = 71, .ppid = 70, .start_ns = 5};
	struct maker m;

	(void)state;
	maker_begin(&m);
	header.counters[DT_COUNT_DROPPED] = 9;
	dt_facts_set_header(m.facts, &header);
	rec.rec.text_bytes = 19;
	maker_add(&m, &rec, DT_REC_PROCESS, 0, sizeof rec);
	const struct dt_process *process = dt_facts_process(m.facts);
	assert_int_equal(process->argc, 3);
	assert_string_equal(process->argv[0], "bank");
	assert_string_equal(process->argv[1], "");
	assert_string_equal(process->argv[2], "--fast");
	assert_null(process->argv[3]);
	assert_string_equal(process->exe, "/bank");
	assert_int_equal(process->pid, 71);
	assert_int_equal(dt_facts_counter(m.facts, DT_COUNT_DROPPED), 9);
	assert_int_equal(dt_facts_counter(m.facts, DT_COUNTERS), 0);
	/* There is one a log. */
	assert_int_equal(dt_facts_add(m.facts, &rec.rec.head, sizeof rec), DT_ERR_CORRUPT);
	struct dt_rec_exit ended = {.status = 3};
	maker_add(&m, &ended, DT_REC_EXIT, 0, sizeof ended);
	struct dt_rec replaced;
	maker_add(&m, &replaced, DT_REC_EXEC, 0, sizeof replaced);
	assert_true(process->exited && process->execed);
	assert_int_equal(process->status, 3);
	maker_end(&m);
}

static void add_module(struct maker *m, uint32_t id, uint64_t start, uint64_t end)
{
	struct {
		struct dt_rec_module rec;
		char text[8];
	} rec = {.rec = {.id = id, .path_bytes = 3, .build_id_bytes = 2, .start = start, .end = end},
	         .text = "so\0\1\2"};

	maker_add(m, &rec, DT_REC_MODULE, 0, sizeof rec);
}

static uint32_t module_at(struct maker *m, uint64_t address, uint32_t order)
{
	const struct dt_module *module = dt_facts_module_at(m->facts, address, order);

	return module ? module->id : 0;
}

static void test_modules_come_and_go(void **state)
{
	struct maker m;

	(void)state;
	maker_begin(&m);
	add_module(&m, 1, 0x1000, 0x2000);      /* record 1 */
	add_module(&m, 2, 0x3000, 0x4000);      /* 2 */
	add_id(&m, DT_REC_MODULE_END, 2, NULL); /* 3 */
	add_module(&m, 3, 0x3800, 0x5000);      /* 4 */
	add_module(&m, 4, 0x1000, 0x1800);      /* 5: the end of 1 went unseen */
	assert_int_equal(module_at(&m, 0x1000, 4), 1);
	assert_int_equal(module_at(&m, 0x1000, 5), 4);
	assert_int_equal(module_at(&m, 0x1fff, 9), 1);
	assert_int_equal(module_at(&m, 0x2000, 9), 0);
	assert_int_equal(module_at(&m, 0x3800, 2), 2);
	assert_int_equal(module_at(&m, 0x3800, 9), 3);
	assert_int_equal(module_at(&m, 0x3000, 9), 0);
	/* Its record came a little behind the first use. */
	assert_int_equal(module_at(&m, 0x4800, 1), 3);
	assert_int_equal(dt_facts_module(m.facts, 1)->build_id_bytes, 2);
	assert_int_equal(dt_facts_module(m.facts, 1)->build_id[1], 2);
	assert_string_equal(dt_facts_module(m.facts, 1)->path, "so");
	maker_end(&m);
}

/* Ids strewn to make tables huge. */
static void test_strewn_ids(void **state)
{
	struct failing_alloc alloc = failing_alloc(0);
	struct maker m;

	(void)state;
	begin_with(&m, &alloc.alloc);
	for (uint32_t id = DT_ID_MAX; id > 600; id -= 600)
		maker_lock(&m, id, DT_LOCK_MUTEX, 0);
	assert_non_null(dt_facts_lock(m.facts, DT_ID_MAX));
	assert_null(dt_facts_lock(m.facts, DT_ID_MAX - 1));
	assert_null(dt_facts_lock(m.facts, UINT32_MAX));
	assert_null(dt_facts_lock(m.facts, 0));
	assert_true(alloc.most_bytes < 80u << 20);
	maker_end(&m);
	assert_int_equal(alloc.used_bytes, 0);
}

/* The shim's acquisition ids are slots of a table twice as large. */
static void test_a_million_acquisitions(void **state)
{
	enum { COUNT = 1000000, SLOTS = 1 << 21 };
	struct failing_alloc alloc = failing_alloc(0);
	uint32_t *ids = calloc(COUNT + 1, sizeof *ids);
	struct maker m;

	(void)state;
	assert_non_null(ids);
	begin_with(&m, &alloc.alloc);
	maker_thread(&m, 1, 0);
	for (uint32_t i = 1; i <= 1000; i++)
		maker_lock(&m, i, DT_LOCK_MUTEX, 0);
	size_t before = alloc.used_bytes;
	double start = cpu_seconds();
	for (uint32_t i = 1; i <= COUNT; i++) {
		ids[i] = i * 2654435761u % SLOTS + 1; /* odd: every slot comes once */
		add_acq(&m, ids[i], ids[i / 3], i % 1000 + 1);
		maker_see(&m, ids[i], 1);
	}
	settle(&m, 0);
	double took = cpu_seconds() - start;
	size_t bytes = (alloc.used_bytes - before) / COUNT;
	print_message("%d acquisitions: %.2f s, %zu bytes each\n", COUNT, took, bytes);
	assert_true(took < ENDS_WITHIN);
	assert_true(bytes <= 150);
	assert_int_equal(depth(&m, ids[COUNT]), 13);
	maker_end(&m);
	assert_int_equal(alloc.used_bytes, 0);
	free(ids);
}

enum { SEGMENTS = 90, THREADS = 6 };

/* What the records say: pred[a][b], a is before b; and what follows from it. */
struct order_model {
	uint32_t thread[SEGMENTS + 1], previous[SEGMENTS + 1]; /* 0: a meeting point; none */
	bool pred[SEGMENTS + 1][SEGMENTS + 1], before[SEGMENTS + 1][SEGMENTS + 1];
};

static void close_over(struct order_model *model)
{
	memcpy(model->before, model->pred, sizeof model->before);
	for (int k = 1; k <= SEGMENTS; k++)
		for (int a = 1; a <= SEGMENTS; a++)
			for (int b = 1; model->before[a][k] && b <= SEGMENTS; b++)
				model->before[a][b] |= model->before[k][b];
}

static void compare_order(struct maker *m, const struct order_model *model)
{
	for (int i = 0; i < 4000; i++) {
		uint32_t a = 1 + (uint32_t)rand() % SEGMENTS, b = 1 + (uint32_t)rand() % SEGMENTS;
		bool ordered = dt_facts_happens_before(m->facts, a, b);
		if (ordered != (a == b || model->before[a][b]))
			fail_msg("%u and %u: %d", a, b, ordered);
	}
}

/* `pred` is before `id`; 0: nothing is said. */
static void order_segment(struct maker *m, struct order_model *model, uint32_t id, uint32_t pred)
{
	maker_order(m, id, model->thread[id], pred);
	model->pred[pred][id] = pred != 0;
}

static void begin_order(struct maker *m, struct order_model *model)
{
	uint32_t last[THREADS] = {0};

	maker_begin(m);
	memset(model, 0, sizeof *model);
	for (uint32_t id = 1; id <= SEGMENTS; id++) {
		uint32_t thread = (uint32_t)rand() % THREADS;
		model->thread[id] = thread;
		model->previous[id] = thread ? last[thread] : 0;
		last[thread] = id;
	}
}

/* Segments come in order; those that were asked about get further predecessors. */
static void compare_while_it_grows(void)
{
	static struct order_model model;
	struct maker m;

	begin_order(&m, &model);
	for (uint32_t id = 1; id <= SEGMENTS; id++) {
		order_segment(&m, &model, id, model.previous[id]);
		for (int more = rand() % 3; more > 0; more--) {
			uint32_t late = 1 + (uint32_t)rand() % id;
			order_segment(&m, &model, late, (uint32_t)rand() % late);
		}
		if (rand() % 6)
			continue;
		settle(&m, 0);
		close_over(&model);
		compare_order(&m, &model);
	}
	maker_end(&m);
}

/* Segments come in any order. */
static void compare_when_all_came(void)
{
	static struct order_model model;
	uint32_t ids[SEGMENTS];
	struct maker m;

	begin_order(&m, &model);
	for (uint32_t i = 0; i < SEGMENTS; i++) {
		uint32_t at = (uint32_t)rand() % (i + 1);
		if (at < i)
			ids[i] = ids[at];
		ids[at] = i + 1;
	}
	for (uint32_t i = 0; i < SEGMENTS; i++) {
		order_segment(&m, &model, ids[i], model.previous[ids[i]]);
		order_segment(&m, &model, ids[i], (uint32_t)rand() % ids[i]);
		if (rand() % 10 == 0) {
			/* Whatever is answered now must not stick. */
			settle(&m, 0);
			for (int asked = 0; asked < 500; asked++)
				dt_facts_happens_before(m.facts, 1 + (uint32_t)rand() % SEGMENTS,
				                        1 + (uint32_t)rand() % SEGMENTS);
		}
	}
	settle(&m, 0);
	close_over(&model);
	compare_order(&m, &model);
	maker_end(&m);
}

static void test_order_against_a_model(void **state)
{
	(void)state;
	srand(7);
	for (int i = 0; i < 30; i++) {
		compare_while_it_grows();
		compare_when_all_came();
	}
}

static void *refuse_when_told(struct dt_alloc *self, void *block, size_t old_bytes, size_t new_bytes)
{
	struct failing_alloc *a = (struct failing_alloc *)self;

	if (a->refused && new_bytes > old_bytes)
		return NULL;
	return dt_alloc_libc.resize(&dt_alloc_libc, block, old_bytes, new_bytes);
}

/* The same answers, only slower. */
static void test_order_without_memory(void **state)
{
	struct failing_alloc alloc = {.alloc = {refuse_when_told}};
	bool answers[50][50];
	struct maker m;

	(void)state;
	for (int round = 0; round < 2; round++) {
		srand(8);
		begin_with(&m, &alloc.alloc);
		for (uint32_t id = 1; id < 50; id++)
			for (int i = 0; i < 2; i++)
				maker_order(&m, id, 0, (uint32_t)rand() % id);
		settle(&m, 0);
		alloc.refused = (uint32_t)round;
		for (uint32_t a = 1; a < 50; a++) {
			for (uint32_t b = 1; b < 50; b++) {
				if (round == 0)
					answers[a][b] = dt_facts_happens_before(m.facts, a, b);
				else
					assert_int_equal(dt_facts_happens_before(m.facts, a, b),
					                 answers[a][b]);
			}
		}
		alloc.refused = 0;
		maker_end(&m);
	}
}

/* A server with a thread for each connection; then the order of everything with everything in a set of
 * sightings as large as is kept. */
static void test_order_in_a_long_run(void **state)
{
	enum { THREADS_MADE = 300000, ASKED = 64 };
	uint32_t main_segment, asked[ASKED], used = 0, pairs = 0, expected = 0;
	struct maker m;

	(void)state;
	maker_begin(&m);
	main_segment = maker_thread(&m, 1, 0);
	for (uint32_t i = 0; i < THREADS_MADE; i++) {
		uint32_t child = maker_thread(&m, i + 2, main_segment);
		main_segment = maker_segment(&m, 1, main_segment);
		/* A joined one is before itself and all later ones, of which the others know nothing. */
		if (i % (THREADS_MADE / ASKED) == 0 && used < ASKED) {
			asked[used++] = child;
			expected += i % 2 == 0 ? ASKED + 1 - used : 1;
		}
		if (i % 2 == 0) {
			main_segment = maker_segment(&m, 1, main_segment);
			maker_order(&m, main_segment, 1, child);
		}
	}
	settle(&m, 0);
	double start = cpu_seconds();
	for (uint32_t a = 0; a < used; a++)
		for (uint32_t b = 0; b < used; b++)
			pairs += dt_facts_happens_before(m.facts, asked[a], asked[b]);
	double took = cpu_seconds() - start;
	print_message("%u pairs over %u segments: %.2f s\n", used * used, m.segments, took);
	assert_true(took < ENDS_WITHIN);
	assert_int_equal(pairs, expected);
	maker_end(&m);
}

/* Neighbours in a long run: the walk looks no further back than it must. */
static void test_order_of_neighbours(void **state)
{
	enum { THREADS_MADE = 200000, ASKED = 2000 };
	uint32_t main_segment, *children = calloc(THREADS_MADE, sizeof *children);
	struct maker m;

	(void)state;
	assert_non_null(children);
	maker_begin(&m);
	main_segment = maker_thread(&m, 1, 0);
	for (uint32_t i = 0; i < THREADS_MADE; i++) {
		children[i] = maker_thread(&m, i + 2, main_segment);
		main_segment = maker_segment(&m, 1, main_segment);
	}
	settle(&m, 0);
	double start = cpu_seconds();
	for (uint32_t i = THREADS_MADE - ASKED; i < THREADS_MADE; i++)
		assert_false(dt_facts_happens_before(m.facts, children[i - 1], children[i]));
	double took = cpu_seconds() - start;
	print_message("%d pairs of neighbours among %u segments: %.2f s\n", ASKED, m.segments, took);
	assert_true(took < ENDS_WITHIN);
	maker_end(&m);
	free(children);
}

/* Whatever request is refused: it is said, and nothing is lost. */
/* Units of a semaphore: kept as they come; what names no acquisition, or none at all, is refused. */
static void test_units(void **state)
{
	struct maker m;
	struct dt_rec_units rec = {.acq = 7, .units = 2};
	struct dt_rec_units wrong[] = {{.acq = 0, .units = 2}, {.acq = 7, .units = 0}, {.acq = DT_ID_MAX + 1, .units = 2}};

	(void)state;
	maker_begin(&m);
	maker_add(&m, &rec, DT_REC_UNITS, 0, sizeof rec);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		wrong[i].head = (struct dt_rec){DT_REC_UNITS, 0, sizeof rec / 8};
		assert_int_equal(dt_facts_add(m.facts, &wrong[i].head, sizeof rec), DT_ERR_CORRUPT);
	}
	assert_int_equal(dt_facts_units_count(m.facts), 1);
	assert_int_equal(dt_facts_units_nth(m.facts, 0)->acq, 7);
	assert_int_equal(dt_facts_units_nth(m.facts, 0)->units, 2);
	assert_null(dt_facts_units_nth(m.facts, 1));
	maker_end(&m);
}

static void test_no_memory(void **state)
{
	(void)state;
	for (uint32_t n = 2;; n++) {
		struct failing_alloc alloc = failing_alloc(n);
		enum dt_err err = DT_OK;
		struct dt_facts *facts;
		assert_int_equal(dt_facts_new(&facts, &alloc.alloc), DT_OK);
		for (uint32_t i = 1; !err && i < 40; i++) {
			struct dt_rec_sighting early = {{DT_REC_SIGHTING, 0, 2}, i * 700, i};
			struct dt_rec_acq acq = {
			    .head = {DT_REC_ACQ, 0, 4}, .id = i * 700, .op = 1, .lock = 1};
			struct dt_rec_segment segment = {{DT_REC_SEGMENT, 0, 3}, i, 1, i - 1, 0};
			struct dt_rec_lock lock = {.head = {DT_REC_LOCK, 0, 9}, .id = i * 700, .kind = 1};
			const struct dt_rec *records[] = {&early.head, &acq.head, &segment.head, &lock.head};
			for (size_t r = 0; !err && r < 4; r++)
				err = dt_facts_add(facts, records[r], records[r]->words * 8);
		}
		err = err ? err : dt_facts_settle(facts);
		dt_facts_free(facts);
		assert_int_equal(alloc.used_bytes, 0);
		if (alloc.requests < n) {
			assert_int_equal(err, DT_OK);
			return;
		}
		assert_int_equal(err, DT_ERR_NOMEM);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_depths_in_any_order),
	    cmocka_unit_test(test_what_hangs_in_the_air),
	    cmocka_unit_test(test_long_chains),
	    cmocka_unit_test(test_records_that_come_early),
	    cmocka_unit_test(test_the_last_name_counts),
	    cmocka_unit_test(test_sightings),
	    cmocka_unit_test(test_refused_records),
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_process),
	    cmocka_unit_test(test_modules_come_and_go),
	    cmocka_unit_test(test_strewn_ids),
	    cmocka_unit_test(test_a_million_acquisitions),
	    cmocka_unit_test(test_order_against_a_model),
	    cmocka_unit_test(test_order_without_memory),
	    cmocka_unit_test(test_order_in_a_long_run),
	    cmocka_unit_test(test_order_of_neighbours),
	    cmocka_unit_test(test_units),
	    cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
