/* hook_spin.c: pthread_spinlock_t. Who spins is blocked, only that it burns a processor. */
#include <errno.h>
#include <pthread.h>

#include "block.h"
#include "hook.h"
#include "identity.h"
#include "misuse.h"
#include "race/race.h"
#include "want.h"

SHIM_HOOK(int, pthread_spin_trylock, (pthread_spinlock_t *lock))
{
	struct shim_thread *t = &shim_self;
	uint32_t index = shim_want(t, (void *)lock, SHIM_SLOT(), DT_LOCK_SPIN | SHIM_HOW_TRY);
	int result = SHIM_REAL(pthread_spin_trylock)(lock);
	shim_got(t, index, DT_LOCK_SPIN | SHIM_HOW_TRY, result == 0);
	shim_race_lock((const void *)lock, DT_LOCK_SPIN, result == 0);
	return result;
}

SHIM_HOOK(int, pthread_spin_lock, (pthread_spinlock_t *lock))
{
	struct shim_thread *t = &shim_self;
	uint32_t index = shim_want(t, (void *)lock, SHIM_SLOT(), DT_LOCK_SPIN);
	int result = SHIM_REAL(pthread_spin_trylock)(lock);
	if (SHIM_UNLIKELY(result == EBUSY))
		SHIM_BLOCKING(result, t, SHIM_WAIT_FOR(t, lock, DT_LOCK_SPIN, index), EDEADLK,
		              SHIM_REAL(pthread_spin_lock)(lock));
	shim_got(t, index, DT_LOCK_SPIN, result == 0);
	shim_race_lock((const void *)lock, DT_LOCK_SPIN, result == 0);
	return result;
}

SHIM_HOOK(int, pthread_spin_unlock, (pthread_spinlock_t *lock))
{
	if (SHIM_UNLIKELY(!shim_release(&shim_self, (void *)lock)))
		shim_misuse_unlock(&shim_self, (void *)lock, DT_LOCK_SPIN, SHIM_SLOT());
	shim_race_unlock((const void *)lock, DT_LOCK_SPIN);
	return SHIM_REAL(pthread_spin_unlock)(lock);
}

SHIM_HOOK(int, pthread_spin_init, (pthread_spinlock_t *lock, int shared))
{
	shim_misuse_init(&shim_self, (void *)lock, DT_LOCK_SPIN, SHIM_SLOT());
	int result = SHIM_REAL(pthread_spin_init)(lock, shared);
	if (result == 0)
		shim_identity_born(&shim_self, (void *)lock, DT_LOCK_SPIN, SHIM_SLOT());
	return result;
}

SHIM_HOOK(int, pthread_spin_destroy, (pthread_spinlock_t *lock))
{
	shim_misuse_destroy(&shim_self, (void *)lock, DT_LOCK_SPIN, SHIM_SLOT());
	int result = SHIM_REAL(pthread_spin_destroy)(lock);
	if (result == 0) {
		shim_misuse_destroyed(&shim_self, (void *)lock, DT_LOCK_SPIN, SHIM_SLOT());
		shim_identity_ended((void *)lock);
	}
	return result;
}
