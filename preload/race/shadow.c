/* shadow.c: reserving, clearing and sweeping. Large ranges go back to the kernel, which gives zeros. */
#include "shadow.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../say.h"
#include "race.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

enum { PAGE = 4096, CLEAR_BY_HAND = 64 * 1024, MAPS_BYTES = 64 * 1024, PAGES_AT_ONCE = 4096 };

static bool reserve(uint64_t base, uint64_t bytes)
{
	long got = syscall(SYS_mmap, base, bytes, PROT_READ | PROT_WRITE,
	                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, (off_t)0);
	if (got == (long)base) {
		/* A touched word must not cost a huge page; and a core dump is of the program. */
		syscall(SYS_madvise, base, bytes, MADV_NOHUGEPAGE);
		syscall(SYS_madvise, base, bytes, MADV_DONTDUMP);
		return true;
	}
	if (got != -1) {
		syscall(SYS_munmap, got, bytes);
		errno = EEXIST;
	}
	return false;
}

uint64_t shim_race_reserved(void)
{
	return RACE_SHADOW_BYTES + RACE_META_BYTES;
}

bool race_shadow_open(void)
{
	int saved = errno;
	bool ok = reserve(RACE_SHADOW_BASE, RACE_SHADOW_BYTES);
	if (ok && !reserve(RACE_META_BASE, RACE_META_BYTES)) {
		int why = errno;
		syscall(SYS_munmap, RACE_SHADOW_BASE, RACE_SHADOW_BYTES);
		errno = why;
		ok = false;
	}
	if (!ok)
		shim_say_errno("data races are not looked for: the address space for it can't be reserved ",
		               "(40 TB, unbacked; see ulimit -v and vm.overcommit_memory)");
	errno = saved;
	return ok;
}

static void zero(char *from, char *to)
{
	if ((size_t)(to - from) <= CLEAR_BY_HAND) {
		__builtin_memset(from, 0, (size_t)(to - from));
		return;
	}
	char *first = (char *)(((uintptr_t)from + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
	char *last = (char *)((uintptr_t)to & ~(uintptr_t)(PAGE - 1));
	__builtin_memset(from, 0, (size_t)(first - from));
	__builtin_memset(last, 0, (size_t)(to - last));
	int saved = errno;
	syscall(SYS_madvise, first, (size_t)(last - first), MADV_DONTNEED);
	errno = saved;
}

void race_shadow_clear(uintptr_t start, size_t bytes)
{
	if (bytes)
		zero((char *)race_cells_of(start), (char *)(race_cells_of(start + bytes - 1) + RACE_CELLS));
}

static void sweep_pages(char *from, size_t bytes, const bool *dead)
{
	race_cell *end = (race_cell *)(from + bytes);
	for (race_cell *cell = (race_cell *)from; cell < end; cell++) {
		race_cell found = __atomic_load_n(cell, __ATOMIC_RELAXED);
		if (found && dead[race_cell_slot(found)])
			__atomic_compare_exchange_n(cell, &found, 0, false, __ATOMIC_RELAXED,
			                            __ATOMIC_RELAXED);
	}
}

/* Only pages that the kernel has given: looking at one must not make it. */
static void sweep_range(uintptr_t start, uintptr_t end, const bool *dead)
{
	static unsigned char resident[PAGES_AT_ONCE];
	char *from = (char *)race_cells_of(start);
	char *to = from + (end - start) * 2;
	while (from < to) {
		size_t bytes = (size_t)(to - from) < (size_t)PAGES_AT_ONCE * PAGE
		                   ? (size_t)(to - from)
		                   : (size_t)PAGES_AT_ONCE * PAGE;
		if (syscall(SYS_mincore, from, bytes, resident) != 0)
			return;
		for (size_t i = 0; i < bytes / PAGE; i++)
			if (resident[i] & 1)
				sweep_pages(from + i * PAGE, PAGE, dead);
		from += bytes;
	}
}

static const char *hexadecimal(const char *at, uintptr_t *value)
{
	for (*value = 0;; at++) {
		unsigned digit = *at >= '0' && *at <= '9'   ? (unsigned)(*at - '0')
		                 : *at >= 'a' && *at <= 'f' ? (unsigned)(*at - 'a') + 10
		                                            : 16;
		if (digit > 15)
			return at;
		*value = *value << 4 | digit;
	}
}

void race_shadow_sweep(const bool *dead)
{
	static char text[MAPS_BYTES + 1]; /* one sweeps at a time */
	int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
	size_t kept = 0;
	long got;
	while (fd >= 0 && (got = syscall(SYS_read, fd, text + kept, MAPS_BYTES - kept)) > 0) {
		size_t length = kept + (size_t)got;
		char *line = text, *newline;
		text[length] = '\0';
		while ((newline = __builtin_strchr(line, '\n'))) {
			uintptr_t start, end;
			const char *at = hexadecimal(line, &start);
			hexadecimal(at + 1, &end);
			bool ours =
			    (start >= RACE_META_BASE && start < RACE_SHADOW_BASE + RACE_SHADOW_BYTES) ||
			    start >> 47;
			if (!ours && at[1])
				sweep_range(start, end, dead);
			line = newline + 1;
		}
		kept = length - (size_t)(line - text);
		__builtin_memmove(text, line, kept);
	}
	if (fd >= 0)
		syscall(SYS_close, fd);
}
