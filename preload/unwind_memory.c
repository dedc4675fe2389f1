/* unwind_memory.c: the kernel is asked through rt_sigprocmask with an invalid `how`: it copies the
 * 8 bytes in (EFAULT if it cannot) before it refuses (EINVAL). Abseil's AddressIsReadable found this
 * probe: no descriptor, no effect, and a call that sandboxes leave open, since glibc needs it; one
 * that doesn't makes every page look unreadable. The call is made by hand, so errno is never
 * written. */
#include <errno.h>
#include <sys/syscall.h>

#include "unwind.h"
#include "unwind_memory.h"

enum { PAGE_BYTES = 4096, GROWTH_MAX = 64 * PAGE_BYTES };

__thread struct shim_bounds shim_bounds __attribute__((tls_model("initial-exec")));

static uintptr_t page_of(uintptr_t address)
{
	return address & ~(uintptr_t)(PAGE_BYTES - 1);
}

#if defined(__x86_64__)
bool shim_memory_readable(uintptr_t address)
{
	long result;
	register long set_bytes __asm__("r10") = 8;
	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "0"((long)SYS_rt_sigprocmask), "D"(~0L), "S"(address), "d"(0L), "r"(set_bytes)
	                 : "rcx", "r11", "memory");
	return result == -EINVAL;
}
#else
#error "the unwinder's system call is written for x86-64 only"
#endif

/* Whether `address` lies in the thread's stack. A stack has no holes, so all the pages between it
 * and the floor must be readable. Upwards from the address: asking below a stack that the kernel
 * grows on demand would make it grow. What lies further below is more likely another stack; a
 * thread that did go so deep at once only pays a system call for each page that it walks over. */
static bool reach(uintptr_t address)
{
	uintptr_t floor = shim_bounds.floor;
	if (address >= shim_bounds.top)
		return false;
	if (address >= floor)
		return true;
	if (floor - address > GROWTH_MAX)
		return false;
	for (uintptr_t page = page_of(address); page < floor; page += PAGE_BYTES)
		if (!shim_memory_readable(page))
			return false;
	shim_bounds.floor = page_of(address);
	return true;
}

void shim_unwind_set_stack(uintptr_t lo, uintptr_t hi)
{
	/* Never a moment with an old floor and a new top. */
	shim_bounds.top = 0;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	shim_bounds.floor = hi & ~(uintptr_t)7;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	shim_bounds.top = hi & ~(uintptr_t)7;
	reach(lo);
}

void shim_view_open(struct shim_view *view, uintptr_t sp)
{
	view->bounded = reach(sp);
	view->lo = view->bounded ? shim_bounds.floor : 0;
	view->hi = view->bounded ? shim_bounds.top : 0;
}

bool shim_view_admit(struct shim_view *view, uintptr_t address)
{
	if (reach(address)) {
		view->lo = shim_bounds.floor;
		view->hi = shim_bounds.top;
		return true;
	}
	if (view->bounded || !shim_memory_readable(address))
		return false;
	uintptr_t page = page_of(address);
	if (page == view->hi) {
		view->hi += PAGE_BYTES;
	} else if (page + PAGE_BYTES == view->lo) {
		view->lo = page;
	} else {
		view->lo = page;
		view->hi = page + PAGE_BYTES;
	}
	return true;
}
