/* Lines of sources: those around what is wanted, each once; no file that is no source; none that is not
 * there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "excerpts.h"

enum { LINES = 40 };

struct world {
	char folder[64], path[128];
	struct source *source;
	struct excerpts *excerpts;
};

static void make_file(const char *path)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	for (int line = 1; line <= LINES; line++)
		fprintf(out, line == 20 ? "line %d \xff%s\r\n" : "line %d%s\n", line,
		        line == 21 ? "</script>" : "");
	assert_int_equal(fclose(out), 0);
}

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	strcpy(world->folder, "/tmp/test-excerpts-XXXXXX");
	assert_non_null(mkdtemp(world->folder));
	snprintf(world->path, sizeof(world->path), "%s/bank.c", world->folder);
	make_file(world->path);
	world->source = source_open(world->folder);
	world->excerpts = excerpts_open(world->source);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	excerpts_close(world->excerpts);
	source_close(world->source);
	unlink(world->path);
	rmdir(world->folder);
	free(world);
	return 0;
}

static int want(struct world *world, const char *file, unsigned line)
{
	const struct report_frame frame = {.file = file, .line = line};

	return excerpts_want(world->excerpts, &frame);
}

static void lines_around(void **state)
{
	struct world *world = *state;

	assert_int_equal(want(world, world->path, 20), 0);
	assert_int_equal(want(world, world->path, 3), 0);
	assert_int_equal(want(world, world->path, 22), 0);
	assert_int_equal(want(world, world->path, 4000), 0);
	json_t *file = excerpts_next(world->excerpts, 0);
	assert_string_equal(json_string_value(json_object_get(file, "path")), "bank.c");
	json_t *lines = json_object_get(file, "lines");
	for (int line = 1; line <= LINES; line++) {
		char key[16];
		snprintf(key, sizeof(key), "%d", line);
		bool wanted = line <= 8 || (line >= 15 && line <= 27);
		assert_int_equal(json_object_get(lines, key) != NULL, wanted);
	}
	assert_string_equal(json_string_value(json_object_get(lines, "19")), "line 19");
	assert_string_equal(json_string_value(json_object_get(lines, "20")), "line 20 \xef\xbf\xbd");
	assert_string_equal(json_string_value(json_object_get(lines, "21")), "line 21</script>");
	json_decref(file);
	assert_null(excerpts_next(world->excerpts, 0));
}

static void changed_after_the_run(void **state)
{
	struct world *world = *state;
	const struct timespec times[2] = {{.tv_sec = 2000}, {.tv_sec = 2000}};

	assert_int_equal(utimensat(AT_FDCWD, world->path, times, 0), 0);
	assert_int_equal(want(world, world->path, 20), 0);
	json_t *file = excerpts_next(world->excerpts, 1999 * (uint64_t)1000000000);
	assert_true(json_is_true(json_object_get(file, "newer")));
	json_decref(file);
}

static void not_changed(void **state)
{
	struct world *world = *state;
	const struct timespec times[2] = {{.tv_sec = 2000}, {.tv_sec = 2000}};

	assert_int_equal(utimensat(AT_FDCWD, world->path, times, 0), 0);
	assert_int_equal(want(world, world->path, 20), 0);
	json_t *file = excerpts_next(world->excerpts, 2001 * (uint64_t)1000000000);
	assert_false(json_is_true(json_object_get(file, "newer")));
	json_decref(file);
}

/* Debug information can name any file; a report must not carry it away. */
static void only_sources(void **state)
{
	static const char *const files[] = {"/etc/passwd",         "/etc/shadow", "/proc/self/environ",
	                                    "/home/x/.ssh/id.rsa", "/dev/zero",   "",
	                                    "/x.c/passwd",         "/etc/"};
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		assert_int_equal(want(world, files[i], 1), -1);
	assert_int_equal(want(world, NULL, 1), -1);
	assert_int_equal(want(world, world->path, 0), -1);
	assert_null(excerpts_next(world->excerpts, 0));
}

/* Neither waits for a pipe nor takes what is not there. */
static void nothing_to_read(void **state)
{
	struct world *world = *state;
	char pipe[128], missing[128];

	snprintf(pipe, sizeof(pipe), "%s/pipe.c", world->folder);
	snprintf(missing, sizeof(missing), "%s/missing.c", world->folder);
	assert_int_equal(mkfifo(pipe, 0600), 0);
	assert_int_equal(want(world, pipe, 1), 0);
	assert_int_equal(want(world, missing, 1), 1);
	assert_int_equal(want(world, "/", 1), -1);
	for (int i = 0; i < 2; i++) {
		json_t *file = excerpts_next(world->excerpts, 0);
		assert_int_equal(json_object_size(json_object_get(file, "lines")), 0);
		json_decref(file);
	}
	assert_null(excerpts_next(world->excerpts, 0));
	unlink(pipe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(lines_around, setup, teardown),
	    cmocka_unit_test_setup_teardown(changed_after_the_run, setup, teardown),
	    cmocka_unit_test_setup_teardown(not_changed, setup, teardown),
	    cmocka_unit_test_setup_teardown(only_sources, setup, teardown),
	    cmocka_unit_test_setup_teardown(nothing_to_read, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
