/* A worker stops in the middle of its work, and a cleanup handler gives the lock back. */
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static int jobs = 3;

static void give_back(void *lock)
{
	pthread_mutex_unlock(lock);
}

static void *worker(void *unused)
{
	pthread_mutex_lock(&queue_lock);
	pthread_cleanup_push(give_back, &queue_lock);
	if (--jobs > 0)
		pthread_exit(NULL);
	pthread_cleanup_pop(1);
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
