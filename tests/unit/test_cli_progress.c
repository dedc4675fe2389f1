/* The progress line, on a terminal of the test's own in stderr's place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "progress.h"
#include "say.h"

struct terminal {
	int master, kept_stderr;
	size_t bytes;
	char said[1 << 16]; /* what was drawn, as far as it was listened to */
};

static void terminal_begin(struct terminal *terminal)
{
	const struct winsize size = {.ws_row = 24, .ws_col = 60};
	int slave;

	memset(terminal, 0, sizeof(*terminal));
	assert_int_equal(openpty(&terminal->master, &slave, NULL, NULL, &size), 0);
	assert_int_equal(fcntl(terminal->master, F_SETFL, O_NONBLOCK), 0);
	terminal->kept_stderr = dup(STDERR_FILENO);
	assert_int_equal(dup2(slave, STDERR_FILENO), STDERR_FILENO);
	close(slave);
	assert_int_equal(setenv("TERM", "xterm", 1), 0);
	say_set_name("detect report");
}

static void listen(struct terminal *terminal)
{
	ssize_t bytes = read(terminal->master, terminal->said + terminal->bytes,
	                     sizeof(terminal->said) - 1 - terminal->bytes);

	terminal->bytes += bytes > 0 ? (size_t)bytes : 0;
	terminal->said[terminal->bytes] = '\0';
}

static void terminal_end(struct terminal *terminal)
{
	listen(terminal);
	dup2(terminal->kept_stderr, STDERR_FILENO);
	close(terminal->kept_stderr);
	close(terminal->master);
}

static void wait_ms(unsigned ms)
{
	usleep(ms * 1000);
}

/* Until the terminal shows it: on a busy machine the line can be late. */
static const char *wait_for(struct terminal *terminal, const char *text)
{
	const char *found = NULL;

	for (int tries = 0; !found && tries < 1000; tries++) {
		wait_ms(10);
		listen(terminal);
		found = strstr(terminal->said, text);
	}
	return found;
}

static void test_appears_after_a_second_and_goes(void **unused)
{
	struct terminal terminal;
	const char *first, *line, *second;

	(void)unused;
	terminal_begin(&terminal);
	progress_open();
	progress_show("log", 3, 1000, "logs/a.dtlog");
	first = wait_for(&terminal, " s: logs/a.dtlog\033[K");
	progress_show("log", 4, 1000, "logs/b.dtlog");
	say("a line");
	line = wait_for(&terminal, "\r\033[Kdetect report: a line\r\n");
	second = wait_for(&terminal, " s: logs/b.dtlog\033[K");
	progress_close();
	terminal_end(&terminal);

	assert_true(first && line && second);
	assert_true(first < line && line < strstr(line, " s: logs/b.dtlog\033[K"));
	assert_non_null(strstr(terminal.said, "\rdetect report: log 3 of 1000, "));
	assert_non_null(strstr(terminal.said, "\rdetect report: log 4 of 1000, "));
	assert_string_equal(terminal.said + strlen(terminal.said) - 4, "\r\033[K");
}

static void test_hostile_and_long_names(void **unused)
{
	char name[300];
	struct terminal terminal;

	(void)unused;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	memcpy(name, "\033[31m\n\xff", 7);
	terminal_begin(&terminal);
	progress_open();
	progress_show("log", 1, 0, name);
	assert_non_null(wait_for(&terminal, "\\x1B[31m\\x0A\\xFF"));
	progress_close();
	terminal_end(&terminal);
	assert_null(strstr(terminal.said, "\033[31m"));
	assert_null(strchr(terminal.said, '\n'));
	/* One column less than the terminal has, so that it never wraps. */
	assert_int_equal(strcspn(terminal.said + 1, "\033"), 59);
}

static void expect_silence(const char *term, unsigned ms)
{
	struct terminal terminal;

	terminal_begin(&terminal);
	setenv("TERM", term, 1);
	progress_open();
	progress_show("log", 1, 2, NULL);
	wait_ms(ms);
	progress_close();
	progress_show("log", 2, 2, NULL);
	progress_erase();
	terminal_end(&terminal);
	assert_string_equal(terminal.said, "");
}

static void test_silent(void **unused)
{
	(void)unused;
	expect_silence("xterm", 100); /* a short command */
	expect_silence("dumb", 1200);
	expect_silence("", 1200);
}

static void test_not_on_a_terminal(void **unused)
{
	int ends[2], kept = dup(STDERR_FILENO);
	char byte;

	(void)unused;
	assert_int_equal(pipe(ends), 0);
	setenv("TERM", "xterm", 1);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	progress_open();
	progress_show("log", 1, 2, NULL);
	wait_ms(1200);
	progress_close();
	dup2(kept, STDERR_FILENO);
	close(kept);
	assert_int_equal(read(ends[0], &byte, 1), 0);
	close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_appears_after_a_second_and_goes),
	    cmocka_unit_test(test_hostile_and_long_names),
	    cmocka_unit_test(test_silent),
	    cmocka_unit_test(test_not_on_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
