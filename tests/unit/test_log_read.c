/* The log's reader: whole logs, logs cut at every byte, every bit of a header and record flipped, other
 * versions and machines, what a later version could write, what a killed writer leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <detect/check.h>
#include <detect/log_read.h>

#include "failing_alloc.h"
#include "log_write.h"
#include "textlog.h"

/* Something of each kind of record. */
static const char lines[] = "lock R rwlock prefer-writer\nbarrier X 2\n"
                            "T1 at main:10 > run:5\n"
                            "T1 create T2 worker\nT2 name teller\n"
                            "T1 got A\nT1 got B\nT1 rel A\nT1 got R read\nT1 want Q try\nT1 rel R\nT1 rel B\n"
                            "T2 got B\nT2 got A\nT2 rel B\nT2 rel A\n"
                            "T2 got M\nT2 wait C M\nT1 signal C\nT2 rel M\n"
                            "T1 barrier X\nT2 barrier X\nT1 once O\nT2 once O\n"
                            "T1 join T2 timed\nT2 exit\nT1 destroy B\nT1 got B\n";

enum { ACQS = 15 }; /* that these make */

static struct dt_textlog *text;
static const unsigned char *good;
static size_t good_size;

static int make_good_log(void **state)
{
	(void)state;
	if (dt_textlog_read(&text, &dt_alloc_libc, lines, sizeof lines - 1, NULL) != DT_OK)
		return -1;
	good = dt_textlog_bytes(text, &good_size);
	return 0;
}

static int free_good_log(void **state)
{
	(void)state;
	dt_textlog_free(text);
	return 0;
}

static void drop(void *context, const struct dt_finding *finding)
{
	(void)context;
	(void)finding;
}

/* What was read, as few numbers. */
struct answer {
	enum dt_err err;
	uint64_t bad, unfinished, unknown, dangling;
	uint32_t acqs, locks, threads;
};

/* From a block of its own size, so that a sanitizer sees a read past it; and analysed, because what was
 * read before the damage is to be used. */
static struct answer take(const void *bytes, size_t size)
{
	const struct dt_check_options options = {.max_search_steps = 10000, .want_filtered = true};
	struct dt_analysis analysis = {0};
	struct answer answer = {.bad = UINT64_MAX};
	struct dt_facts *facts;
	unsigned char *block = malloc(size ? size : 1);

	assert_non_null(block);
	memcpy(block, bytes, size);
	assert_int_equal(dt_facts_new(&facts, &dt_alloc_libc), DT_OK);
	answer.err = dt_log_read(facts, block, size, &answer.bad);
	assert_true(answer.bad <= size);
	assert_int_equal(dt_analyse(facts, &dt_alloc_libc, &options, drop, NULL, &analysis), DT_OK);
	answer.unfinished = dt_facts_unfinished(facts);
	answer.unknown = dt_facts_unknown(facts);
	answer.dangling = dt_facts_dangling(facts);
	answer.acqs = dt_facts_acq_count(facts);
	answer.locks = dt_facts_lock_count(facts);
	answer.threads = dt_facts_thread_count(facts);
	dt_facts_free(facts);
	free(block);
	return answer;
}

/* A copy of the good log to damage. */
static unsigned char *copy_good(void)
{
	unsigned char *copy = malloc(good_size);

	assert_non_null(copy);
	return memcpy(copy, good, good_size);
}

static struct dt_log_header *header_of(unsigned char *log)
{
	return (void *)log;
}

static struct dt_rec *record_at(unsigned char *log, size_t offset)
{
	return (void *)(log + offset);
}

static void test_a_whole_log(void **state)
{
	struct answer answer = take(good, good_size);

	(void)state;
	assert_int_equal(answer.err, DT_OK);
	assert_int_equal(answer.bad, good_size);
	assert_int_equal(answer.unfinished + answer.unknown + answer.dangling, 0);
	assert_int_equal(answer.threads, 2);
	assert_int_equal(answer.locks, 8); /* B is two, O none */
	assert_int_equal(answer.acqs, ACQS);
}

static void test_cut_at_every_byte(void **state)
{
	uint32_t last = 0;

	(void)state;
	for (size_t size = 0; size < good_size; size++) {
		struct answer answer = take(good, size);
		enum dt_err expected = size < 8                     ? DT_ERR_NOT_A_LOG
		                       : size < DT_LOG_HEADER_BYTES ? DT_ERR_TRUNCATED
		                                                    : DT_ERR_CORRUPT;
		if (answer.err != expected)
			fail_msg("cut at %zu: error %d", size, answer.err);
		/* All that is whole is there. */
		assert_true(answer.acqs >= last);
		assert_true(expected != DT_ERR_CORRUPT || answer.bad >= DT_LOG_HEADER_BYTES);
		last = answer.acqs;
	}
}

static void test_every_bit_flipped(void **state)
{
	unsigned char *bent = copy_good();
	size_t said = 0;

	(void)state;
	for (size_t at = 0; at < good_size; at++) {
		if (at == sizeof(struct dt_log_header))
			at = DT_LOG_HEADER_BYTES; /* nothing in between */
		for (int bit = 0; bit < 8; bit++) {
			bent[at] ^= (unsigned char)(1 << bit);
			struct answer answer = take(bent, good_size);
			said += answer.err != DT_OK;
			if (answer.err == DT_OK && at < offsetof(struct dt_log_header, header_bytes))
				fail_msg("bit %d of byte %zu of the header: not said", bit, at);
			bent[at] ^= (unsigned char)(1 << bit);
		}
	}
	assert_true(said > 8 * offsetof(struct dt_log_header, header_bytes));
	free(bent);
}

static void test_many_bits_flipped(void **state)
{
	unsigned char *bent = copy_good();

	(void)state;
	srand(5);
	for (int round = 0; round < 3000; round++) {
		memcpy(bent, good, good_size);
		for (int flips = 1 + rand() % 30; flips > 0; flips--)
			bent[DT_LOG_HEADER_BYTES + (size_t)rand() % (good_size - DT_LOG_HEADER_BYTES)] ^=
			    (unsigned char)(1 << rand() % 8);
		take(bent, good_size);
	}
	free(bent);
}

static void test_other_versions_and_machines(void **state)
{
	unsigned char *log = copy_good();
	struct dt_log_header *header = header_of(log);

	(void)state;
	header->version = 7;
	assert_int_equal(take(log, good_size).err, DT_ERR_VERSION);
	assert_int_equal(dt_log_version(log, good_size), 7);
	assert_int_equal(dt_log_version(log, sizeof *header - 1), 0);
	header->version = __builtin_bswap32(7);
	header->byte_order = __builtin_bswap32(DT_LOG_BYTE_ORDER);
	assert_int_equal(take(log, good_size).err, DT_ERR_BYTE_ORDER);
	assert_int_equal(dt_log_version(log, good_size), 7);
	header->byte_order = 0;
	struct answer answer = take(log, good_size);
	assert_int_equal(answer.err, DT_ERR_CORRUPT);
	assert_int_equal(answer.bad, offsetof(struct dt_log_header, byte_order));
	header->magic[7] = 0;
	assert_int_equal(take(log, good_size).err, DT_ERR_NOT_A_LOG);
	memset(log, 0, good_size);
	assert_int_equal(take(log, good_size).err, DT_ERR_NOT_A_LOG);
	free(log);
}

static void test_sizes_in_the_header(void **state)
{
	static const struct {
		uint32_t header_bytes;
		enum dt_err err;
	} headers[] = {
	    {0, DT_ERR_CORRUPT},
	    {sizeof(struct dt_log_header) - 8, DT_ERR_CORRUPT},
	    {DT_LOG_HEADER_BYTES + 4, DT_ERR_CORRUPT},
	    {UINT32_MAX & ~7u, DT_ERR_TRUNCATED},
	};
	static const uint64_t tails[] = {0, 8, DT_LOG_HEADER_BYTES - 8, UINT64_MAX, UINT64_MAX - 7};

	(void)state;
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
		unsigned char *log = copy_good();
		header_of(log)->header_bytes = headers[i].header_bytes;
		assert_int_equal(take(log, good_size).err, headers[i].err);
		free(log);
	}
	for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
		unsigned char *log = copy_good();
		header_of(log)->tail_bytes = tails[i];
		assert_int_equal(take(log, good_size).err, DT_ERR_CORRUPT);
		free(log);
	}
	/* In the middle of a record. */
	for (size_t less = 1; less < 16; less++) {
		unsigned char *log = copy_good();
		header_of(log)->tail_bytes = good_size - less;
		assert_int_equal(take(log, good_size).err, DT_ERR_CORRUPT);
		free(log);
	}
}

/* A log that has room behind its tail, as those of a process have, and one without records. */
static void test_room_behind_the_tail(void **state)
{
	unsigned char *log = calloc(1, good_size + 4096);

	(void)state;
	assert_non_null(log);
	memcpy(log, good, good_size);
	/* Reserved, not counted by the tail yet. */
	*record_at(log, good_size) = (struct dt_rec){DT_REC_RESERVED, 0, 4};
	struct answer answer = take(log, good_size + 4096);
	assert_int_equal(answer.err, DT_OK);
	assert_int_equal(answer.unfinished, 0);
	header_of(log)->tail_bytes = DT_LOG_HEADER_BYTES;
	answer = take(log, good_size);
	assert_int_equal(answer.err, DT_OK);
	assert_int_equal(answer.threads, 0);
	assert_int_equal(take(log, DT_LOG_HEADER_BYTES).err, DT_OK);
	free(log);
}

/* Each record in turn: never finished; of a type of a later version; zeroed, as by a lost page. */
static void test_each_record_gone(void **state)
{
	(void)state;
	for (size_t at = DT_LOG_HEADER_BYTES; at < good_size;) {
		unsigned char *log = copy_good();
		struct dt_rec *rec = record_at(log, at);
		size_t bytes = rec->words * (size_t)8;
		rec->type = DT_REC_RESERVED;
		struct answer answer = take(log, good_size);
		assert_int_equal(answer.err, DT_OK);
		assert_int_equal(answer.unfinished, 1);
		rec->type = DT_REC_TYPES + 3;
		answer = take(log, good_size);
		assert_int_equal(answer.err, DT_OK);
		assert_int_equal(answer.unknown, 1);
		memset(rec, 0, bytes);
		answer = take(log, good_size);
		assert_int_equal(answer.err, DT_ERR_CORRUPT);
		assert_int_equal(answer.bad, at);
		free(log);
		at += bytes;
	}
}

/* A log of one's own making, record by record. */
static void add(struct dt_log_buffer *log, void *rec, uint16_t type, size_t bytes)
{
	((struct dt_rec *)rec)->type = type;
	assert_int_equal(dt_log_buffer_add(log, rec, bytes, NULL, 0), DT_OK);
}

static struct answer take_and_free(struct dt_log_buffer *log)
{
	struct answer answer = take(log->bytes, log->size_bytes);

	dt_log_buffer_fini(log);
	return answer;
}

/* Circles of parents, parents and locks that are not there, threads that name each other. */
static void test_hostile_references(void **state)
{
	enum { COUNT = 3000 };
	struct dt_log_buffer log;

	(void)state;
	srand(9);
	assert_int_equal(dt_log_buffer_init(&log, &dt_alloc_libc), DT_OK);
	for (uint32_t i = 1; i <= COUNT; i++) {
		uint32_t any = (uint32_t)rand();
		struct dt_rec_acq acq = {
		    .id = i,
		    .parent = any % 16 ? any / 16 % COUNT + 1 : any,
		    .lock = any % 5 ? any % 50 : any,
		    .stack = any,
		    .op = (uint8_t)(1 + any % (DT_OPS - 1)),
		    .mode = (uint8_t)(any % 2),
		    .wait = (uint8_t)(any % 3),
		};
		if (acq.parent == i)
			acq.parent = 0;
		struct dt_rec_sighting sighting = {.acq = any % COUNT + 1, .segment = any / 7 % 60 + 1};
		struct dt_rec_lock lock = {.id = i, .kind = (uint8_t)(1 + any % (DT_LOCK_KINDS - 1))};
		struct dt_rec_segment segment = {.id = i, .thread = any % 9, .pred = any % i};
		struct dt_rec_thread thread = {
		    .id = i, .parent = any, .first_segment = any, .create_stack = any};
		lock.head.flags = (uint16_t)any;
		add(&log, &acq, DT_REC_ACQ, sizeof acq);
		add(&log, &sighting, DT_REC_SIGHTING, sizeof sighting);
		if (i < 45)
			add(&log, &lock, DT_REC_LOCK, sizeof lock);
		if (i < 55)
			add(&log, &segment, DT_REC_SEGMENT, sizeof segment);
		if (i < 8)
			add(&log, &thread, DT_REC_THREAD, sizeof thread);
	}
	struct answer answer = take_and_free(&log);
	assert_int_equal(answer.err, DT_OK);
	assert_int_equal(answer.acqs, COUNT);
	assert_true(answer.dangling > 0);
}

/* Counts that say more than there is. */
static void test_huge_counts(void **state)
{
	(void)state;
	for (size_t at = DT_LOG_HEADER_BYTES; at < good_size;) {
		unsigned char *log = copy_good();
		struct dt_rec *rec = record_at(log, at);
		size_t bytes = rec->words * (size_t)8;
		uint32_t words = rec->words;
		static const uint32_t sizes[] = {0, UINT32_MAX, 1u << 29, 1u << 31};
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			rec->words = sizes[i];
			struct answer answer = take(log, good_size);
			assert_int_equal(answer.err, DT_ERR_CORRUPT);
			assert_int_equal(answer.bad, at);
		}
		rec->words = words;
		/* Whatever the record counts: its own fields all ones. */
		memset(rec + 1, 0xff, bytes - sizeof *rec);
		take(log, good_size);
		free(log);
		at += bytes;
	}
}

static void test_no_memory(void **state)
{
	(void)state;
	for (uint32_t n = 1;; n++) {
		const struct dt_check_options options = {.want_filtered = true};
		struct failing_alloc alloc = failing_alloc(n);
		struct dt_analysis analysis = {0};
		struct dt_facts *facts = NULL;
		enum dt_err err = dt_facts_new(&facts, &alloc.alloc);
		err = err ? err : dt_log_read(facts, good, good_size, NULL);
		err = err ? err : dt_analyse(facts, &alloc.alloc, &options, drop, NULL, &analysis);
		dt_facts_free(facts);
		if (alloc.used_bytes)
			fail_msg("%zu bytes lost when request %u was refused", alloc.used_bytes, n);
		if (alloc.requests < n) {
			assert_int_equal(err, DT_OK);
			assert_true(n > 40);
			return;
		}
		/* What only makes things faster may be refused without harm. */
		assert_true(err == DT_ERR_NOMEM || err == DT_OK);
	}
}

static void test_the_writer(void **state)
{
	struct dt_rec_id rec = {.head = {DT_REC_THREAD_NAME, 5, 99}, .id = 1};
	struct dt_log_buffer log;

	(void)state;
	assert_int_equal(dt_log_buffer_init(&log, &dt_alloc_libc), DT_OK);
	assert_int_equal(take(log.bytes, log.size_bytes).err, DT_OK);
	assert_int_equal(dt_log_buffer_add(&log, &rec, sizeof rec, "teller", 7), DT_OK);
	const struct dt_rec *there = record_at(log.bytes, DT_LOG_HEADER_BYTES);
	assert_int_equal(there->words, 3);
	assert_int_equal(there->flags, 5);
	assert_int_equal(log.bytes[log.size_bytes - 1], 0);
	assert_int_equal(dt_log_buffer_header(&log)->tail_bytes, log.size_bytes);
	/* More than the room doubled. */
	char *much = calloc(1, 100000);
	assert_non_null(much);
	assert_int_equal(dt_log_buffer_add(&log, &rec, sizeof rec, much, 100000), DT_OK);
	free(much);
	assert_int_equal(take_and_free(&log).err, DT_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_whole_log),
	    cmocka_unit_test(test_cut_at_every_byte),
	    cmocka_unit_test(test_every_bit_flipped),
	    cmocka_unit_test(test_many_bits_flipped),
	    cmocka_unit_test(test_other_versions_and_machines),
	    cmocka_unit_test(test_sizes_in_the_header),
	    cmocka_unit_test(test_room_behind_the_tail),
	    cmocka_unit_test(test_each_record_gone),
	    cmocka_unit_test(test_hostile_references),
	    cmocka_unit_test(test_huge_counts),
	    cmocka_unit_test(test_no_memory),
	    cmocka_unit_test(test_the_writer),
	};
	return cmocka_run_group_tests(tests, make_good_log, free_good_log);
}
