/* hook_dl.c: libraries that come and go.
 *
 * dlopen looks for a library where the caller's module says (RUNPATH, $ORIGIN), and knows the caller by its
 * return address. So the call is passed on by a jump, and nothing is done behind it. Only a program that is
 * watched for data races has a wrapper, which says that the loader's lock orders one call behind another
 * (constructors write what the next one reads); and only where the caller's module says nothing that matters.
 */
#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include "hook.h"
#include "modules.h"
#include "process.h"
#include "race/race.h"

static const char loader; /* its lock, by address */

static void *(*shim_real_dlopen)(const char *, int);
SHIM_HOOK_ROW(dlopen, NULL)

static bool has_own_paths(uintptr_t caller)
{
	struct dl_find_object found;
	if (_dl_find_object((void *)caller, &found) != 0)
		return true;
	for (const ElfW(Dyn) *entry = found.dlfo_link_map->l_ld; entry->d_tag != DT_NULL; entry++)
		if (entry->d_tag == DT_RPATH || entry->d_tag == DT_RUNPATH)
			return true;
	return false;
}

static bool depends_on_caller(const char *path, uintptr_t caller)
{
	if (!path)
		return false;
	return strchr(path, '/') ? strchr(path, '$') != NULL : has_own_paths(caller);
}

static void *load_in_order(const char *path, int mode)
{
	shim_race_acquire(&loader, true);
	void *library = shim_real_dlopen(path, mode);
	shim_race_acquire(&loader, true);
	shim_race_release(&loader, SHIM_RACE_JOIN, true);
	return library;
}

/* Where the call goes on. */
__attribute__((used, noinline)) static uintptr_t dlopen_way(const char *path,
                                                            uintptr_t caller) __asm__("shim_dlopen_way");
static uintptr_t dlopen_way(const char *path, uintptr_t caller)
{
	if (SHIM_UNLIKELY(!shim_real_dlopen))
		shim_hook_resolve(&shim_hook_dlopen);
	return SHIM_UNLIKELY(shim_race_on) && !depends_on_caller(path, caller) ? (uintptr_t)load_in_order
	                                                                       : (uintptr_t)shim_real_dlopen;
}

__asm__(".text\n"
        ".globl dlopen\n"
        ".type dlopen, @function\n"
        "dlopen:\n"
        "	.cfi_startproc\n"
        "	pushq %rdi\n"
        "	.cfi_adjust_cfa_offset 8\n"
        "	pushq %rsi\n"
        "	.cfi_adjust_cfa_offset 8\n"
        "	subq $8, %rsp\n"
        "	.cfi_adjust_cfa_offset 8\n"
        "	movq 24(%rsp), %rsi\n"
        "	call shim_dlopen_way\n"
        "	addq $8, %rsp\n"
        "	.cfi_adjust_cfa_offset -8\n"
        "	popq %rsi\n"
        "	.cfi_adjust_cfa_offset -8\n"
        "	popq %rdi\n"
        "	.cfi_adjust_cfa_offset -8\n"
        "	jmpq *%rax\n"
        "	.cfi_endproc\n"
        ".size dlopen, . - dlopen\n");

SHIM_HOOK(int, dlclose, (void *handle))
{
	shim_race_acquire(&loader, true);
	shim_race_release(&loader, SHIM_RACE_JOIN, true);
	int result = SHIM_REAL(dlclose)(handle);
	shim_race_unloaded();
	if (shim_self.capacity && shim_process_check(&shim_self))
		shim_modules_unloaded();
	shim_race_acquire(&loader, true);
	shim_race_release(&loader, SHIM_RACE_JOIN, true);
	return result;
}
