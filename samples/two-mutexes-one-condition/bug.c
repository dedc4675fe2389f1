/* Two queues, one condition variable. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static pthread_mutex_t in_lock = PTHREAD_MUTEX_INITIALIZER, out_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static bool in_ready, out_ready;

static void *consumer(void *unused)
{
	pthread_mutex_lock(&in_lock);
	while (!in_ready)
		pthread_cond_wait(&moved, &in_lock);
	pthread_mutex_unlock(&in_lock);
	return unused;
}

static void *producer(void *unused)
{
	pthread_mutex_lock(&out_lock);
	while (!out_ready)
		pthread_cond_wait(&moved, &out_lock);
	pthread_mutex_unlock(&out_lock);
	return unused;
}

int main(void)
{
	pthread_t one, two;

	pthread_create(&one, NULL, consumer, NULL);
	pthread_create(&two, NULL, producer, NULL);
	usleep(200000); /* both wait */
	pthread_mutex_lock(&in_lock);
	in_ready = true;
	pthread_mutex_unlock(&in_lock);
	pthread_mutex_lock(&out_lock);
	out_ready = true;
	pthread_mutex_unlock(&out_lock);
	pthread_cond_broadcast(&moved);
	pthread_join(one, NULL);
	pthread_join(two, NULL);
	puts("done");
	return 0;
}
