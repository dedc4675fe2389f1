/* fast_mutex.c: the probe, and the wake-up. */
#include <linux/futex.h>
#include <sys/syscall.h>

#include "fast_mutex.h"
#include "hook.h"
#include "objects.h"
#include "region.h"

static bool not_seen;
bool *shim_fast_mutex = &not_seen;

/* Not hooks of ours, only needed: those are in hook_mutex.c, with slots of their own. */
static int (*shim_real_pthread_mutex_lock)(pthread_mutex_t *);
static int (*shim_real_pthread_mutex_unlock)(pthread_mutex_t *);
SHIM_HOOK_ROW(pthread_mutex_lock, NULL)
SHIM_HOOK_ROW(pthread_mutex_unlock, NULL)

static bool is(const pthread_mutex_t *mutex, int word, int32_t owner, unsigned users, unsigned count)
{
	return mutex->__data.__lock == word && mutex->__data.__owner == owner && mutex->__data.__nusers == users &&
	       mutex->__data.__count == count;
}

static bool behaves(pthread_mutex_t *mutex, unsigned count, int32_t *owner)
{
	if (!is(mutex, 0, 0, 0, 0) || SHIM_REAL(pthread_mutex_lock)(mutex) != 0)
		return false;
	*owner = mutex->__data.__owner;
	bool as_thought = is(mutex, 1, *owner, 1, count) && *owner > 0;
	return SHIM_REAL(pthread_mutex_unlock)(mutex) == 0 && is(mutex, 0, 0, 0, 0) && as_thought;
}

void shim_fast_mutex_probe(int32_t *owner)
{
	pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER, recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
	/* With lock elision the type has more bits, and an inner call may leave the word as it was. */
	bool as_thought = behaves(&plain, 0, owner) && behaves(&recursive, 1, owner) &&
	                  plain.__data.__kind == PTHREAD_MUTEX_TIMED_NP;
	bool *seen = shim_fast_mutex == &not_seen ? shim_region_map(sizeof *seen, true) : shim_fast_mutex;
	if (!seen)
		return;
	*seen = as_thought;
	shim_fast_mutex = seen;
}

/* By hand: libc's syscall() would write errno. */
void shim_fast_mutex_wake(int *word)
{
	long result;
	register long wait_mask __asm__("r10") = 0;
	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "0"((long)SYS_futex), "D"(word), "S"((long)FUTEX_WAKE_PRIVATE), "d"(1L), "r"(wait_mask)
	                 : "rcx", "r11", "memory");
}
