/* A library with a lock and a thread of its own, for names.c. */
#include <pthread.h>

static pthread_mutex_t library_mutex = PTHREAD_MUTEX_INITIALIZER;

pthread_mutex_t *library_lock(void);
int library_start(pthread_t *thread, void (*routine)(void));

pthread_mutex_t *library_lock(void)
{
	return &library_mutex;
}

static void (*library_routine)(void);

static void *library_worker(void *unused)
{
	library_routine();
	return unused;
}

int library_start(pthread_t *thread, void (*routine)(void))
{
	library_routine = routine;
	return pthread_create(thread, NULL, library_worker, NULL);
}
