/* The main thread locks the door for its helper to open: a mutex is no signal. */
#include <pthread.h>

static pthread_mutex_t door = PTHREAD_MUTEX_INITIALIZER;

static void *helper(void *unused)
{
	pthread_mutex_unlock(&door);
	return unused;
}

int main(void)
{
	pthread_t thread;

	pthread_mutex_lock(&door);
	pthread_create(&thread, NULL, helper, NULL);
	pthread_join(thread, NULL);
	return 0;
}
