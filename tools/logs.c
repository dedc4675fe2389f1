/* The header is checked here, before anything is analysed, so that a wrong argument is refused at
 * once; the records are read by libdetect's dt_log_read when the log's turn comes. */
#include "logs.h"

#include <detect/log_read.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena.h"
#include "mapped.h"
#include "say.h"
#include "store.h"

void logs_open(struct log_set *set)
{
	memset(set, 0, sizeof(*set));
}

void logs_close(struct log_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		mapped_close(set->files[i].bytes, set->files[i].size);
		free(set->files[i].path);
	}
	for (size_t i = 0; i < set->notice_count; i++)
		free(set->notices[i]);
	free(set->files);
	free(set->notices);
	memset(set, 0, sizeof(*set));
}

void logs_rest(const struct log_file *log)
{
	madvise((void *)(uintptr_t)log->bytes, log->size, MADV_DONTNEED);
}

/* Of a file's mapping the kernel only forgets where the pages are. */
static void give_back(void *context, uint64_t offset)
{
	const struct log_file *log = context;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	madvise((void *)(uintptr_t)log->bytes, (size_t)offset & ~(page - 1), MADV_DONTNEED);
}

enum dt_err logs_read(const struct log_file *log, struct dt_facts **facts, uint64_t *bad_offset)
{
	const struct dt_log_reader reader = {give_back, (void *)(uintptr_t)log};
	enum dt_err err = dt_facts_new(facts, &dt_alloc_libc);

	err = err ? err : dt_log_read_along(*facts, log->bytes, log->size, bad_offset, &reader);
	if (err == DT_ERR_NOMEM)
		say_out_of_memory();
	logs_rest(log);
	return err;
}

/* Why these bytes are no log that can be read, or NULL. */
static char *refuse_header(const char *path, const void *bytes, size_t size)
{
	const struct dt_log_header *header = bytes;

	static const char no_magic[sizeof(header->magic)];

	if (size >= sizeof(*header) && !memcmp(header->magic, no_magic, sizeof(header->magic)))
		return must_printf(
		    "%s: not a libdetect log: all zeros, as of a process killed before its log began", path);
	if (size < sizeof(header->magic) || memcmp(header->magic, DT_LOG_MAGIC, sizeof(header->magic)))
		return must_printf("%s: not a libdetect log%s", path,
		                   store_is_place(path)
		                       ? " but merged facts, which 'detect report' and 'detect graph' read"
		                       : "");
	if (size < DT_LOG_HEADER_BYTES)
		return must_printf("%s: a log cut off inside its header (%zu bytes)", path, size);
	if (header->byte_order == __builtin_bswap32(DT_LOG_BYTE_ORDER))
		return must_printf("%s: a log of a machine of the other byte order", path);
	if (header->version != DT_LOG_VERSION)
		return must_printf("%s: log format version %u, but this detect reads version %u", path,
		                   dt_log_version(bytes, size), DT_LOG_VERSION);
	if (header->byte_order != DT_LOG_BYTE_ORDER)
		return must_printf("%s: corrupt at offset %zu (byte order mark)", path,
		                   offsetof(struct dt_log_header, byte_order));
	if (header->header_bytes < sizeof(*header) || header->header_bytes % 8 || header->header_bytes > size)
		return must_printf("%s: corrupt at offset %zu (size of the header)", path,
		                   offsetof(struct dt_log_header, header_bytes));
	return NULL;
}

static bool is_known(const struct log_set *set, const struct stat *st)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->files[i].device == st->st_dev && set->files[i].inode == st->st_ino)
			return true;
	return false;
}

static char *map_file(struct log_set *set, const char *path, int fd, const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return must_printf("%s: not a file or a folder", path);
	if (is_known(set, st))
		return NULL;
	if (st->st_size == 0)
		return must_printf("%s: not a libdetect log: it is empty", path);
	size_t size = (size_t)st->st_size;
	void *bytes = mapped_open(path, fd, size, true);
	if (!bytes)
		return must_printf("%s: %s", path, strerror(errno));
	char *why = refuse_header(path, bytes, size);
	if (why) {
		mapped_close(bytes, size);
		return why;
	}
	const struct dt_log_header *header = bytes;
	set->files = must_realloc(set->files, set->count + 1, sizeof(*set->files));
	set->files[set->count++] = (struct log_file){
	    .path = must_printf("%s", path),
	    .bytes = bytes,
	    .size = size,
	    .device = st->st_dev,
	    .inode = st->st_ino,
	    .pid = header->pid,
	    .start_ns = header->start_ns,
	};
	return NULL;
}

static bool has_suffix(const char *name)
{
	size_t length = strlen(name), suffix = strlen(DT_LOG_SUFFIX);

	return length > suffix && strcmp(name + length - suffix, DT_LOG_SUFFIX) == 0;
}

static int is_log_name(const struct dirent *entry)
{
	return has_suffix(entry->d_name);
}

static char *add_file(struct log_set *set, const char *path)
{
	/* Non-blocking: a FIFO of that name must not hang us. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		char *why = must_printf("%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return why;
	}
	char *why = map_file(set, path, fd, &st);
	close(fd);
	return why;
}

static void add_notice(struct log_set *set, char *notice)
{
	set->notices = must_realloc(set->notices, set->notice_count + 1, sizeof(*set->notices));
	set->notices[set->notice_count++] = notice;
}

static char *add_folder(struct log_set *set, const char *folder)
{
	struct dirent **entries;
	int entry_count = scandir(folder, &entries, is_log_name, alphasort);
	size_t refused = 0;
	char *first_why = NULL;

	if (entry_count < 0)
		return must_printf("%s: %s", folder, strerror(errno));
	for (int i = 0; i < entry_count; i++) {
		char *path = must_printf("%s/%s", folder, entries[i]->d_name);
		char *why = add_file(set, path);

		if (why && refused++ == 0)
			first_why = must_printf("%s", why);
		if (why)
			add_notice(set, why);
		free(path);
		free(entries[i]);
	}
	free(entries);
	if (entry_count == 0)
		return must_printf("%s: no logs (*%s) in this folder", folder, DT_LOG_SUFFIX);
	if (refused == (size_t)entry_count)
		return first_why;
	free(first_why);
	return NULL;
}

char *logs_add(struct log_set *set, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return must_printf("%s: %s", path, strerror(errno));
	return S_ISDIR(st.st_mode) ? add_folder(set, path) : add_file(set, path);
}

static int compare_files(const void *left, const void *right)
{
	const struct log_file *a = left, *b = right;

	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns ? -1 : 1;
	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	return strcmp(a->path, b->path);
}

void logs_sort(struct log_set *set)
{
	if (set->count)
		qsort(set->files, set->count, sizeof(*set->files), compare_files);
}
