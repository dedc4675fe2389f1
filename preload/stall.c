/* stall.c: the last thread to block looks at all the others. */
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "identity.h"
#include "incident.h"
#include "log.h"
#include "objects.h"
#include "region.h"
#include "stall.h"
#include "thread.h"
#include "timers.h"
#include "unwind_memory.h"
#include "waiters.h"
#include "waitfor.h"

enum { STAT_BYTES = 512, LIST_BYTES = 4096, ENDED = 256 };

static _Atomic bool told;
static _Atomic uint32_t lookers, latest_looker;
/* Threads that have ended for us, by kernel id: the kernel may still show them. */
static _Atomic int32_t ended[ENDED];

static bool readable(uint64_t address)
{
	return shim_memory_readable((uintptr_t)address & ~(uintptr_t)7);
}

/* The walker still has the mutex that its wait for a condition is about to release: not one that it has locked
 * more than once. */
static bool is_about_to_release(const struct dt_board_slot *walker, const struct dt_board_slot *waiter)
{
	return walker && walker->op == DT_OP_COND_WAIT && walker->mutex == waiter->object &&
	       !shim_waitfor_in_the_way(walker, waiter);
}

/* A wait that is over already, though its thread does not know it yet. */
static bool may_end(const struct dt_board_slot *slot, const struct dt_board_slot *walker)
{
	const void *object = (const void *)(uintptr_t)slot->object;

	if (shim_thread_is_cancelled(slot->thread))
		return true;
	if (slot->op == DT_OP_JOIN) {
		const struct dt_board_slot *other = shim_board_of_thread(slot->other_thread);
		return !other || __atomic_load_n(&other->state, __ATOMIC_SEQ_CST) != DT_BOARD_BLOCKED;
	}
	if (!readable(slot->object))
		return true;
	switch ((enum dt_lock_kind)slot->kind) {
	case DT_LOCK_MUTEX:
		return shim_mutex_is_free(object) || is_about_to_release(walker, slot);
	case DT_LOCK_RWLOCK:
		return shim_rwlock_is_free(object);
	case DT_LOCK_SPIN:
		return true;
	case DT_LOCK_COND:
		return shim_waiters_pending(object);
	case DT_LOCK_SEM:
		return shim_sem_value(object) > 0;
	case DT_LOCK_BARRIER:
		return shim_barrier_is_complete(object);
	case DT_LOCK_ONCE:
		return !shim_once_is_running(object);
	case DT_LOCK_KINDS:
		break;
	}
	return true;
}

static bool is_stuck(const struct dt_board_slot *slot, const struct dt_board_slot *walker)
{
	return slot->state == DT_BOARD_BLOCKED && slot->wait == DT_WAIT_FOREVER &&
	       !(slot->object && readable(slot->object) &&
	         shim_object_is_shared((void *)(uintptr_t)slot->object, slot->kind)) &&
	       !may_end(slot, walker);
}

/* The sum of the sequences of this process's slots, all of which are stuck; 0: one is not. *semaphores: one
 * of them waits on a semaphore. */
static uint64_t all_stuck(const struct dt_board_slot *walker, uint32_t threads, struct dt_board_slot *copy,
                          bool *semaphores)
{
	int32_t pid = shim_log_header()->pid;
	uint64_t sum = 1;
	uint32_t count = 0;

	for (uint32_t i = 0; (i = shim_board_next(shim_board->blocked, i)) < DT_BOARD_SLOTS; i++) {
		const struct dt_board_slot *slot = &shim_board->slots[i];
		if (slot->pid != pid)
			continue;
		if (!shim_board_read(slot, copy) || !is_stuck(copy, walker))
			return 0;
		*semaphores |= copy->kind == DT_LOCK_SEM;
		sum += (uint64_t)copy->sequence * (i + 1);
		count++;
	}
	return count == threads ? sum : 0;
}

/* The state that the kernel shows for one of our threads; 0: not known. */
static char kernel_state(const char *tid)
{
	char path[64] = "/proc/self/task/", text[STAT_BYTES];
	size_t length = strlen(path), tid_length = strlen(tid);

	if (tid_length > 20)
		return 0;
	memcpy(path + length, tid, tid_length);
	memcpy(path + length + tid_length, "/stat", sizeof "/stat");
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	long got = syscall(SYS_read, fd, text, sizeof text - 1);
	syscall(SYS_close, fd);
	if (got <= 0)
		return 0;
	text[got] = '\0';
	const char *end = strrchr(text, ')');
	return end && end[1] == ' ' ? end[2] : 0;
}

struct linux_dirent {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

static bool is_number(const char *name, int32_t *number)
{
	*number = 0;
	for (const char *c = name; *c; c++) {
		if (*c < '0' || *c > '9')
			return false;
		*number = *number * 10 + (*c - '0');
	}
	return *name != '\0';
}

enum sleepers { NOT_ALL_OURS, SOME_AWAKE, ALL_ASLEEP };

/* Whether all threads that the kernel knows are ours, and all but the caller sleep. */
static enum sleepers all_asleep(uint32_t threads, int32_t self)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_Alignas(8) char list[LIST_BYTES];
	uint32_t count = 0;
	bool asleep = true;
	long got;

	while (fd >= 0 && (got = syscall(SYS_getdents64, fd, list, sizeof list)) > 0) {
		for (long at = 0; at < got;) {
			const struct linux_dirent *entry = (const void *)(list + at);
			int32_t tid;
			at += entry->reclen;
			if (!is_number(entry->name, &tid))
				continue;
			if (atomic_load(&ended[tid % ENDED]) == tid)
				continue;
			count++;
			asleep = asleep && (tid == self || kernel_state(entry->name) == 'S');
		}
	}
	if (fd >= 0)
		syscall(SYS_close, fd);
	return count != threads ? NOT_ALL_OURS : asleep ? ALL_ASLEEP : SOME_AWAKE;
}

static void tell(struct shim_thread *t, int32_t pid)
{
	struct shim_part *parts = shim_region_map(SHIM_PARTS_MAX * sizeof *parts, false);
	struct dt_board_slot copy;
	uint32_t count = 0;

	if (!parts)
		return;
	for (uint32_t i = 0; (i = shim_board_next(shim_board->blocked, i)) < DT_BOARD_SLOTS; i++)
		if (shim_board->slots[i].pid == pid && shim_board_read(&shim_board->slots[i], &copy))
			count = shim_waitfor_parts(&copy, 0, parts, count, SHIM_PARTS_MAX);
	shim_incident_tell(t, DT_INCIDENT_STALL, 0, parts, count);
	shim_region_unmap(parts, SHIM_PARTS_MAX * sizeof *parts);
}

/* A thread that has published its wait may still be on its way into the kernel, and it has looked already, so
 * nobody would look again: wait for it, as long as nothing changes. Only the last that came looks; who looked
 * before it goes on into its own wait, and until all have, nothing is concluded: a looker sleeps too, perhaps
 * with a mutex that its wait is about to release. */
static bool fall_asleep(const struct dt_board_slot *walker, uint32_t threads, struct dt_board_slot *copy,
                        uint64_t before, int32_t self)
{
	enum { ROUNDS = 160, LONGEST_NS = 6400000 };
	struct timespec rest = {.tv_nsec = 50000};
	uint32_t number = atomic_fetch_add(&latest_looker, 1) + 1;
	bool semaphores = false, asleep = false;

	atomic_fetch_add(&lookers, 1);
	for (unsigned round = 0; round < ROUNDS; round++) {
		enum sleepers sleepers = all_asleep(threads, self);
		bool alone = atomic_load(&lookers) == 1;
		if (sleepers == NOT_ALL_OURS || atomic_load(&latest_looker) != number ||
		    all_stuck(walker, threads, copy, &semaphores) != before)
			break;
		asleep = sleepers == ALL_ASLEEP && alone;
		if (asleep)
			break;
		syscall(SYS_nanosleep, &rest, NULL);
		if (rest.tv_nsec < LONGEST_NS)
			rest.tv_nsec *= 2;
	}
	atomic_fetch_sub(&lookers, 1);
	return asleep;
}

/* `walker`: the caller's slot, NULL when it ends. */
static void look(struct shim_thread *t, const struct dt_board_slot *walker, uint32_t threads)
{
	struct dt_board_slot copy;
	bool semaphores = false;

	if (!shim_board || atomic_load(&told) || shim_waitfor_deadlocked())
		return;
	uint64_t before = all_stuck(walker, threads, &copy, &semaphores);
	if (!before || (semaphores && shim_handlers_installed()) || shim_timer_may_run_handler() ||
	    !fall_asleep(walker, threads, &copy, before, t->tid) ||
	    all_stuck(walker, threads, &copy, &semaphores) != before || atomic_exchange(&told, true))
		return;
	tell(t, shim_log_header()->pid);
	shim_waitfor_act();
}

void shim_stall_thread_begins(const struct shim_thread *t)
{
	int32_t tid = t->tid;
	atomic_compare_exchange_strong(&ended[tid % ENDED], &tid, 0);
}

void shim_stall_thread_ended(struct shim_thread *t)
{
	uint32_t threads = atomic_load(&shim_board_threads);

	atomic_store(&ended[t->tid % ENDED], t->tid);
	if (threads && atomic_load(&shim_board_stuck) >= threads)
		look(t, NULL, threads);
}

bool shim_stall_told(void)
{
	return atomic_load(&told);
}

void shim_stall_forked(void)
{
	atomic_store(&told, false);
	atomic_store(&lookers, 0);
}

void shim_stall_enter(struct shim_block *b)
{
	if (!b->slot || b->slot->wait != DT_WAIT_FOREVER)
		return;
	b->stuck = true;
	uint32_t threads = atomic_load(&shim_board_threads);
	if (atomic_fetch_add(&shim_board_stuck, 1) + 1 >= threads)
		look(b->thread, b->slot, threads);
}

void shim_stall_leave(struct shim_block *b)
{
	if (b->stuck)
		atomic_fetch_sub(&shim_board_stuck, 1);
	b->stuck = false;
}
