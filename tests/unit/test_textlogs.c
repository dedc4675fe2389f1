/* test_textlogs.c: every log of tests/logs gives the findings that its expect lines say, from a whole log
 * and fed record by record as the shim does; and its log survives being cut and bent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <detect/check.h>
#include <detect/log_read.h>

#include "checks.h"
#include "textlog.h"

#ifndef LOGS_DIR
#error "LOGS_DIR: the folder of the text logs"
#endif

enum { FOUND_MAX = 256 };

struct found {
	const struct textlog *log;
	struct { char text[1024]; unsigned count; } at[FOUND_MAX];
	size_t count;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *level_name(enum dt_level level)
{
	return level == DT_LEVEL_ERROR ? "error" : level == DT_LEVEL_WARNING ? "warning" : "note";
}

static void sink(void *context, const struct dt_finding *finding)
{
	struct found *found = context;
	const char *names[64];
	assert_true(found->count < FOUND_MAX && finding->lock_count < 64);
	for (uint32_t i = 0; i < finding->lock_count; i++)
		names[i] = found->log->lock_names[finding->locks[i]];
	qsort(names, finding->lock_count, sizeof *names, by_text);
	char *text = found->at[found->count].text;
	int n = finding->filtered
	            ? snprintf(text, 1024, "filtered %s", dt_reason_name(finding->reason))
	            : snprintf(text, 1024, "%s %s", dt_rules[finding->rule].name, level_name(finding->level));
	for (uint32_t i = 0; i < finding->lock_count; i++)
		n += snprintf(text + n, 1024 - (size_t)n, " %s", names[i]);
	found->at[found->count++].count = finding->count;
}

static size_t find(const struct found *found, const char *text)
{
	size_t i = 0;
	while (i < found->count && strcmp(found->at[i].text, text))
		i++;
	return i;
}

static void compare(const char *name, const struct textlog *log, const struct found *found)
{
	for (size_t i = 0; i < log->expect_count; i++) {
		size_t at = find(found, log->expects[i].text);
		if (at == found->count) {
			for (size_t k = 0; k < found->count; k++)
				print_message("  found: %s\n", found->at[k].text);
			fail_msg("%s: not found: %s", name, log->expects[i].text);
		}
		if (log->expects[i].count && log->expects[i].count != found->at[at].count)
			fail_msg("%s: %s: count %u, not %u", name, log->expects[i].text, found->at[at].count,
			         log->expects[i].count);
	}
	for (size_t i = 0; i < found->count; i++) {
		bool expected = strncmp(found->at[i].text, "filtered ", 9) == 0;
		for (size_t k = 0; k < log->expect_count; k++)
			expected |= !strcmp(found->at[i].text, log->expects[k].text);
		if (!expected)
			fail_msg("%s: found, but not expected: %s", name, found->at[i].text);
	}
	if (!log->expect_count && !log->expect_none)
		fail_msg("%s: no expect line", name);
}

static void analyse_whole(const struct textlog *log, struct found *found)
{
	const struct dt_check_options options = {.want_filtered = true};
	struct dt_facts *facts;
	struct dt_analysis analysis = {0};
	uint64_t bad;
	assert_int_equal(dt_facts_new(&facts, &dt_alloc_libc), DT_OK);
	assert_int_equal(dt_log_read(facts, log->bytes, log->size, &bad), DT_OK);
	assert_int_equal(dt_facts_dangling(facts), 0);
	found->log = log;
	assert_int_equal(dt_analyse(facts, &dt_alloc_libc, &options, sink, found, &analysis), DT_OK);
	assert_false(analysis.bounded);
	dt_facts_free(facts);
}

static void analyse_live(const struct textlog *log, struct found *found)
{
	const struct dt_check_options options = {0};
	struct dt_facts *facts;
	struct dt_check_state *states[8];
	size_t checks = 0;
	found->log = log;
	assert_int_equal(dt_facts_new(&facts, &dt_alloc_libc), DT_OK);
	for (; dt_checks[checks]; checks++)
		assert_int_equal(dt_checks[checks]->open(&states[checks], facts, &dt_alloc_libc, &options, sink, found), DT_OK);
	for (size_t at = sizeof(struct dt_log_header); at < log->size;) {
		const struct dt_rec *rec = (const void *)(log->bytes + at);
		at += (size_t)rec->words * 8;
		assert_int_equal(dt_facts_add(facts, rec, (size_t)rec->words * 8), DT_OK);
		assert_int_equal(dt_facts_settle(facts), DT_OK);
		const struct dt_rec_sighting *sighting = (const void *)rec;
		for (size_t i = 0; rec->type == DT_REC_SIGHTING && i < checks; i++)
			assert_int_equal(dt_checks[i]->feed(states[i], sighting->acq, sighting->segment), DT_OK);
	}
	for (size_t i = 0; i < checks; i++) {
		assert_int_equal(dt_checks[i]->finish(states[i]), DT_OK);
		dt_checks[i]->close(states[i]);
	}
	dt_facts_free(facts);
}

/* What is found live is what is found at the end, but for what fell to filters. */
static void same_live(const char *name, const struct found *whole, const struct found *live)
{
	for (size_t i = 0; i < whole->count; i++)
		if (strncmp(whole->at[i].text, "filtered ", 9) && find(live, whole->at[i].text) == live->count)
			fail_msg("%s: not found live: %s", name, whole->at[i].text);
	for (size_t i = 0; i < live->count; i++)
		if (strncmp(live->at[i].text, "filtered ", 9) && find(whole, live->at[i].text) == whole->count)
			fail_msg("%s: found only live: %s", name, live->at[i].text);
}

static char *read_file(const char *path)
{
	char *text = calloc(1, 1 << 16);
	FILE *in = fopen(path, "r");
	assert_non_null(in);
	assert_true(fread(text, 1, (1 << 16) - 1, in) > 0);
	fclose(in);
	return text;
}

static void each_log(void (*visit)(const char *name, const struct textlog *log))
{
	DIR *dir = opendir(LOGS_DIR);
	struct dirent *entry;
	unsigned count = 0;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		char path[1024];
		struct textlog log;
		size_t length = strlen(entry->d_name);
		if (length < 4 || strcmp(entry->d_name + length - 4, ".log"))
			continue;
		snprintf(path, sizeof path, "%s/%s", LOGS_DIR, entry->d_name);
		char *text = read_file(path);
		textlog_parse(&log, entry->d_name, text);
		visit(entry->d_name, &log);
		textlog_free(&log);
		free(text);
		count++;
	}
	closedir(dir);
	assert_true(count >= 30);
}

static void check_findings(const char *name, const struct textlog *log)
{
	struct found *whole = calloc(1, sizeof *whole), *live = calloc(1, sizeof *live);
	analyse_whole(log, whole);
	compare(name, log, whole);
	analyse_live(log, live);
	same_live(name, whole, live);
	free(whole);
	free(live);
}

static void test_findings(void **state)
{
	(void)state;
	each_log(check_findings);
}

static void drop(void *context, const struct dt_finding *finding)
{
	(void)context;
	(void)finding;
}

/* Read any bytes, then analyse what was read: an error is an answer, a crash is not. */
static enum dt_err take_bytes(const void *bytes, size_t size)
{
	const struct dt_check_options options = {.max_search_steps = 10000};
	struct dt_facts *facts;
	struct dt_analysis analysis = {0};
	uint64_t bad = 0;
	assert_int_equal(dt_facts_new(&facts, &dt_alloc_libc), DT_OK);
	enum dt_err err = dt_log_read(facts, bytes, size, &bad);
	assert_true(bad <= size);
	assert_int_equal(dt_analyse(facts, &dt_alloc_libc, &options, drop, NULL, &analysis), DT_OK);
	dt_facts_free(facts);
	return err;
}

static void check_cuts(const char *name, const struct textlog *log)
{
	/* Each cut is a block of its own size, so that a sanitizer sees a read past it. */
	for (size_t size = 0; size < log->size; size += size < 700 ? 1 : 8) {
		unsigned char *cut = malloc(size + !size);
		memcpy(cut, log->bytes, size);
		enum dt_err err = take_bytes(cut, size);
		if (size < 8 ? err != DT_ERR_NOT_A_LOG
		    : size < sizeof(struct dt_log_header) ? err != DT_ERR_TRUNCATED : err != DT_ERR_CORRUPT)
			fail_msg("%s: cut at %zu: error %d", name, size, err);
		free(cut);
	}
}

static void test_cut_logs(void **state)
{
	(void)state;
	each_log(check_cuts);
}

static void check_flips(const char *name, const struct textlog *log)
{
	unsigned char *bent = malloc(log->size);
	uint32_t seed = 2463534242u;
	(void)name;
	for (int round = 0; round < 300; round++) {
		memcpy(bent, log->bytes, log->size);
		for (int i = 0; i < 4; i++) {
			seed ^= seed << 13;
			seed ^= seed >> 17;
			seed ^= seed << 5;
			bent[sizeof(struct dt_log_header) + seed % (log->size - sizeof(struct dt_log_header))] ^= (unsigned char)(1u << (seed >> 29));
		}
		take_bytes(bent, log->size);
	}
	free(bent);
}

static void test_bent_logs(void **state)
{
	(void)state;
	each_log(check_flips);
}

static void test_other_versions(void **state)
{
	(void)state;
	struct textlog log;
	textlog_parse(&log, "text", "T1 got A\nexpect none\n");
	struct dt_log_header *header = (void *)log.bytes;
	header->version++;
	assert_int_equal(take_bytes(log.bytes, log.size), DT_ERR_VERSION);
	assert_int_equal(dt_log_version(log.bytes, log.size), DT_LOG_VERSION + 1);
	header->version--;
	header->byte_order = __builtin_bswap32(header->byte_order);
	assert_int_equal(take_bytes(log.bytes, log.size), DT_ERR_BYTE_ORDER);
	header->byte_order = __builtin_bswap32(header->byte_order);
	assert_int_equal(take_bytes(log.bytes, log.size), DT_OK);
	header->magic[0] ^= 1;
	assert_int_equal(take_bytes(log.bytes, log.size), DT_ERR_NOT_A_LOG);
	textlog_free(&log);
}

/* Fails at the n-th allocation; counts what is out. */
struct failing {
	struct dt_alloc alloc;
	unsigned long left;
	size_t out;
};

static void *resize_failing(struct dt_alloc *self, void *block, size_t old_bytes, size_t new_bytes)
{
	struct failing *f = (struct failing *)self;
	if (new_bytes > 0 && f->left-- == 0) {
		f->left = 0;
		return NULL;
	}
	void *moved = dt_alloc_libc.resize(&dt_alloc_libc, block, old_bytes, new_bytes);
	f->out += new_bytes - old_bytes;
	return moved;
}

static void test_no_memory(void **state)
{
	(void)state;
	struct textlog log;
	textlog_parse(&log, "text",
	              "T1 create T2\nT1 create T3\nT2 got A\nT2 got B\nT2 rel B\nT2 rel A\nT3 got B\nT3 got A\nT3 wait C A\n"
	              "T2 got B\nT2 signal C\nT2 rel B\nexpect none\n");
	for (unsigned long n = 0; n < 400; n++) {
		struct failing f = {{resize_failing}, n, 0};
		const struct dt_check_options options = {.want_filtered = true};
		struct dt_facts *facts;
		struct dt_analysis analysis = {0};
		uint64_t bad;
		if (dt_facts_new(&facts, &f.alloc) == DT_OK) {
			dt_log_read(facts, log.bytes, log.size, &bad);
			dt_analyse(facts, &f.alloc, &options, drop, NULL, &analysis);
			dt_facts_free(facts);
		}
		assert_int_equal(f.out, 0);
	}
	textlog_free(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_findings),  cmocka_unit_test(test_cut_logs),  cmocka_unit_test(test_bent_logs),
	    cmocka_unit_test(test_other_versions), cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
