/* region.c: anonymous mappings by direct system calls, so that our own munmap hook stays out of it. */
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <errno.h>

#include "region.h"

void *shim_region_map(size_t bytes, bool wipe)
{
	int saved = errno;
	void *p = (void *)syscall(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE,
	                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, (off_t)0);
	if (p == MAP_FAILED) {
		errno = saved;
		return NULL;
	}
	/* Sparse tables: a huge page for every touched slot would be the whole table. */
	syscall(SYS_madvise, p, bytes, MADV_NOHUGEPAGE);
	if (wipe && syscall(SYS_madvise, p, bytes, MADV_WIPEONFORK) != 0) {
		syscall(SYS_munmap, p, bytes);
		p = NULL;
	}
	errno = saved;
	return p;
}

void shim_region_unmap(void *region, size_t bytes)
{
	int saved = errno;
	syscall(SYS_munmap, region, bytes);
	errno = saved;
}
