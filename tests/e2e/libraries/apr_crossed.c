/* apr_thread_mutex_t is a pthread_mutex_t: one that nests, and one that does not. */
#include <apr_general.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>
#include <stdint.h>

#include "crossed.h"

static apr_thread_mutex_t *locks[2];

static void take(int which, bool first)
{
	(void)first;
	apr_thread_mutex_lock(locks[which]);
}
static void give(int which, bool first)
{
	(void)first;
	apr_thread_mutex_unlock(locks[which]);
}

static void *APR_THREAD_FUNC run(apr_thread_t *thread, void *me)
{
	(void)thread;
	work((int)(intptr_t)me);
	return NULL;
}

int main(int argc, char **argv)
{
	apr_pool_t *memory;
	apr_thread_t *threads[2];
	apr_status_t status;

	read_arguments(argc, argv);
	apr_initialize();
	apr_pool_create(&memory, NULL);
	apr_thread_mutex_create(&locks[0], APR_THREAD_MUTEX_NESTED, memory);
	apr_thread_mutex_create(&locks[1], APR_THREAD_MUTEX_DEFAULT, memory);
	for (intptr_t i = 0; i < 2; i++)
		apr_thread_create(&threads[i], NULL, run, (void *)i, memory);
	for (int i = 0; i < 2; i++)
		apr_thread_join(&status, threads[i]);
	apr_pool_destroy(memory);
	apr_terminate();
	return 0;
}
