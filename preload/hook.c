/* hook.c: finding the real functions. dlsym may allocate or lock, and so come back to a hook: the
 * resolver keeps no state that its own re-entry could find half done. */
#include <dlfcn.h>
#include <stdatomic.h>
#include <unistd.h>

#include "hook.h"
#include "options.h"
#include "say.h"

extern const struct shim_hook *const __start_shim_hooks[] __attribute__((visibility("hidden")));
extern const struct shim_hook *const __stop_shim_hooks[] __attribute__((visibility("hidden")));

enum { UNRESOLVED, RESOLVING, RESOLVED };
static _Atomic int state;

static void *find(const struct shim_hook *hook)
{
	void *real = hook->version ? dlvsym(RTLD_NEXT, hook->name, hook->version) : NULL;
	return real ? real : dlsym(RTLD_NEXT, hook->name);
}

void *shim_hook_resolve(const struct shim_hook *hook)
{
	void *real = __atomic_load_n(hook->real, __ATOMIC_ACQUIRE);
	if (!real && (real = find(hook)))
		__atomic_store_n(hook->real, real, __ATOMIC_RELEASE);
	if (!real) {
		/* The program called what this system's C library doesn't have: it could not have run. */
		shim_say_errno("no such function in this process: ", hook->name);
		_exit(127);
	}
	return real;
}

void shim_hooks_resolve(void)
{
	int expected = UNRESOLVED;
	if (!atomic_compare_exchange_strong(&state, &expected, RESOLVING))
		return;
	shim_options_read();
	for (const struct shim_hook *const *hook = __start_shim_hooks; hook < __stop_shim_hooks; hook++) {
		void *real = find(*hook);
		if (real)
			__atomic_store_n((*hook)->real, real, __ATOMIC_RELEASE);
	}
	atomic_store(&state, RESOLVED);
}
