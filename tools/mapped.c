/* The handler may only look at what is there and write: each mapping has its line ready. */
#include "mapped.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arena.h"
#include "safe.h"
#include "say.h"

struct mapping {
	struct mapping *next;
	uintptr_t start;
	size_t bytes;
	char *line;
};

static struct mapping *mappings;

static void on_bus_error(int signal_number, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr;

	(void)context;
	for (const struct mapping *m = mappings; m; m = m->next)
		if (at - m->start < m->bytes) {
			ssize_t written = write(STDERR_FILENO, m->line, strlen(m->line));
			(void)written;
			_exit(STATUS_USAGE);
		}
	signal(signal_number,
	       SIG_DFL); /* not ours: the instruction is tried again, and ends us as it would have */
}

static void watch(void)
{
	struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};

	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, NULL);
}

static char *line_about(const char *path)
{
	struct arena *arena = arena_new();
	char *line = must_printf(
	    "%s: %s: it was cut short while it was read; is something still writing or removing it? Read "
	    "a copy\n",
	    say_name(), safe_visible(arena, path));

	arena_free(arena);
	return line;
}

void *mapped_open(const char *path, int fd, size_t bytes, bool shared)
{
	void *start = mmap(NULL, bytes, PROT_READ, shared ? MAP_SHARED : MAP_PRIVATE, fd, 0);

	if (start == MAP_FAILED)
		return NULL;
	struct mapping *mapping = must_realloc(NULL, 1, sizeof *mapping);
	*mapping = (struct mapping){mappings, (uintptr_t)start, bytes, line_about(path)};
	if (!mappings)
		watch();
	mappings = mapping;
	return start;
}

void mapped_close(const void *start, size_t bytes)
{
	for (struct mapping **at = &mappings; *at; at = &(*at)->next) {
		struct mapping *mapping = *at;
		if (mapping->start != (uintptr_t)start)
			continue;
		*at = mapping->next;
		free(mapping->line);
		free(mapping);
		break;
	}
	munmap((void *)(uintptr_t)start, bytes);
}
