/* The small pieces that names and messages are made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "names.h"
#include "near.h"
#include "places.h"
#include "safe.h"

static void assert_printed(const char *text, const char *expected)
{
	char *printed;
	size_t bytes;
	FILE *out = open_memstream(&printed, &bytes);

	assert_non_null(out);
	safe_print(out, text);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(printed, expected);
	free(printed);
}

static void test_safe_print(void **state)
{
	(void)state;
	assert_printed("plain `text` äöü €", "plain `text` äöü €");
	assert_printed("a\nb\t\033[31m\177", "a\\x0Ab\\x09\\x1B[31m\\x7F");
	assert_printed("\xff\xc3", "\\xFF\\xC3");
	assert_printed("\xc2\x9b"
	               "31m",
	               "\\x9B31m");
	assert_printed("\xe2\x80\xae"
	               "txt",
	               "\\u{202E}txt");
	assert_printed("\xf0\x9f\x94\x92", "\xf0\x9f\x94\x92");
}

static void test_safe_utf8(void **state)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
	    {"", ""},
	    {"a\xc3\xa4", "a\xc3\xa4"},
	    {"\xff"
	     "a",
	     "\xef\xbf\xbd"
	     "a"},
	    {"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},                                 /* overlong */
	    {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                 /* surrogate */
	    {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* too large */
	    {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},                                 /* cut */
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(safe_utf8(arena, rows[i].text), rows[i].expected);
	arena_free(arena);
}

static const char *nth_command(size_t index)
{
	static const char *const names[] = {"run", "report", "explain", NULL};

	return names[index];
}

static void test_near(void **state)
{
	(void)state;
	assert_string_equal(near_find("reprot", nth_command), "report");
	assert_string_equal(near_find("rnu", nth_command), "run");
	assert_string_equal(near_find("explian", nth_command), "explain");
	assert_null(near_find("valgrind", nth_command));
	assert_null(near_find("", nth_command));
}

static void test_bare_names(void **state)
{
	static const struct {
		const char *function, *bare;
	} rows[] = {
	    {"transfer", "transfer"},
	    {"transfer.constprop.0", "transfer"},
	    {"work.part.1.cold", "work"},
	    {"Bank::transfer(int, std::string const&)", "Bank::transfer"},
	    {"std::vector<int> make<int>(int, char)", "make<int>"},
	    {"void (anonymous namespace)::go(int)", "(anonymous namespace)::go"},
	    {"Map<int (*)(char)>::get(int) const", "Map<int (*)(char)>::get"},
	    {"operator new(unsigned long)", "operator new"},
	    {"Pool::operator()(int) const", "Pool::operator()"},
	    {"main::{lambda()#1}::operator()() const", "main::{lambda()#1}::operator()"},
	    {"out<<(int)", "out<<(int)"},
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(places_bare_name(arena, rows[i].function), rows[i].bare);
	arena_free(arena);
}

static void test_places(void **state)
{
	struct report_frame frames[] = {
	    {.function = "operator new(unsigned long)"},
	    {.function = "std::allocator_traits<std::allocator<Cache> >::allocate(std::allocator<Cache>&, "
	                 "unsigned long)"},
	    {.module = "/lib/stripped.so"},
	    {.function = "cache_new"},
	    {.function = "main"},
	};
	struct report_stack stack = {.frames = frames, .count = 5};

	(void)state;
	assert_ptr_equal(places_find(&stack), &frames[3]);
	stack.count = 3;
	assert_ptr_equal(places_find(&stack), &frames[0]);
	stack.count = 0;
	assert_null(places_find(&stack));
	assert_true(places_is_place(&(struct report_frame){.function = "handle(std::mutex&)"}));
	assert_false(places_is_place(&(struct report_frame){.function = "void std::__invoke<int>(int)"}));
	assert_false(places_is_place(&(struct report_frame){.function = "malloc"}));
	assert_true(places_is_place(&(struct report_frame){.function = "malloc_stats_loop"}));
}

static void test_numbers_on_equal_names(void **state)
{
	struct report_lock locks[] = {
	    {.name = "a"}, {.name = "b"}, {.name = "a"}, {.name = "c"}, {.name = "a"}};
	struct arena *arena = arena_new();

	(void)state;
	names_number(arena, locks, 5);
	assert_string_equal(locks[0].name, "a #1");
	assert_string_equal(locks[1].name, "b");
	assert_string_equal(locks[2].name, "a #2");
	assert_string_equal(locks[3].name, "c");
	assert_string_equal(locks[4].name, "a #3");
	arena_free(arena);
}

static void test_frame_words(void **state)
{
	struct arena *arena = arena_new();
	struct report_frame frame = {.function = "cache_new(int)",
	                             .file = "/src/cache.c",
	                             .line = 88,
	                             .module = "/usr/lib/libcache.so",
	                             .offset = 0x12};

	(void)state;
	assert_string_equal(names_frame(arena, &frame), "cache.c:88 in cache_new");
	frame.file = NULL;
	assert_string_equal(names_frame(arena, &frame), "cache_new (libcache.so+0x12)");
	frame.function = NULL;
	assert_string_equal(names_frame(arena, &frame), "libcache.so+0x12");
	assert_null(names_frame(arena, NULL));
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_safe_print),  cmocka_unit_test(test_safe_utf8),
	    cmocka_unit_test(test_near),        cmocka_unit_test(test_bare_names),
	    cmocka_unit_test(test_places),      cmocka_unit_test(test_numbers_on_equal_names),
	    cmocka_unit_test(test_frame_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
