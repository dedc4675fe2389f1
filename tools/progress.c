/* A thread that wakes five times a second and draws what was last said. The caller only copies two
 * numbers and a short text, so it need not know the time or the terminal. */
#include "progress.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "safe.h"
#include "say.h"

#define FIRST_NS 1000000000u
#define NEXT_NS 200000000u
#define WHAT_BYTES 128

static struct {
	pthread_t thread;
	bool open, drawn;
	struct timespec since;
	const char *doing; /* NULL: nothing yet */
	uint64_t done, total;
	char what[WHAT_BYTES];
} state;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards state and the line on the terminal */
static pthread_cond_t closing;

/* Columns of the terminal that may be used: the last one would wrap on some. */
static size_t columns(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u : 79;
}

static size_t cut_at_columns(const char *text, size_t most)
{
	const char *at = text;
	uint32_t point;

	for (size_t used = 0; *at && used < most; used++) {
		size_t length = safe_utf8_next(at, &point);
		at += length ? length : 1;
	}
	return (size_t)(at - text);
}

static long long seconds_since(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)(now.tv_sec - then->tv_sec) - (now.tv_nsec < then->tv_nsec);
}

static void draw(void)
{
	char total[32] = "", line[512];
	char *text;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return;
	if (state.total)
		snprintf(total, sizeof(total), " of %" PRIu64, state.total);
	snprintf(line, sizeof(line), "%s: %s %" PRIu64 "%s, %lld s%s", say_name(), state.doing, state.done,
	         total, seconds_since(&state.since), *state.what ? ": " : "");
	safe_print(out, line);
	safe_print(out, state.what);
	if (fclose(out) == 0) {
		fprintf(stderr, "\r%.*s\033[K", (int)cut_at_columns(text, columns()), text);
		fflush(stderr);
		state.drawn = true;
	}
	free(text);
}

static void erase(void)
{
	if (!state.drawn)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	state.drawn = false;
}

static void add_ns(struct timespec *when, uint64_t ns)
{
	ns += (uint64_t)when->tv_nsec;
	when->tv_sec += (time_t)(ns / 1000000000u);
	when->tv_nsec = (long)(ns % 1000000000u);
}

static void *draw_now_and_then(void *unused)
{
	struct timespec next;

	pthread_mutex_lock(&lock);
	next = state.since;
	add_ns(&next, FIRST_NS);
	while (state.open) {
		if (pthread_cond_timedwait(&closing, &lock, &next) == 0)
			continue;
		if (state.doing)
			draw();
		clock_gettime(CLOCK_MONOTONIC, &next);
		add_ns(&next, NEXT_NS);
	}
	erase();
	pthread_mutex_unlock(&lock);
	return unused;
}

static bool can_draw(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb");
}

void progress_open(void)
{
	pthread_condattr_t attributes;

	if (state.open || !can_draw() || pthread_condattr_init(&attributes))
		return;
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&closing, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_lock(&lock);
	clock_gettime(CLOCK_MONOTONIC, &state.since);
	state.open = pthread_create(&state.thread, NULL, draw_now_and_then, NULL) == 0;
	pthread_mutex_unlock(&lock);
}

void progress_show(const char *doing, uint64_t done, uint64_t total, const char *what)
{
	if (!state.open)
		return;
	pthread_mutex_lock(&lock);
	state.doing = doing;
	state.done = done;
	state.total = total;
	state.what[0] = '\0';
	if (what)
		strncat(state.what, what, sizeof(state.what) - 1);
	pthread_mutex_unlock(&lock);
}

void progress_erase(void)
{
	if (!state.open)
		return;
	pthread_mutex_lock(&lock);
	erase();
	pthread_mutex_unlock(&lock);
}

void progress_close(void)
{
	if (!state.open)
		return;
	pthread_mutex_lock(&lock);
	state.open = false;
	pthread_cond_signal(&closing);
	pthread_mutex_unlock(&lock);
	pthread_join(state.thread, NULL);
	pthread_cond_destroy(&closing);
}
