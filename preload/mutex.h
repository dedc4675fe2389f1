/* mutex.h: a mutex of the program that the shim releases and takes again on its behalf (wait.c).
 *
 * Nothing is noted of it. Threads: any. errno is kept. */
#ifndef SHIM_MUTEX_H
#define SHIM_MUTEX_H

#include <pthread.h>

#include "shim.h"

void shim_mutex_give(pthread_mutex_t *mutex);
/* `index`: its entry, which is wanted. What pthread_mutex_lock returns; no limit that the user gave ends the wait. */
int shim_mutex_take(struct shim_thread *t, pthread_mutex_t *mutex, uint32_t index);

#endif
