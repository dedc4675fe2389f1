/* Text of any bytes into the formats' escapes: what each makes of each kind of byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "json.h"
#include "safe.h"
#include "sarif.h"
#include "xml.h"

struct row {
	const char *text, *expected;
};

static void test_visible(void **state)
{
	static const struct row rows[] = {
	    {"", ""},
	    {"äöü €", "äöü €"},
	    {"a\nb\r\t\x01\x7f", "a\\x0Ab\\x0D\\x09\\x01\\x7F"},
	    {"\xff\xc3(", "\\xFF\\xC3("},
	    {"\xe2\x80\xae", "\\u{202E}"},
	    {"\xef\xbf\xbe\xef\xbf\xbf", "\\u{FFFE}\\u{FFFF}"},
	    {"\xef\xb7\x90", "\\u{FDD0}"},
	    {"\xf4\x8f\xbf\xbf", "\\u{10FFFF}"},
	    {"\xef\xbf\xbd", "\xef\xbf\xbd"},
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(safe_visible(arena, rows[i].text), rows[i].expected);
	arena_free(arena);
}

static void test_xml(void **state)
{
	static const struct row rows[] = {
	    {"plain", "plain"},
	    {"<a b=\"c\">'&amp;", "&lt;a b=&quot;c&quot;&gt;&apos;&amp;amp;"},
	    {"]]>", "]]&gt;"},
	    {"a\nb\x1b", "a\\x0Ab\\x1B"},
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *printed;
		size_t bytes;
		FILE *out = open_memstream(&printed, &bytes);

		assert_non_null(out);
		xml_text(out, arena, rows[i].text);
		assert_int_equal(fclose(out), 0);
		assert_string_equal(printed, rows[i].expected);
		free(printed);
	}
	arena_free(arena);
}

static void test_uri(void **state)
{
	static const struct row rows[] = {
	    {"src/a.c", "src/a.c"},
	    {"/src/a b.c", "file:///src/a%20b.c"},
	    {"C++/x#y?z%41.c", "C%2B%2B/x%23y%3Fz%2541.c"},
	    {"a:b", "a%3Ab"}, /* else a scheme */
	    {"\xc3\xa4\xff\n", "%C3%A4%FF%0A"},
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(sarif_uri(arena, rows[i].text), rows[i].expected);
	arena_free(arena);
}

static void test_json(void **state)
{
	struct arena *arena = arena_new();
	json_t *text = json_text(arena, "\xff\n\x1b"), *words = json_words(arena, "\xff\n\x1b"),
	       *number = json_hexadecimal(UINT64_MAX), *none = json_text(arena, NULL);

	(void)state;
	assert_string_equal(json_string_value(text), "\xef\xbf\xbd\n\x1b");
	assert_string_equal(json_string_value(words), "\\xFF\\x0A\\x1B");
	assert_string_equal(json_string_value(number), "0xffffffffffffffff");
	assert_true(json_is_null(none));
	json_decref(text);
	json_decref(words);
	json_decref(number);
	json_decref(none);
	arena_free(arena);
}

static void test_arena_clear(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	arena_clear(arena);
	for (size_t bytes = 1; bytes < (size_t)1 << 20; bytes *= 3) {
		for (int i = 0; i < 20; i++) {
			unsigned char *piece = arena_alloc(arena, bytes);
			for (size_t at = 0; at < bytes; at++)
				assert_int_equal(piece[at], 0);
			memset(piece, 0xA5, bytes);
		}
		arena_clear(arena);
	}
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_visible), cmocka_unit_test(test_xml),         cmocka_unit_test(test_uri),
	    cmocka_unit_test(test_json),    cmocka_unit_test(test_arena_clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
