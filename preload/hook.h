/* hook.h: how an interposer is declared: one macro, five lines.
 *
 *   SHIM_HOOK(int, pthread_mutex_trylock, (pthread_mutex_t *mutex))
 *   {
 *           uint32_t index = shim_want(...);            note what is wanted
 *           int r = SHIM_REAL(pthread_mutex_trylock)(mutex);   do it
 *           shim_got(..., r == 0);                      note what was got
 *           return r;
 *   }
 *
 * The macro makes the slot of the real function, registers it in the section that
 * shim_hooks_resolve walks, and exports the symbol. A hook may be called before any constructor:
 * SHIM_REAL goes through shim_attach's resolution, which every path to it has passed. */
#ifndef SHIM_HOOK_H
#define SHIM_HOOK_H

#include "shim.h"

struct shim_hook {
	const char *name, *version;  /* version: of the GNU symbol, NULL: the default one */
	void **real;
};

/* The section holds pointers: what a compiler pads between structs would not be a row. */
#define SHIM_HOOK_ROW(name, symbol_version)                                                                   \
	static const struct shim_hook shim_hook_##name = {#name, symbol_version, (void **)&shim_real_##name}; \
	static const struct shim_hook *const shim_hook_row_##name                                             \
	    __attribute__((used, section("shim_hooks"))) = &shim_hook_##name;

#define SHIM_HOOK_VERSIONED(symbol_version, ret, name, params)                                                 \
	static ret(*shim_real_##name) params;                                                                  \
	SHIM_HOOK_ROW(name, symbol_version)                                                                    \
	SHIM_EXPORT ret name params;                                                                           \
	SHIM_EXPORT ret name params

/* For a function that calls the real one and stands before the hook. */
#define SHIM_HOOK_AHEAD(ret, name, params)    \
	static ret(*shim_real_##name) params; \
	static const struct shim_hook shim_hook_##name

#define SHIM_HOOK(ret, name, params) SHIM_HOOK_VERSIONED(NULL, ret, name, params)

/* The same hook by another name, whose declaration has other types. */
#define SHIM_ALSO(name, hook) __asm__(".globl " #name "\n.type " #name ", @function\n.set " #name ", " #hook);

/* The real function. Resolved at the first use by whichever hook comes first. */
#define SHIM_REAL(name) (*(SHIM_LIKELY(shim_real_##name) ? shim_real_##name : (__typeof__(shim_real_##name))shim_hook_resolve(&shim_hook_##name)))

/* Resolve every hook; safe to call again and from within itself. */
void shim_hooks_resolve(void);
/* Resolve one, now; ends the process with a line when the symbol exists nowhere. */
void *shim_hook_resolve(const struct shim_hook *hook);

#endif
