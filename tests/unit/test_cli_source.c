/* Which file and line a finding is shown at, and how its path is placed in a checkout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena.h"
#include "source.h"

/* ROOT/src/a.c and ROOT/top.c exist; LINK is a symbolic link to ROOT. */
static char root[] = "/tmp/detect-source-XXXXXX";
static char *link_to_root;

static void make(const char *name, bool folder)
{
	char *path = must_printf("%s/%s", root, name);
	FILE *file;

	if (folder) {
		assert_int_equal(mkdir(path, 0700), 0);
	} else {
		file = fopen(path, "w");
		assert_non_null(file);
		fclose(file);
	}
	free(path);
}

static int set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(root));
	link_to_root = must_printf("%s.link", root);
	make("src", true);
	make("src/a.c", false);
	make("top.c", false);
	return symlink(root, link_to_root);
}

static int tear_down(void **state)
{
	char *remove = must_printf("rm -r %s %s", root, link_to_root);
	int status = system(remove);

	(void)state;
	free(remove);
	free(link_to_root);
	return status;
}

static void expect(const char *chosen_root, const char *path, const char *placed, bool in_root)
{
	const struct report_frame frame = {.file = path, .line = 7, .column = 3};
	struct source *source = source_open(chosen_root);
	struct spot spot;

	for (int again = 0; again < 2; again++) {
		assert_true(source_frame_spot(source, &frame, &spot));
		assert_string_equal(spot.path, placed);
		assert_int_equal(spot.in_root, in_root);
		assert_true(spot.is_source && spot.line == 7 && spot.column == 3);
	}
	source_close(source);
}

static void expect_below(const char *rest, const char *placed)
{
	char *path = must_printf("%s/%s", root, rest);

	expect(root, path, placed ? placed : path, placed != NULL);
	expect(link_to_root, path, placed ? placed : path, placed != NULL);
	free(path);
	path = must_printf("%s/%s", link_to_root, rest);
	if (placed)
		expect(link_to_root, path, placed, true);
	free(path);
}

static void test_paths(void **state)
{
	char *with_slash = must_printf("%s//", root), *neighbour = must_printf("%s2/top.c", root),
	     *file = must_printf("%s/src/a.c", root);

	(void)state;
	expect_below("src/a.c", "src/a.c");
	expect_below("made/by/a/generator.c", "made/by/a/generator.c"); /* need not exist */
	expect_below("../etc/passwd", NULL);
	expect(with_slash, file, "src/a.c", true);
	expect(root, neighbour, neighbour, false);
	/* compiled with relative paths */
	expect(root, "src/a.c", "src/a.c", true);
	expect(root, "nptl/pthread_create.c", "nptl/pthread_create.c", false);
	expect(root, "../src/a.c", "../src/a.c", false);
	/* compiled elsewhere */
	expect(root, "/builds/project/src/a.c", "src/a.c", true);
	expect(root, "/builds/project/top.c", "/builds/project/top.c", false); /* one part is no proof */
	expect("/", "/usr/include/x.h", "usr/include/x.h", true);
	free(with_slash);
	free(neighbour);
	free(file);
}

static void test_default_root(void **state)
{
	struct source *source;
	char *sub = must_printf("%s/src", root);

	(void)state;
	setenv("GITHUB_WORKSPACE", "/github", 1);
	setenv("CI_PROJECT_DIR", "/gitlab", 1);
	source = source_open(NULL);
	assert_string_equal(source_root(source), "/github");
	source_close(source);
	unsetenv("GITHUB_WORKSPACE");
	source = source_open(NULL);
	assert_string_equal(source_root(source), "/gitlab");
	source_close(source);
	setenv("CI_PROJECT_DIR", "", 1);
	assert_int_equal(chdir(sub), 0);
	source = source_open(NULL);
	assert_string_equal(source_root(source), sub);
	source_close(source);
	make(".git", true);
	source = source_open(NULL);
	assert_string_equal(source_root(source), root);
	source_close(source);
	assert_int_equal(chdir("/"), 0);
	free(sub);
}

static void test_best_frame(void **state)
{
	char *mine = must_printf("%s/src/a.c", root);
	struct report_frame frames[] = {
	    {.function = "pthread_mutex_lock", .module = "/lib/libc.so.6", .offset = 16},
	    {.function = "std::mutex::lock",
	     .file = "/usr/include/std_mutex.h",
	     .line = 1,
	     .module = "/bin/x"},
	    {.function = "work", .file = "/elsewhere/b.c", .line = 2, .module = "/bin/x"},
	    {.function = "mine", .file = mine, .line = 3, .module = "/bin/x"},
	    {.function = "main", .file = mine, .line = 4, .module = "/bin/x"},
	};
	struct report_stack stack = {.frames = frames, .count = 5};
	struct source *source = source_open(root);
	struct spot spot;

	(void)state;
	assert_true(source_spot(source, &stack, &spot));
	assert_int_equal(spot.line, 3);
	stack.count = 3; /* nothing of the checkout */
	assert_true(source_spot(source, &stack, &spot));
	assert_int_equal(spot.line, 2);
	stack.count = 2; /* wrappers only */
	assert_true(source_spot(source, &stack, &spot));
	assert_int_equal(spot.line, 1);
	stack.count = 1; /* no lines */
	assert_true(source_spot(source, &stack, &spot));
	assert_string_equal(spot.path, "/lib/libc.so.6");
	assert_true(!spot.is_source && spot.line == 0 && spot.frame == &frames[0]);
	stack.count = 0;
	assert_false(source_spot(source, &stack, &spot));
	source_close(source);
	free(mine);
}

static void test_main_event(void **state)
{
	struct report_frame frame = {.function = "f"};
	struct report_event events[] = {{.kind = DT_EVENT_HOLD, .stack = {.frames = &frame, .count = 1}},
	                                {.kind = DT_EVENT_ACQUIRE},
	                                {.kind = DT_EVENT_ACQUIRE, .stack = {.frames = &frame, .count = 1}}};
	struct report_finding finding = {.events = events, .event_count = 3};

	(void)state;
	assert_ptr_equal(source_main_event(&finding), &events[2]);
	finding.event_count = 2;
	assert_ptr_equal(source_main_event(&finding), &events[0]);
	events[0].stack.count = 0;
	assert_ptr_equal(source_main_event(&finding), &events[0]);
	finding.event_count = 0;
	assert_null(source_main_event(&finding));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_paths),
	    cmocka_unit_test(test_default_root),
	    cmocka_unit_test(test_best_frame),
	    cmocka_unit_test(test_main_event),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
