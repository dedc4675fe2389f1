/* hook_limit.c: a limit of the address space that the program sets itself while it is watched for data races.
 *
 * The runtime has 40 TB reserved then, which count. So the kernel gets a limit that is higher by what is
 * ours, and the program reads back its own; what it executes gets the program's own, too. (What posix_spawn
 * starts has the higher one: its caller must go on.) A child of vfork changes nothing of its parent's. */
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "hook.h"
#include "log.h"
#include "race/race.h"
#include "region.h"

/* For what the runtime maps later: threads, objects, the log. */
#define ROOM ((rlim_t)2 << 30)

static _Atomic rlim_t ours; /* the same from the first limit on: the highest possible one can't be raised */
static _Atomic bool higher[RLIM_NLIMITS]; /* the kernel has more than the program said */

static bool counts(__rlimit_resource_t resource)
{
	return (resource == RLIMIT_AS || resource == RLIMIT_DATA) && SHIM_UNLIKELY(shim_race_on);
}

static bool is_in_vfork(void)
{
	const struct dt_log_header *header = shim_log_header();
	return header && header->pid != getpid();
}

static rlim_t plus(rlim_t limit, rlim_t by)
{
	return limit > RLIM_INFINITY - by ? RLIM_INFINITY : limit + by;
}

static rlim_t minus(rlim_t limit, rlim_t by)
{
	return limit == RLIM_INFINITY || limit < by ? limit : limit - by;
}

static struct rlimit for_kernel(const struct rlimit *limit)
{
	rlim_t none = 0;
	atomic_compare_exchange_strong(&ours, &none, shim_race_reserved() + shim_region_bytes() + ROOM);
	return (struct rlimit){plus(limit->rlim_cur, ours), plus(limit->rlim_max, ours)};
}

static void for_program(__rlimit_resource_t resource, struct rlimit *limit)
{
	if (counts(resource) && atomic_load(&higher[resource])) {
		limit->rlim_cur = minus(limit->rlim_cur, ours);
		limit->rlim_max = minus(limit->rlim_max, ours);
	}
}

SHIM_HOOK(int, prlimit,
          (pid_t pid, __rlimit_resource_t resource, const struct rlimit *limit, struct rlimit *old))
{
	bool own = counts(resource) && (pid == 0 || pid == getpid()) && !is_in_vfork();
	struct rlimit given;
	if (own && limit)
		given = for_kernel(limit);
	int result = SHIM_REAL(prlimit)(pid, resource, own && limit ? &given : limit, old);
	if (own && result == 0 && old)
		for_program(resource, old);
	if (own && result == 0 && limit)
		atomic_store(&higher[resource], true);
	return result;
}

SHIM_HOOK(int, setrlimit, (__rlimit_resource_t resource, const struct rlimit *limit))
{
	/* Declared nonnull, so that a test for NULL would be left out; the C library takes it. */
	__asm__("" : "+r"(limit));
	return prlimit(0, resource, limit, NULL);
}

SHIM_HOOK(int, getrlimit, (__rlimit_resource_t resource, struct rlimit *limit))
{
	int result = SHIM_REAL(getrlimit)(resource, limit);
	if (result == 0)
		for_program(resource, limit);
	return result;
}

/* By their other names (large files), which are the same functions in the C library. */
SHIM_ALSO(prlimit64, prlimit)
SHIM_ALSO(setrlimit64, setrlimit)
SHIM_ALSO(getrlimit64, getrlimit)

/* ---- what is executed gets the program's limits ---- */

static const __rlimit_resource_t resources[] = {RLIMIT_AS, RLIMIT_DATA};
enum { RESOURCES = sizeof resources / sizeof *resources };

static void give_back(struct rlimit kept[RESOURCES])
{
	for (int i = 0; i < RESOURCES; i++) {
		if (!atomic_load(&higher[resources[i]]) || SHIM_REAL(getrlimit)(resources[i], &kept[i]) != 0)
			continue;
		struct rlimit own = kept[i];
		for_program(resources[i], &own);
		SHIM_REAL(setrlimit)(resources[i], &own);
	}
}

static void take_again(const struct rlimit kept[RESOURCES])
{
	int saved = errno;
	for (int i = 0; i < RESOURCES; i++)
		if (atomic_load(&higher[resources[i]]))
			SHIM_REAL(setrlimit)(resources[i], &kept[i]);
	errno = saved;
}

#define EXECUTE(call)                                                                                        \
	struct rlimit kept[RESOURCES] = {{0, 0}};                                                            \
	give_back(kept);                                                                                     \
	int result = call;                                                                                   \
	take_again(kept);                                                                                    \
	return result

SHIM_HOOK(int, execve, (const char *path, char *const argv[], char *const envp[]))
{
	EXECUTE(SHIM_REAL(execve)(path, argv, envp));
}

SHIM_HOOK(int, execv, (const char *path, char *const argv[]))
{
	EXECUTE(SHIM_REAL(execv)(path, argv));
}

SHIM_HOOK(int, execvp, (const char *file, char *const argv[]))
{
	EXECUTE(SHIM_REAL(execvp)(file, argv));
}

SHIM_HOOK(int, execvpe, (const char *file, char *const argv[], char *const envp[]))
{
	EXECUTE(SHIM_REAL(execvpe)(file, argv, envp));
}

SHIM_HOOK(int, fexecve, (int fd, char *const argv[], char *const envp[]))
{
	EXECUTE(SHIM_REAL(fexecve)(fd, argv, envp));
}

/* The calls that take a list make an array of it, on the stack, as the C library does. */
#define LISTED(first, more, call)                                                                            \
	va_list count_list, list;                                                                            \
	size_t count = 1;                                                                                    \
	va_start(count_list, first);                                                                         \
	for (const char *at = first; at; count++)                                                            \
		at = va_arg(count_list, const char *);                                                       \
	va_end(count_list);                                                                                  \
	char *argv[count];                                                                                   \
	va_start(list, first);                                                                               \
	argv[0] = (char *)(uintptr_t)first;                                                                  \
	for (size_t i = 1; i < count; i++)                                                                   \
		argv[i] = va_arg(list, char *);                                                              \
	more va_end(list);                                                                                   \
	return call

SHIM_EXPORT int execl(const char *path, const char *first, ...)
{
	LISTED(first, , execv(path, argv));
}

SHIM_EXPORT int execlp(const char *file, const char *first, ...)
{
	LISTED(first, , execvp(file, argv));
}

SHIM_EXPORT int execle(const char *path, const char *first, ...)
{
	LISTED(first, char *const *envp = va_arg(list, char *const *);, execve(path, argv, envp));
}
