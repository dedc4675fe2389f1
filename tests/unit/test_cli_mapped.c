/* Files cut short while they are mapped: one line and an end, but only for those. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "mapped.h"
#include "say.h"

enum { BYTES = 3 * 65536 };

struct file {
	char path[64];
	int fd;
};

static void make(struct file *file)
{
	strcpy(file->path, "/tmp/mapped-XXXXXX");
	file->fd = mkstemp(file->path);
	assert_true(file->fd >= 0);
	assert_int_equal(ftruncate(file->fd, BYTES), 0);
}

static void drop(struct file *file)
{
	unlink(file->path);
	close(file->fd);
}

/* In a child, whose stderr is kept in `said`: its wait status. */
static int in_child(void (*act)(struct file *file), struct file *file, char *said, size_t room)
{
	int pipes[2], status;

	assert_int_equal(pipe(pipes), 0);
	pid_t child = fork();
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		dup2(pipes[1], STDERR_FILENO);
		act(file);
		_exit(0);
	}
	close(pipes[1]);
	size_t got = 0;
	for (ssize_t n; (n = read(pipes[0], said + got, room - 1 - got)) > 0;)
		got += (size_t)n;
	said[got] = '\0';
	close(pipes[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static char last_of(const void *start)
{
	return ((const volatile char *)start)[BYTES - 1];
}

static void read_whole(struct file *file)
{
	const void *start = mapped_open(file->path, file->fd, BYTES, true);

	last_of(start);
	mapped_close(start, BYTES);
}

static void read_cut(struct file *file)
{
	const void *start = mapped_open(file->path, file->fd, BYTES, true);

	if (ftruncate(file->fd, 100) == 0)
		last_of(start);
}

static void read_cut_of_others(struct file *file)
{
	struct file other;

	make(&other);
	mapped_open(other.path, other.fd, BYTES, false);
	drop(&other);
	const void *start = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, file->fd, 0);
	if (ftruncate(file->fd, 100) == 0)
		last_of(start);
}

static void test_cut(void **state)
{
	struct file file;
	char said[512], wanted[512];

	(void)state;
	say_set_name("detect report");
	make(&file);
	assert_int_equal(in_child(read_whole, &file, said, sizeof said), 0);
	assert_string_equal(said, "");
	int status = in_child(read_cut, &file, said, sizeof said);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), STATUS_USAGE);
	snprintf(wanted, sizeof wanted, "detect report: %s: it was cut short while it was read; ", file.path);
	assert_memory_equal(said, wanted, strlen(wanted));
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
	drop(&file);
}

static void test_cut_elsewhere(void **state)
{
	struct file file;
	char said[512];

	(void)state;
	make(&file);
	int status = in_child(read_cut_of_others, &file, said, sizeof said);
#ifdef __SANITIZE_ADDRESS__
	assert_int_not_equal(status, 0);
#else
	assert_true(WIFSIGNALED(status));
	assert_string_equal(said, "");
#endif
	drop(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cut), cmocka_unit_test(test_cut_elsewhere)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
