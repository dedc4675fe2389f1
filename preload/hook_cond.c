/* hook_cond.c: pthread_cond_t. The symbols of GLIBC_2.3.2: those of 2.2.5 work on another layout. */
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "hook.h"
#include "identity.h"
#include "misuse.h"
#include "wait.h"
#include "waiters.h"

#define COND_VERSION "GLIBC_2.3.2"

SHIM_HOOK_VERSIONED(COND_VERSION, int, pthread_cond_wait, (pthread_cond_t *cond, pthread_mutex_t *mutex))
{
	int result;
	SHIM_COND_WAIT(result, cond, mutex, 0, ETIMEDOUT, SHIM_REAL(pthread_cond_wait)(cond, mutex));
	return result;
}

SHIM_HOOK_VERSIONED(COND_VERSION, int, pthread_cond_timedwait,
                    (pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *deadline))
{
	int result;
	SHIM_COND_WAIT(result, cond, mutex, SHIM_HOW_TIMED, ETIMEDOUT,
	               SHIM_REAL(pthread_cond_timedwait)(cond, mutex, deadline));
	return result;
}

SHIM_HOOK(int, pthread_cond_clockwait,
          (pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock, const struct timespec *deadline))
{
	int result;
	SHIM_COND_WAIT(result, cond, mutex, SHIM_HOW_TIMED, ETIMEDOUT,
	               SHIM_REAL(pthread_cond_clockwait)(cond, mutex, clock, deadline));
	return result;
}

SHIM_HOOK_VERSIONED(COND_VERSION, int, pthread_cond_signal, (pthread_cond_t *cond))
{
	shim_note_op(&shim_self, DT_OP_COND_SIGNAL, cond, DT_LOCK_COND, SHIM_SLOT());
	shim_waiters_wake(cond, false);
	return SHIM_REAL(pthread_cond_signal)(cond);
}

SHIM_HOOK_VERSIONED(COND_VERSION, int, pthread_cond_broadcast, (pthread_cond_t *cond))
{
	shim_note_op(&shim_self, DT_OP_COND_SIGNAL, cond, DT_LOCK_COND, SHIM_SLOT());
	shim_waiters_wake(cond, true);
	return SHIM_REAL(pthread_cond_broadcast)(cond);
}

SHIM_HOOK_VERSIONED(COND_VERSION, int, pthread_cond_init,
                    (pthread_cond_t *cond, const pthread_condattr_t *attributes))
{
	int result = SHIM_REAL(pthread_cond_init)(cond, attributes);
	if (result == 0)
		shim_identity_born(&shim_self, cond, DT_LOCK_COND, SHIM_SLOT());
	return result;
}

SHIM_HOOK_VERSIONED(COND_VERSION, int, pthread_cond_destroy, (pthread_cond_t *cond))
{
	shim_misuse_destroy(&shim_self, cond, DT_LOCK_COND, SHIM_SLOT());
	int result = SHIM_REAL(pthread_cond_destroy)(cond);
	if (result == 0) {
		shim_misuse_destroyed(&shim_self, cond, DT_LOCK_COND, SHIM_SLOT());
		shim_identity_ended(cond);
	}
	return result;
}
