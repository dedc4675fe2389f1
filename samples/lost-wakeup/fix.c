/* A worker waits for work; the order to stop is given under the lock that its test and its wait hold. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "../lesson.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool stopping;

static void *worker(void *unused)
{
	pthread_mutex_lock(&lock);
	while (!stopping)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	return unused;
}

int main(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, worker, NULL);
	pthread_mutex_lock(&lock);
	stopping = true;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&lock);
	pthread_join(thread, NULL);
	puts("stopped");
	return 0;
}
