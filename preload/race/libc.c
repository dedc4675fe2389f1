/* libc.c: what the wrappers of libc's functions share. */
#include "libc.h"

#include <dlfcn.h>
#include <errno.h>
#include <gnu/lib-names.h>
#include <string.h>

extern void __tsan_func_entry(void *pc);
extern void __tsan_func_exit(void);

extern const struct race_libc_call *const __start_race_libc[] __attribute__((visibility("hidden")));
extern const struct race_libc_call *const __stop_race_libc[] __attribute__((visibility("hidden")));

/* A hook of the shim's: the same function with the order that it gives. */
static bool is_ours(const void *function)
{
	Dl_info it, here;
	return dladdr(function, &it) && dladdr((const void *)__start_race_libc, &here) &&
	       it.dli_fbase == here.dli_fbase;
}

void race_libc_open(void)
{
	void *libc = dlopen(LIBC_SO, RTLD_LAZY | RTLD_NOLOAD);
	if (!libc)
		return;
	for (const struct race_libc_call *const *row = __start_race_libc; row < __stop_race_libc; row++) {
		const struct race_libc_call *call = *row;
		void *real = dlsym(libc, call->name);
		if (real && (real == (void *)*call->target || is_ours((void *)*call->target)))
			__atomic_store_n(call->target, call->wrapper, __ATOMIC_RELEASE);
	}
	dlclose(libc);
}

void race_libc_access(const void *start, size_t bytes, uint32_t kind, uintptr_t pc)
{
	int saved = errno;
	/* No pointer: the call fails or crashes, as it would. */
	if (start && race_libc_is_programs(pc))
		race_access_range((uintptr_t)start, bytes, kind, pc);
	errno = saved;
}

void race_libc_string(const char *s, uintptr_t pc)
{
	if (s)
		race_libc_access(s, strlen(s) + 1, RACE_READ, pc);
}

void race_libc_enter(uintptr_t pc)
{
	__tsan_func_entry((void *)pc);
}

void race_libc_leave(void)
{
	__tsan_func_exit();
}
