/* Every log of tests/logs gives the findings that its expect lines say, from a whole log and fed record by
 * record as the shim does; and its log survives being cut and bent.
 *
 *   expect RULE LEVEL LOCK... [count N]     expect filtered REASON LOCK...     expect none
 *
 * Each finding is expected, and each that is expected is found; what fell to a filter may go unsaid. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <detect/check.h>
#include <detect/log_read.h>

#include "textlog.h"

#ifndef LOGS_DIR
#error "LOGS_DIR: the folder of the text logs"
#endif

enum { FOUND_MAX = 256, TEXT_MAX = 1024, LOCKS_MAX = 64, CHECKS_MAX = 8, LOGS_MIN = 30 };

/* "RULE LEVEL LOCK..." or "filtered REASON LOCK...", the locks in alphabetical order. */
struct found {
	const struct dt_textlog *log;
	struct {
		char text[TEXT_MAX];
		unsigned count;
	} at[FOUND_MAX];
	size_t count;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_names(char *text, const char **names, size_t count)
{
	qsort(names, count, sizeof *names, by_text);
	for (size_t i = 0; i < count; i++) {
		assert_true(strlen(text) + strlen(names[i]) + 2 < TEXT_MAX);
		strcat(strcat(text, " "), names[i]);
	}
}

static void sink(void *context, const struct dt_finding *finding)
{
	static const char *const levels[] = {
	    [DT_LEVEL_NOTE] = "note", [DT_LEVEL_WARNING] = "warning", [DT_LEVEL_ERROR] = "error"};
	struct found *found = context;
	const char *names[LOCKS_MAX];

	assert_true(found->count < FOUND_MAX && finding->lock_count < LOCKS_MAX);
	for (uint32_t i = 0; i < finding->lock_count; i++)
		names[i] = dt_textlog_lock_name(found->log, finding->locks[i]);
	char *text = found->at[found->count].text;
	if (finding->filtered)
		snprintf(text, TEXT_MAX, "filtered %s", dt_reason_name(finding->reason));
	else
		snprintf(text, TEXT_MAX, "%s %s", dt_rules[finding->rule].name, levels[finding->level]);
	add_names(text, names, finding->lock_count);
	found->at[found->count++].count = finding->count;
}

static size_t find(const struct found *found, const char *text)
{
	size_t i = 0;

	while (i < found->count && strcmp(found->at[i].text, text) != 0)
		i++;
	return i;
}

/* An expect line as a finding's text; the count is 0 when it says none. */
static void read_expect(const char *expect, char *text, unsigned *count)
{
	char words[TEXT_MAX], *rest = words;
	const char *names[LOCKS_MAX];
	size_t used = 0;

	assert_true(strlen(expect) < sizeof words);
	strcpy(words, expect);
	const char *first = strtok_r(rest, " \t", &rest), *second = strtok_r(NULL, " \t", &rest), *name;
	assert_non_null(second);
	snprintf(text, TEXT_MAX, "%s %s", first, second);
	*count = 0;
	while ((name = strtok_r(NULL, " \t", &rest))) {
		if (strcmp(name, "count") == 0) {
			name = strtok_r(NULL, " \t", &rest);
			assert_non_null(name);
			*count = (unsigned)atoi(name);
			break;
		}
		assert_true(used < LOCKS_MAX);
		names[used++] = name;
	}
	add_names(text, names, used);
}

static void compare(const char *name, const struct dt_textlog *log, const struct found *found)
{
	static bool expected[FOUND_MAX];
	const char *line;
	bool none = false;

	for (size_t i = 0; i < found->count; i++)
		expected[i] = strncmp(found->at[i].text, "filtered ", 9) == 0;
	for (uint32_t i = 0; (line = dt_textlog_expect(log, i, NULL)); i++) {
		char text[TEXT_MAX];
		unsigned count;
		none |= strcmp(line, "none") == 0;
		if (none)
			break;
		read_expect(line, text, &count);
		size_t at = find(found, text);
		for (size_t k = 0; at == found->count && k < found->count; k++)
			print_message("  found: %s\n", found->at[k].text);
		if (at == found->count)
			fail_msg("%s: not found: %s", name, text);
		if (count && count != found->at[at].count)
			fail_msg("%s: %s: count %u, not %u", name, text, found->at[at].count, count);
		expected[at] = true;
	}
	if (!dt_textlog_expect(log, none, NULL) == !none)
		fail_msg("%s: expect lines are wanted, or none", name);
	for (size_t i = 0; i < found->count; i++)
		if (!expected[i])
			fail_msg("%s: found, but not expected: %s", name, found->at[i].text);
}

static void analyse_whole(const struct dt_textlog *log, struct found *found)
{
	const struct dt_check_options options = {.want_filtered = true};
	struct dt_analysis analysis = {0};
	struct dt_facts *facts;
	size_t size;
	uint64_t bad;

	const void *bytes = dt_textlog_bytes(log, &size);
	assert_int_equal(dt_facts_new(&facts, &dt_alloc_libc), DT_OK);
	assert_int_equal(dt_log_read(facts, bytes, size, &bad), DT_OK);
	assert_int_equal(dt_facts_dangling(facts), 0);
	found->log = log;
	assert_int_equal(dt_analyse(facts, &dt_alloc_libc, &options, sink, found, &analysis), DT_OK);
	assert_false(analysis.bounded);
	dt_facts_free(facts);
}

static void feed(struct dt_facts *facts, struct dt_check_state **states, const struct dt_rec *rec)
{
	const struct dt_rec_sighting *sighting = (const void *)rec;

	assert_int_equal(dt_facts_add(facts, rec, (size_t)rec->words * 8), DT_OK);
	assert_int_equal(dt_facts_settle(facts), DT_OK);
	for (size_t i = 0; rec->type == DT_REC_SIGHTING && dt_checks[i]; i++)
		if (dt_checks[i]->feed)
			assert_int_equal(dt_checks[i]->feed(states[i], sighting->acq, sighting->segment), DT_OK);
}

static void analyse_live(const struct dt_textlog *log, struct found *found)
{
	const struct dt_check_options options = {0};
	struct dt_check_state *states[CHECKS_MAX];
	struct dt_facts *facts;
	size_t size;

	const unsigned char *bytes = dt_textlog_bytes(log, &size);
	found->log = log;
	assert_int_equal(dt_facts_new(&facts, &dt_alloc_libc), DT_OK);
	for (size_t i = 0; dt_checks[i]; i++) {
		assert_true(i < CHECKS_MAX);
		assert_int_equal(dt_checks[i]->open(&states[i], facts, &dt_alloc_libc, &options, sink, found),
		                 DT_OK);
	}
	for (size_t at = DT_LOG_HEADER_BYTES; at < size;) {
		const struct dt_rec *rec = (const void *)(bytes + at);
		at += (size_t)rec->words * 8;
		feed(facts, states, rec);
	}
	for (size_t i = 0; dt_checks[i]; i++) {
		assert_int_equal(dt_checks[i]->finish(states[i]), DT_OK);
		dt_checks[i]->close(states[i]);
	}
	dt_facts_free(facts);
}

static void all_of_one_in_the_other(const char *name, const struct found *one, const struct found *other)
{
	for (size_t i = 0; i < one->count; i++)
		if (strncmp(one->at[i].text, "filtered ", 9) != 0 &&
		    find(other, one->at[i].text) == other->count)
			fail_msg("%s: not found both live and in the end: %s", name, one->at[i].text);
}

static struct dt_textlog *read_log(const char *folder, const char *name)
{
	static char text[1 << 18];
	struct dt_textlog_error error;
	struct dt_textlog *log;

	snprintf(text, sizeof text, "%s/%s", folder, name);
	FILE *in = fopen(text, "r");
	assert_non_null(in);
	size_t size = fread(text, 1, sizeof text, in);
	fclose(in);
	assert_in_range(size, 1, sizeof text - 1);
	if (dt_textlog_read(&log, &dt_alloc_libc, text, size, &error) != DT_OK)
		fail_msg("%s:%u: %s", name, error.line, error.text);
	return log;
}

static void each_log(void (*visit)(const char *name, const struct dt_textlog *log))
{
	DIR *folder = opendir(LOGS_DIR);
	struct dirent *entry;
	unsigned count = 0;

	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		size_t length = strlen(entry->d_name);
		if (length < 4 || strcmp(entry->d_name + length - 4, ".log") != 0)
			continue;
		struct dt_textlog *log = read_log(LOGS_DIR, entry->d_name);
		visit(entry->d_name, log);
		dt_textlog_free(log);
		count++;
	}
	closedir(folder);
	assert_true(count >= LOGS_MIN);
}

static void check_findings(const char *name, const struct dt_textlog *log)
{
	struct found *whole = calloc(1, sizeof *whole), *live = calloc(1, sizeof *live);

	assert_true(whole && live);
	analyse_whole(log, whole);
	compare(name, log, whole);
	analyse_live(log, live);
	all_of_one_in_the_other(name, whole, live);
	all_of_one_in_the_other(name, live, whole);
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
	struct dt_analysis analysis = {0};
	struct dt_facts *facts;
	uint64_t bad = 0;

	assert_int_equal(dt_facts_new(&facts, &dt_alloc_libc), DT_OK);
	enum dt_err err = dt_log_read(facts, bytes, size, &bad);
	assert_true(bad <= size);
	assert_int_equal(dt_analyse(facts, &dt_alloc_libc, &options, drop, NULL, &analysis), DT_OK);
	dt_facts_free(facts);
	return err;
}

/* At each word; test_log_read.c does it at each byte. */
static void check_cuts(const char *name, const struct dt_textlog *log)
{
	size_t size;
	const void *bytes = dt_textlog_bytes(log, &size);

	for (size_t left = DT_LOG_HEADER_BYTES; left < size; left += 8) {
		/* A block of its own size, so that a sanitizer sees a read past it. */
		unsigned char *cut = malloc(left);
		assert_non_null(cut);
		memcpy(cut, bytes, left);
		if (take_bytes(cut, left) != DT_ERR_CORRUPT)
			fail_msg("%s: cut at %zu: not said", name, left);
		free(cut);
	}
}

static void test_cut_logs(void **state)
{
	(void)state;
	each_log(check_cuts);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static void check_flips(const char *name, const struct dt_textlog *log)
{
	size_t size;
	const void *bytes = dt_textlog_bytes(log, &size);
	unsigned char *bent = malloc(size);
	uint32_t seed = 2463534242u;

	(void)name;
	assert_non_null(bent);
	for (int round = 0; round < 300; round++) {
		memcpy(bent, bytes, size);
		for (int i = 0; i < 4; i++) {
			uint32_t at = next_random(&seed), bit = next_random(&seed) % 8;
			bent[DT_LOG_HEADER_BYTES + at % (size - DT_LOG_HEADER_BYTES)] ^=
			    (unsigned char)(1u << bit);
		}
		take_bytes(bent, size);
	}
	free(bent);
}

static void test_bent_logs(void **state)
{
	(void)state;
	each_log(check_flips);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_findings),
	    cmocka_unit_test(test_cut_logs),
	    cmocka_unit_test(test_bent_logs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
