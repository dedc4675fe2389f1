/* board.c: the mapping, and who owns which slot. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "board.h"
#include "log.h"
#include "options.h"
#include "region.h"
#include "thread.h"

enum { THREADS_MAX = 1 << 20, PATH_BYTES = 4096 + 64 };

/* What `detect ps` reads from outside. */
_Static_assert(offsetof(struct shim_thread, depth) == offsetof(struct dt_board_thread, depth) &&
                   offsetof(struct shim_thread, held) == offsetof(struct dt_board_thread, held),
               "struct dt_board_thread is the beginning of a thread's record");
_Static_assert(sizeof(struct shim_held) == sizeof(struct dt_board_entry) &&
                   offsetof(struct shim_held, context) == offsetof(struct dt_board_entry, stack) &&
                   offsetof(struct shim_held, how) == offsetof(struct dt_board_entry, how) &&
                   (int)SHIM_HOW_KIND == DT_BOARD_ENTRY_KIND &&
                   (int)SHIM_HOW_SHARED == DT_BOARD_ENTRY_SHARED && (int)SHIM_HOW_HELD == DT_BOARD_ENTRY_HELD,
               "struct dt_board_entry is an entry of the held stack");

struct dt_board *shim_board;
_Atomic uint32_t shim_board_threads, shim_board_stuck;

static bool shared;                      /* a file: the child of a fork goes on with it */
static _Atomic uint64_t cursor;          /* group << 8 | slots of it given away */
static _Atomic uint32_t *slot_of_thread; /* by thread id, plus one */
static _Atomic uintptr_t *threads;       /* by slot; not wiped: the child of a fork looks through it */
static _Atomic uint32_t threads_from, threads_to; /* slots: there are none before and none from there on */
static int32_t process;

static struct dt_board *map_file(void)
{
	static char path[PATH_BYTES]; /* one thread starts a log at a time */
	const char *dir = shim_options.log_dir;
	size_t length = dir ? strlen(dir) : 0;

	struct rlimit limit;
	if (!length || length > 4096 - 1 ||
	    (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < sizeof(struct dt_board)))
		return NULL;
	memcpy(path, dir, length);
	memcpy(path + length, "/" DT_BOARD_NAME, sizeof "/" DT_BOARD_NAME);
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return NULL;
	struct stat status;
	void *p = MAP_FAILED;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
	    (status.st_size >= (off_t)sizeof(struct dt_board) || ftruncate(fd, sizeof(struct dt_board)) == 0))
		p = (void *)syscall(SYS_mmap, NULL, sizeof(struct dt_board), PROT_READ | PROT_WRITE,
		                    MAP_SHARED | MAP_NORESERVE, fd, (off_t)0);
	syscall(SYS_close, fd);
	return p == MAP_FAILED ? NULL : p;
}

/* The head of the board is touched all over; slots get their pages with their group. */
static bool populate(void *start, size_t bytes)
{
	uintptr_t from = (uintptr_t)start & ~(uintptr_t)4095,
	          to = ((uintptr_t)start + bytes + 4095) & ~(uintptr_t)4095;

	return syscall(SYS_madvise, from, to - from, MADV_POPULATE_WRITE) == 0 || errno == EINVAL;
}

static void begin(void)
{
	struct dt_board *board = map_file();

	shared = board != NULL;
	if (shared && !populate(board, offsetof(struct dt_board, slots))) {
		syscall(SYS_munmap, board, sizeof *board);
		shared = false;
		board = NULL;
	}
	if (!board)
		board = shim_region_map_apart(sizeof *board);
	slot_of_thread = shim_region_map(THREADS_MAX * sizeof *slot_of_thread, true);
	threads = shim_region_map(DT_BOARD_SLOTS * sizeof *threads, false);
	shim_board = slot_of_thread && threads ? board : NULL;
}

/* Also in the child of a fork, where private memory begins anew. */
static void write_head(struct dt_board *board)
{
	board->version = DT_BOARD_VERSION;
	board->slot_bytes = sizeof *board->slots;
	atomic_thread_fence(memory_order_release);
	memcpy(board->magic, DT_BOARD_MAGIC, sizeof board->magic);
}

void shim_board_open(bool forked)
{
	atomic_store(&cursor, DT_BOARD_GROUP);
	atomic_store(&shim_board_threads, 0);
	atomic_store(&shim_board_stuck, 0);
	if (!forked)
		begin();
	else if (shim_board && !shared)
		syscall(SYS_madvise, shim_board, sizeof *shim_board, MADV_DONTNEED);
	for (uint32_t i = threads_from; forked && shim_board && i < threads_to; i++)
		atomic_store_explicit(&threads[i], 0, memory_order_relaxed);
	atomic_store(&threads_from, DT_BOARD_SLOTS);
	atomic_store(&threads_to, 0);
	process = getpid();
	if (shim_board)
		write_head(shim_board);
}

void shim_board_leave(void)
{
	int32_t pid = getpid();

	for (uint32_t i = 0; shim_board && i < DT_BOARD_GROUPS; i++) {
		int32_t owner = pid;
		if (__atomic_load_n(&shim_board->owners[i], __ATOMIC_RELAXED) == pid)
			__atomic_compare_exchange_n(&shim_board->owners[i], &owner, 0, false,
			                            __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	}
}

static bool own(uint32_t group, int32_t from, int32_t pid)
{
	return __atomic_compare_exchange_n(&shim_board->owners[group], &from, pid, false, __ATOMIC_SEQ_CST,
	                                   __ATOMIC_RELAXED);
}

/* A group that is free, or whose process is dead; DT_BOARD_GROUPS: none. */
static uint32_t claim_group(int32_t pid)
{
	for (uint32_t i = 0; i < DT_BOARD_GROUPS; i++)
		if (!__atomic_load_n(&shim_board->owners[i], __ATOMIC_RELAXED) && own(i, 0, pid))
			return i;
	for (uint32_t i = 0; i < DT_BOARD_GROUPS; i++) {
		int32_t owner = __atomic_load_n(&shim_board->owners[i], __ATOMIC_RELAXED);
		if (owner != pid && syscall(SYS_kill, owner, 0) != 0 && errno == ESRCH && own(i, owner, pid))
			return i;
	}
	return DT_BOARD_GROUPS;
}

static void clear_group(uint32_t group)
{
	uint32_t first = group * DT_BOARD_GROUP;
	uint64_t bits = ~((uint64_t)((1 << DT_BOARD_GROUP) - 1) << first % 64);

	__atomic_fetch_and(&shim_board->blocked[first / 64], bits, __ATOMIC_SEQ_CST);
	__atomic_fetch_and(&shim_board->holders[first / 64], bits, __ATOMIC_SEQ_CST);
	for (uint32_t i = 0; i < DT_BOARD_GROUP; i++) {
		/* The sequence goes on: who still looks at the dead one's slot sees that it changed. */
		struct dt_board_slot *slot = &shim_board->slots[first + i];
		uint32_t sequence = slot->sequence & ~1u;
		memset(slot, 0, sizeof *slot);
		slot->sequence = sequence + 2;
	}
}

static struct dt_board_slot *new_slot(void)
{
	int32_t pid = getpid();
	uint64_t now = atomic_load(&cursor);

	for (;;) {
		uint32_t given = now & 0xff, group = (uint32_t)(now >> 8);
		if (given < DT_BOARD_GROUP) {
			if (atomic_compare_exchange_weak(&cursor, &now, now + 1))
				return &shim_board->slots[group * DT_BOARD_GROUP + given];
			continue;
		}
		group = claim_group(pid);
		if (group == DT_BOARD_GROUPS)
			return NULL;
		if (!populate(&shim_board->slots[group * DT_BOARD_GROUP],
		              DT_BOARD_GROUP * sizeof(struct dt_board_slot))) {
			own(group, pid, 0);
			return NULL;
		}
		clear_group(group);
		if (atomic_compare_exchange_strong(&cursor, &now, (uint64_t)group << 8 | 1))
			return &shim_board->slots[group * DT_BOARD_GROUP];
		own(group, pid, 0);
	}
}

struct dt_board_slot *shim_board_slot(uint32_t *kept)
{
	if (!shim_board)
		return NULL;
	if (*kept)
		return &shim_board->slots[*kept - 1];
	int saved = errno;
	struct dt_board_slot *slot = new_slot();
	errno = saved;
	if (slot)
		*kept = shim_board_index(slot) + 1;
	return slot;
}

/* Few slots, and side by side: the child of a fork need not look at all. */
static void list_thread(const struct dt_board_slot *slot, const struct shim_thread *t)
{
	uint32_t at = shim_board_index(slot), from = atomic_load(&threads_from),
	         to = atomic_load(&threads_to);
	atomic_store(&threads[at], (uintptr_t)t);
	while (at < from && !atomic_compare_exchange_weak(&threads_from, &from, at))
		;
	while (at >= to && !atomic_compare_exchange_weak(&threads_to, &to, at + 1))
		;
}

void shim_board_enter(struct shim_thread *t)
{
	struct dt_board_slot *slot = t->block ? shim_board_slot(&t->block->board_slot) : NULL;

	t->board = slot;
	atomic_fetch_add(&shim_board_threads, 1);
	if (!slot) {
		shim_log_count(DT_COUNT_SLOTS_LOST, 1);
		return;
	}
	uint32_t sequence = slot->sequence;
	__atomic_store_n(&slot->sequence, sequence | 1, __ATOMIC_SEQ_CST);
	slot->state = DT_BOARD_RUNNING;
	slot->pid = getpid();
	slot->tid = t->tid;
	slot->thread = t->id;
	slot->thread_address = (uintptr_t)t;
	slot->held_count = 0;
	slot->more_count = 0;
	__atomic_store_n(&slot->sequence, (sequence | 1) + 1, __ATOMIC_SEQ_CST);
	list_thread(slot, t);
	if (t->id < THREADS_MAX)
		atomic_store(&slot_of_thread[t->id], shim_board_index(slot) + 1);
}

void shim_board_thread_ended(struct shim_thread *t)
{
	struct dt_board_slot *slot = t->board;

	atomic_fetch_sub(&shim_board_threads, 1);
	t->board = NULL;
	if (!slot)
		return;
	atomic_store(&threads[shim_board_index(slot)], 0);
	__atomic_add_fetch(&slot->sequence, 1, __ATOMIC_SEQ_CST);
	slot->state = DT_BOARD_FREE;
	__atomic_add_fetch(&slot->sequence, 1, __ATOMIC_SEQ_CST);
	if (t->id < THREADS_MAX)
		atomic_store(&slot_of_thread[t->id], 0);
}

struct dt_board_slot *shim_board_of_thread(uint32_t thread)
{
	uint32_t at = shim_board && thread < THREADS_MAX ? atomic_load(&slot_of_thread[thread]) : 0;

	return at ? &shim_board->slots[at - 1] : NULL;
}

const struct shim_thread *shim_board_forked_thread(uint32_t *slot, int32_t *pid)
{
	uintptr_t found = 0;

	*pid = process;
	if (*slot < atomic_load(&threads_from))
		*slot = atomic_load(&threads_from);
	while (*slot < atomic_load(&threads_to) && !found)
		found = atomic_load_explicit(&threads[(*slot)++], memory_order_relaxed);
	return (const void *)found;
}

bool shim_board_read(const struct dt_board_slot *slot, struct dt_board_slot *copy)
{
	uint32_t before = __atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE);

	if (before & 1)
		return false;
	memcpy(copy, (const void *)slot, sizeof *copy);
	atomic_thread_fence(memory_order_seq_cst);
	return __atomic_load_n(&slot->sequence, __ATOMIC_RELAXED) == before && copy->sequence == before;
}

uint32_t shim_board_next(const uint64_t *bits, uint32_t from)
{
	while (from < DT_BOARD_SLOTS) {
		uint64_t word = __atomic_load_n(&bits[from / 64], __ATOMIC_SEQ_CST) >> from % 64;
		if (word)
			return from + (uint32_t)__builtin_ctzll(word);
		from = (from | 63) + 1;
	}
	return DT_BOARD_SLOTS;
}

uint32_t shim_board_next_of(int32_t pid, uint32_t from)
{
	for (uint32_t i = from; i < DT_BOARD_SLOTS; i++) {
		if (__atomic_load_n(&shim_board->owners[i / DT_BOARD_GROUP], __ATOMIC_RELAXED) != pid)
			i |= DT_BOARD_GROUP - 1;
		else if (shim_board->slots[i].state != DT_BOARD_FREE)
			return i;
	}
	return DT_BOARD_SLOTS;
}
