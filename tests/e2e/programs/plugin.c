/* Loaded and unloaded by stress.c: a library with a mutex of its own. */
#include <pthread.h>

static pthread_mutex_t plugin_mutex = PTHREAD_MUTEX_INITIALIZER;

void plugin_run(pthread_mutex_t *mutex, int plugin_first);

void plugin_run(pthread_mutex_t *mutex, int plugin_first)
{
	pthread_mutex_lock(plugin_first ? &plugin_mutex : mutex);
	pthread_mutex_lock(plugin_first ? mutex : &plugin_mutex);
	pthread_mutex_unlock(plugin_first ? mutex : &plugin_mutex);
	pthread_mutex_unlock(plugin_first ? &plugin_mutex : mutex);
}
