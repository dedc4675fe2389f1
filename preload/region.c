/* region.c: anonymous mappings by direct system calls, so that our own munmap hook stays out of it. */
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <errno.h>

#include "region.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

enum { HUGE_BYTES = 2 << 20 };

static _Atomic size_t mapped_bytes;

size_t shim_region_bytes(void)
{
	return atomic_load_explicit(&mapped_bytes, memory_order_relaxed);
}

static char *map(size_t bytes)
{
	void *p = (void *)syscall(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE,
	                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, (off_t)0);
	if (p == MAP_FAILED)
		return NULL;
	atomic_fetch_add_explicit(&mapped_bytes, bytes, memory_order_relaxed);
	return p;
}

static void *advised(char *p, size_t bytes, int pages, bool wipe)
{
	syscall(SYS_madvise, p, bytes, pages);
	if (!wipe || syscall(SYS_madvise, p, bytes, MADV_WIPEONFORK) == 0)
		return p;
	shim_region_unmap(p, bytes);
	return NULL;
}

void *shim_region_map(size_t bytes, bool wipe)
{
	int saved = errno;
	char *p = map(bytes);
	/* Sparse tables: a huge page for every touched slot would be the whole table. */
	void *region = p ? advised(p, bytes, MADV_NOHUGEPAGE, wipe) : NULL;
	errno = saved;
	return region;
}

void *shim_region_map_apart(size_t bytes)
{
	enum { PAGE = 4096 };
	size_t rounded = (bytes + PAGE - 1) & ~(size_t)(PAGE - 1);
	int saved = errno;
	char *p = shim_region_map(rounded + 2 * (size_t)PAGE, false);
	if (p) {
		syscall(SYS_mprotect, p, (size_t)PAGE, PROT_NONE);
		syscall(SYS_mprotect, p + PAGE + rounded, (size_t)PAGE, PROT_NONE);
	}
	errno = saved;
	return p ? p + PAGE : NULL;
}

/* At a multiple of a huge page, so that all of it can be in such. */
static char *map_aligned(size_t bytes)
{
	char *p = map(bytes + HUGE_BYTES);
	if (!p)
		return NULL;
	char *aligned = (char *)(((uintptr_t)p + HUGE_BYTES - 1) & ~(uintptr_t)(HUGE_BYTES - 1));
	if (aligned > p)
		shim_region_unmap(p, (size_t)(aligned - p));
	if (aligned + bytes < p + bytes + HUGE_BYTES)
		shim_region_unmap(aligned + bytes, (size_t)(p + HUGE_BYTES - aligned));
	return aligned;
}

void *shim_region_map_dense(size_t bytes, bool wipe)
{
	if (bytes < HUGE_BYTES)
		return shim_region_map(bytes, wipe);
	int saved = errno;
	char *p = map_aligned(bytes);
	void *region = p ? advised(p, bytes, MADV_HUGEPAGE, wipe) : NULL;
	errno = saved;
	return region;
}

void *shim_region_map_growing(size_t bytes, bool wipe)
{
	int saved = errno;
	char *p = map_aligned(bytes);
	void *region = p ? advised(p, bytes, MADV_NOHUGEPAGE, wipe) : NULL;
	errno = saved;
	return region;
}

void shim_region_enlarge_pages(void *region, size_t from, size_t end, bool touched)
{
	int saved = errno;
	size_t start = (from + HUGE_BYTES - 1) & ~(size_t)(HUGE_BYTES - 1);
	if (start < end)
		syscall(SYS_madvise, (char *)region + start, end - start, MADV_HUGEPAGE);
	if (start < end && touched) /* Linux 6.1; before that khugepaged does it some time */
		syscall(SYS_madvise, (char *)region + start, end - start, MADV_COLLAPSE);
	errno = saved;
}

void shim_region_unmap(void *region, size_t bytes)
{
	int saved = errno;
	atomic_fetch_sub_explicit(&mapped_bytes, bytes, memory_order_relaxed);
	syscall(SYS_munmap, region, bytes);
	errno = saved;
}
