/* log.c: a log one writer can be killed in at any instruction.
 *
 * Reservation is a compare-and-swap of the zeroed head at the tail to "reserved, n words"; whoever
 * finds a head there that the tail does not yet count helps the tail over it. So a thread killed or
 * interrupted between any two steps leaves a skippable record and blocks nobody.
 *
 * The file is sparse. Room is made a chunk at a time by MADV_POPULATE_WRITE, which fails where a
 * store to a page of a full disk would raise SIGBUS. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "hook.h"
#include "log.h"
#include "options.h"
#include "process.h"
#include "region.h"
#include "say.h"
#include "shim.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum {
	FIRST_BYTES = 64 * 1024, /* most processes of a shell script log no more */
	CHUNK_BYTES = 256 * 1024,
	CAPACITY_LEAST = 4 * CHUNK_BYTES,
	NAME_TRIES = 10000,
	ANONYMOUS_CAPACITY_MB = 128
};

enum log_state { LOG_NONE, LOG_STARTING, LOG_READY, LOG_OFF };

/* Zeroed by the kernel in the child of any fork, also of one we did not see. */
struct log_guard {
	_Atomic uint32_t state; /* enum log_state */
};

static struct log_guard *_Atomic guard;
static struct dt_log_header *header;
static uint64_t capacity_bytes;
static _Atomic uint64_t populated_bytes;
static _Atomic bool said_full;
static _Atomic bool off;

uint64_t shim_realtime_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Make the pages up to `end` writable without a fault. */
static bool populate(uint64_t end)
{
	uint64_t have = atomic_load_explicit(&populated_bytes, memory_order_acquire);
	while (have < end) {
		uint64_t more = have ? CHUNK_BYTES : FIRST_BYTES;
		uint64_t next = have + more > capacity_bytes ? capacity_bytes : have + more;
		if (syscall(SYS_madvise, (char *)header + have, next - have, MADV_POPULATE_WRITE) != 0 &&
		    errno != EINVAL)
			return false;
		if (atomic_compare_exchange_strong(&populated_bytes, &have, next))
			have = next;
	}
	return true;
}

static char *put_number(char *at, unsigned long n)
{
	char digits[24];
	int count = 0;
	do
		digits[count++] = (char)('0' + n % 10);
	while (n /= 10);
	while (count)
		*at++ = digits[--count];
	return at;
}

/* DIR/detect-<pid>-<n>.dtlog, the first n that is free: never somebody else's file or link. By a direct
 * call: open is a cancellation point, and a thread's lock call is none. */
static int open_new_file(const char *dir)
{
	static char path[4096 + 64]; /* one thread starts a log at a time */
	size_t length = strlen(dir);
	if (length > 4096 - 1) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(path, dir, length);
	mkdir(dir, 0700);
	for (unsigned long n = 0; n < NAME_TRIES; n++) {
		char *at = path + length;
		memcpy(at, "/detect-", 8);
		at = put_number(at + 8, (unsigned long)getpid());
		*at++ = '-';
		at = put_number(at, n);
		memcpy(at, DT_LOG_SUFFIX, sizeof DT_LOG_SUFFIX);
		int fd = (int)syscall(SYS_openat, AT_FDCWD, path,
		                      O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd >= 0 || errno != EEXIST)
			return fd;
	}
	return -1;
}

/* A file longer than RLIMIT_FSIZE would end the program by SIGXFSZ: a shorter log, or none. */
static bool fit_file_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur >= capacity_bytes)
		return true;
	capacity_bytes = limit.rlim_cur & ~(uint64_t)4095;
	errno = EFBIG;
	return capacity_bytes >= CAPACITY_LEAST;
}

/* A page of a file that gets its first block by a fault can cost milliseconds, thrice what a fork does
 * (ext4): the first ones are written. What could not be written, populate finds out. */
static void write_first(int fd)
{
	static char zeros[FIRST_BYTES];
	syscall(SYS_pwrite64, fd, zeros, sizeof zeros, (off_t)0);
}

static bool map_file(const char *dir)
{
	if (!fit_file_limit())
		return false;
	int fd = open_new_file(dir);
	if (fd < 0)
		return false;
	write_first(fd);
	bool ok = ftruncate(fd, (off_t)capacity_bytes) == 0;
	void *p = MAP_FAILED;
	if (ok)
		p = (void *)syscall(SYS_mmap, NULL, capacity_bytes, PROT_READ | PROT_WRITE,
		                    MAP_SHARED | MAP_NORESERVE, fd, (off_t)0);
	int saved = errno;
	syscall(SYS_close, fd);
	errno = saved;
	if (p == MAP_FAILED)
		return false;
	header = p;
	return true;
}

static bool map_log(void)
{
	const char *dir = shim_options.log_dir;
	if (dir && *dir) {
		capacity_bytes = (uint64_t)shim_options.log_size_mb << 20;
		if (!map_file(dir)) {
			shim_say_errno("cannot write a log in ", dir);
			return false;
		}
	} else {
		capacity_bytes = (uint64_t)ANONYMOUS_CAPACITY_MB << 20;
		header = shim_region_map_apart(capacity_bytes);
		if (!header) {
			shim_say("no memory for the log: not recording");
			return false;
		}
	}
	return true;
}

static bool start(void)
{
	/* In the child of a fork the parent's mapping is still there: leave it to the parent. */
	if (header)
		syscall(SYS_munmap, header, capacity_bytes);
	header = NULL;
	atomic_store(&populated_bytes, 0);
	atomic_store(&said_full, false);
	if (!map_log())
		return false;
	if (!populate(FIRST_BYTES)) {
		errno = ENOSPC; /* what a store would have met with a signal */
		shim_say_errno("no room for a log in ", shim_options.log_dir);
		return false;
	}
	header->version = DT_LOG_VERSION;
	header->byte_order = DT_LOG_BYTE_ORDER;
	header->header_bytes = DT_LOG_HEADER_BYTES;
	header->arch = 62; /* EM_X86_64 */
	header->pid = getpid();
	header->ppid = getppid();
	header->start_ns = shim_realtime_ns();
	header->capacity_bytes = capacity_bytes;
	header->tail_bytes = DT_LOG_HEADER_BYTES;
	atomic_thread_fence(memory_order_release);
	memcpy(header->magic, DT_LOG_MAGIC, sizeof header->magic);
	return true;
}

static struct log_guard *guard_get(void)
{
	struct log_guard *g = atomic_load_explicit(&guard, memory_order_acquire);
	if (SHIM_LIKELY(g != NULL))
		return g;
	struct log_guard *fresh = shim_region_map(4096, true);
	if (!fresh)
		return NULL;
	if (!atomic_compare_exchange_strong(&guard, &g, fresh)) {
		shim_region_unmap(fresh, 4096);
		return g;
	}
	return fresh;
}

/* A process that was forked, or executed by one that was, is a child. */
static bool followed(bool forked)
{
	if (shim_options.children)
		return true;
	return !forked && (!shim_options.root_parent || (pid_t)shim_options.root_parent == getppid());
}

bool shim_log_ready(void)
{
	if (SHIM_UNLIKELY(!shim_log_wanted()))
		return false;
	struct log_guard *g = guard_get();
	if (SHIM_UNLIKELY(!g)) {
		shim_log_off();
		return false;
	}
	uint32_t state = atomic_load_explicit(&g->state, memory_order_acquire);
	if (SHIM_LIKELY(state == LOG_READY))
		return true;
	if (state != LOG_NONE || !atomic_compare_exchange_strong(&g->state, &state, LOG_STARTING))
		return false;
	int saved = errno;
	bool forked = header != NULL;
	/* A library's constructor may unmap or destroy something before anything was attached: options come
	 * first. */
	shim_hooks_resolve();
	bool ok = followed(forked) && (forked || shim_process_open()) && start();
	if (ok) {
		shim_process_started(forked);
		atomic_store_explicit(&g->state, LOG_READY, memory_order_release);
	} else {
		shim_log_off();
	}
	errno = saved;
	return ok;
}

bool shim_log_wanted(void)
{
	return !atomic_load_explicit(&off, memory_order_relaxed);
}

void shim_log_off(void)
{
	atomic_store(&off, true);
}

void shim_log_count(enum dt_counter counter, uint64_t n)
{
	if (header)
		__atomic_fetch_add(&header->counters[counter], n, __ATOMIC_RELAXED);
}

const struct dt_log_header *shim_log_header(void)
{
	return header;
}

static void drop(void)
{
	shim_log_count(DT_COUNT_DROPPED, 1);
	if (!atomic_exchange(&said_full, true))
		shim_say("the log is full: what is new from here on is counted, not kept (log_size_mb)");
}

/* The offset of `words` reserved words, or 0. */
static uint64_t reserve(uint32_t words)
{
	const struct dt_rec mark = {DT_REC_RESERVED, 0, words};
	uint64_t mark_bits;
	memcpy(&mark_bits, &mark, sizeof mark_bits);
	uint64_t tail = __atomic_load_n(&header->tail_bytes, __ATOMIC_ACQUIRE);
	for (;;) {
		uint64_t end = tail + (uint64_t)words * 8;
		if (end + sizeof(struct dt_rec) > capacity_bytes || !populate(end + sizeof(struct dt_rec)))
			return 0;
		uint64_t *at = (uint64_t *)((char *)header + tail);
		uint64_t found = 0;
		if (__atomic_compare_exchange_n(at, &found, mark_bits, false, __ATOMIC_ACQ_REL,
		                                __ATOMIC_ACQUIRE)) {
			uint64_t expected = tail;
			__atomic_compare_exchange_n(&header->tail_bytes, &expected, end, false,
			                            __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
			return tail;
		}
		struct dt_rec there;
		memcpy(&there, &found, sizeof there);
		uint64_t past = tail + (uint64_t)there.words * 8;
		if (__atomic_compare_exchange_n(&header->tail_bytes, &tail, past, false, __ATOMIC_ACQ_REL,
		                                __ATOMIC_ACQUIRE))
			tail = past;
	}
}

static struct dt_rec *append(struct dt_rec *rec, size_t rec_bytes, const void *payload, size_t payload_bytes,
                             const void *more, size_t more_bytes)
{
	size_t bytes = rec_bytes + payload_bytes + more_bytes;
	uint32_t words = (uint32_t)((bytes + 7) / 8);
	int saved = errno;
	uint64_t offset = reserve(words);
	errno = saved;
	if (!offset) {
		drop();
		return NULL;
	}
	char *at = (char *)header + offset;
	memcpy(at + sizeof *rec, (const char *)rec + sizeof *rec, rec_bytes - sizeof *rec);
	if (payload_bytes)
		memcpy(at + rec_bytes, payload, payload_bytes);
	if (more_bytes)
		memcpy(at + rec_bytes + payload_bytes, more, more_bytes);
	rec->words = words;
	uint64_t head_bits;
	memcpy(&head_bits, rec, sizeof head_bits);
	__atomic_store_n((uint64_t *)at, head_bits, __ATOMIC_RELEASE);
	return (struct dt_rec *)at;
}

bool shim_log_append(struct dt_rec *rec, size_t rec_bytes, const void *payload, size_t payload_bytes,
                     const void *more, size_t more_bytes)
{
	return append(rec, rec_bytes, payload, payload_bytes, more, more_bytes) != NULL;
}

struct dt_rec *shim_log_add(struct dt_rec *rec, size_t rec_bytes)
{
	return append(rec, rec_bytes, NULL, 0, NULL, 0);
}
