/* A worker stops in the middle of its work and takes the lock with it. */
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static int jobs = 3;

static void *worker(void *unused)
{
	pthread_mutex_lock(&queue_lock);
	if (--jobs > 0)
		pthread_exit(NULL);
	pthread_mutex_unlock(&queue_lock);
	return unused;
}

int main(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, worker, NULL);
	pthread_join(thread, NULL);
	printf("%d jobs left\n", jobs);
	return 0;
}
