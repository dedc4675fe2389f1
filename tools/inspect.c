/* inspect.c: the log and the board are found among the process's mappings by how they begin, so that it does
 * not matter whether they have a file, or one that was deleted. */
#include "inspect.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <detect/log_format.h>

#include "arena.h"
#include "logs.h"
#include "mapped.h"
#include "say.h"

enum { TRIES = 20, HELD_MOST = 1 << 16, LOG_MOST_MB = 4096 };

struct places {
	uint64_t log, board;
	char log_path[4096];
};

static bool read_at(int memory, uint64_t address, void *to, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t got = pread(memory, (char *)to + done, bytes - done, (off_t)(address + done));
		if (got <= 0)
			return false;
		done += (size_t)got;
	}
	return true;
}

/* Without the right to read memory, the files' names are left. */
static void look_at_mapping(int memory, const char *line, struct places *places)
{
	uint64_t start, end;
	char access[5], magic[8];
	int path = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*x %*x:%*x %*u %n", &start, &end, access, &path) < 3 ||
	    access[1] != 'w')
		return;
	const char *name = path ? line + path : "";
	size_t length = strlen(name), suffix = strlen(DT_LOG_SUFFIX);
	if (length > suffix && length < sizeof places->log_path &&
	    !strcmp(name + length - suffix, DT_LOG_SUFFIX))
		strcpy(places->log_path, name);
	if (memory < 0 || !read_at(memory, start, magic, sizeof magic))
		return;
	if (!memcmp(magic, DT_LOG_MAGIC, sizeof magic))
		places->log = start;
	else if (!memcmp(magic, DT_BOARD_MAGIC, sizeof magic))
		places->board = start;
}

static bool find_places(int32_t pid, int memory, struct places *places)
{
	char path[64], *line = NULL;
	size_t room = 0;

	snprintf(path, sizeof path, "/proc/%d/maps", pid);
	FILE *maps = fopen(path, "re");
	if (!maps)
		return false;
	*places = (struct places){0};
	for (ssize_t n; (n = getline(&line, &room, maps)) > 0;) {
		line[n - 1] = '\0';
		look_at_mapping(memory, line, places);
	}
	free(line);
	fclose(maps);
	return true;
}

static const void *map_file(struct inspect *inspect, int which, const char *path, size_t least)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	void *p = NULL;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (size_t)status.st_size >= least)
		p = mapped_open(path, fd, (size_t)status.st_size, true);
	close(fd);
	if (!p)
		return NULL;
	inspect->mapped[which] = p;
	inspect->mapped_bytes[which] = (size_t)status.st_size;
	return p;
}

static char kernel_state(int32_t pid, int32_t tid)
{
	char path[64], text[512];

	snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, tid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t got = read(fd, text, sizeof text - 1);
	close(fd);
	text[got > 0 ? got : 0] = '\0';
	const char *end = strrchr(text, ')');
	return end && end[1] == ' ' ? end[2] : 0;
}

static void copy_held(struct inspect_thread *thread)
{
	size_t count = thread->slot.held_count;

	thread->held = must_realloc(NULL, count, sizeof *thread->held);
	for (size_t i = 0; i < count; i++) {
		const struct dt_board_held *h = &thread->slot.held[i];
		thread->held[i] = (struct inspect_held){h->lock, h->id, h->stack, h->kind, h->mode};
	}
	thread->held_count = count;
	thread->holds_known = true;
}

/* A running thread's held stack, read twice the same. */
static void read_held(int memory, struct inspect_thread *thread)
{
	struct dt_board_thread before, after;
	struct dt_board_entry *entries = NULL;

	for (int i = 0; i < TRIES && !thread->holds_known; i++) {
		if (!read_at(memory, thread->slot.thread_address, &before, sizeof before) ||
		    before.depth > HELD_MOST)
			break;
		entries = must_realloc(entries, before.depth + (size_t)1, sizeof *entries);
		if (before.depth && !read_at(memory, before.held, entries, before.depth * sizeof *entries))
			break;
		if (!read_at(memory, thread->slot.thread_address, &after, sizeof after))
			break;
		thread->holds_known = after.depth == before.depth && after.held == before.held;
	}
	for (uint32_t i = 0; thread->holds_known && i < before.depth; i++) {
		if (!(entries[i].how & DT_BOARD_ENTRY_HELD))
			continue;
		thread->held = must_realloc(thread->held, thread->held_count + 1, sizeof *thread->held);
		thread->held[thread->held_count++] = (struct inspect_held){
		    entries[i].lock, 0, entries[i].stack, entries[i].how & DT_BOARD_ENTRY_KIND,
		    entries[i].how & DT_BOARD_ENTRY_SHARED ? DT_MODE_SHARED : DT_MODE_EXCLUSIVE};
	}
	free(entries);
}

static bool read_slot(int memory, uint64_t address, const struct dt_board_slot *mapped,
                      struct dt_board_slot *to)
{
	for (int i = 0; i < TRIES; i++) {
		uint32_t again = 0;
		if (mapped) {
			memcpy(to, mapped, sizeof *to);
			again = *(const volatile uint32_t *)&mapped->sequence;
		} else if (!read_at(memory, address, to, sizeof *to) ||
		           !read_at(memory, address, &again, sizeof again)) {
			return false;
		}
		if (!(to->sequence & 1) && to->sequence == again)
			return true;
	}
	return false;
}

static void add_thread(struct inspect *inspect, int memory, const struct dt_board_slot *slot)
{
	inspect->threads =
	    must_realloc(inspect->threads, inspect->thread_count + 1, sizeof *inspect->threads);
	struct inspect_thread *thread = &inspect->threads[inspect->thread_count++];
	*thread = (struct inspect_thread){.slot = *slot};
	if (inspect->alive)
		thread->state = kernel_state(inspect->pid, slot->tid);
	if (slot->state == DT_BOARD_BLOCKED && slot->held_count <= DT_BOARD_HELD && !slot->more_count)
		copy_held(thread);
	else if (memory >= 0)
		read_held(memory, thread);
}

static int by_thread(const void *a, const void *b)
{
	const struct inspect_thread *x = a, *y = b;

	return (x->slot.thread > y->slot.thread) - (x->slot.thread < y->slot.thread);
}

static void read_board(struct inspect *inspect, int memory, uint64_t address, const struct dt_board *mapped)
{
	static int32_t owners[DT_BOARD_GROUPS];

	if (mapped)
		memcpy(owners, mapped->owners, sizeof owners);
	else if (!read_at(memory, address + offsetof(struct dt_board, owners), owners, sizeof owners))
		return;
	for (uint32_t i = 0; i < DT_BOARD_SLOTS; i++) {
		struct dt_board_slot slot;
		if (owners[i / DT_BOARD_GROUP] != inspect->pid)
			continue;
		if (read_slot(memory, address + offsetof(struct dt_board, slots) + i * sizeof slot,
		              mapped ? &mapped->slots[i] : NULL, &slot) &&
		    slot.state != DT_BOARD_FREE && slot.pid == inspect->pid)
			add_thread(inspect, memory, &slot);
	}
	if (inspect->thread_count)
		qsort(inspect->threads, inspect->thread_count, sizeof *inspect->threads, by_thread);
}

/* The log as it is now, up to its tail. */
static bool copy_log(struct inspect *inspect, int memory, uint64_t address)
{
	struct dt_log_header header;

	if (!read_at(memory, address, &header, sizeof header) || header.tail_bytes < DT_LOG_HEADER_BYTES ||
	    header.tail_bytes > (uint64_t)LOG_MOST_MB << 20)
		return false;
	inspect->copied = must_realloc(NULL, 1, header.tail_bytes);
	inspect->log = inspect->copied;
	inspect->log_bytes = header.tail_bytes;
	return read_at(memory, address, inspect->copied, header.tail_bytes);
}

static void board_beside(struct inspect *inspect, const char *log_path, int memory)
{
	char *copy = must_printf("%s", log_path), *path = must_printf("%s/%s", dirname(copy), DT_BOARD_NAME);
	const struct dt_board *board = map_file(inspect, 1, path, sizeof *board);

	if (board && !memcmp(board->magic, DT_BOARD_MAGIC, sizeof board->magic) &&
	    board->version == DT_BOARD_VERSION)
		read_board(inspect, memory, 0, board);
	free(path);
	free(copy);
}

static int open_memory(int32_t pid)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/mem", pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

bool inspect_is_pid(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits && digits < 10 && !text[digits];
}

char *inspect_pid(struct inspect *inspect, int32_t pid)
{
	struct places places;

	*inspect = (struct inspect){.pid = pid, .alive = true};
	int memory = open_memory(pid);
	inspect->denied = memory < 0;
	if (!find_places(pid, memory, &places)) {
		char *why =
		    must_printf("process %d: %s", pid, errno == ENOENT ? "there is none" : strerror(errno));
		if (memory >= 0)
			close(memory);
		return why;
	}
	if (places.log && copy_log(inspect, memory, places.log)) {
		if (places.board)
			read_board(inspect, memory, places.board, NULL);
	} else if (*places.log_path &&
	           (inspect->log = map_file(inspect, 0, places.log_path, DT_LOG_HEADER_BYTES))) {
		inspect->log_bytes = inspect->mapped_bytes[0];
		board_beside(inspect, places.log_path, memory);
	}
	if (memory >= 0)
		close(memory);
	if (inspect->log)
		return NULL;
	return must_printf("process %d: %s", pid,
	                   inspect->denied && !*places.log_path
	                       ? "its memory can't be read and it has no log file: try as root"
	                       : "not observed: start it under 'detect run', or with LD_PRELOAD");
}

/* The pid may be another process's by now: it must have this very log mapped. */
static bool has_mapped(int32_t pid, const char *path)
{
	struct places places;
	struct stat mine, its;

	return find_places(pid, -1, &places) && *places.log_path && stat(path, &mine) == 0 &&
	       stat(places.log_path, &its) == 0 && mine.st_dev == its.st_dev && mine.st_ino == its.st_ino;
}

char *inspect_log(struct inspect *inspect, const char *path)
{
	*inspect = (struct inspect){0};
	const struct dt_log_header *header = map_file(inspect, 0, path, DT_LOG_HEADER_BYTES);

	if (!header || memcmp(header->magic, DT_LOG_MAGIC, sizeof header->magic))
		return must_printf("%s: no log", path);
	inspect->log = header;
	inspect->log_bytes = inspect->mapped_bytes[0];
	inspect->pid = header->pid;
	inspect->alive = has_mapped(header->pid, path);
	int memory = inspect->alive ? open_memory(header->pid) : -1;
	inspect->denied = inspect->alive && memory < 0;
	board_beside(inspect, path, memory);
	if (memory >= 0)
		close(memory);
	return NULL;
}

void inspect_close(struct inspect *inspect)
{
	for (size_t i = 0; i < inspect->thread_count; i++)
		free(inspect->threads[i].held);
	free(inspect->threads);
	free(inspect->copied);
	for (int i = 0; i < 2; i++)
		if (inspect->mapped[i])
			mapped_close(inspect->mapped[i], inspect->mapped_bytes[i]);
	*inspect = (struct inspect){0};
}

static void visit_one(char *why, struct inspect *inspect,
                      void (*visit)(void *context, const struct inspect *inspect), void *context)
{
	if (why)
		say_usage("%s", why);
	visit(context, inspect);
	inspect_close(inspect);
}

void inspect_each(const char *target, void (*visit)(void *context, const struct inspect *inspect),
                  void *context)
{
	struct inspect inspect;
	struct log_set logs;

	if (inspect_is_pid(target)) {
		visit_one(inspect_pid(&inspect, atoi(target)), &inspect, visit, context);
		return;
	}
	logs_open(&logs);
	char *why = logs_add(&logs, target);
	if (why)
		say_usage("%s", why);
	logs_sort(&logs);
	for (size_t i = 0; i < logs.count; i++)
		visit_one(inspect_log(&inspect, logs.files[i].path), &inspect, visit, context);
	logs_close(&logs);
}
