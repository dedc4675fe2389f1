/* Two queues, one condition variable each. */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>

static pthread_mutex_t in_lock = PTHREAD_MUTEX_INITIALIZER, out_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER, emptied = PTHREAD_COND_INITIALIZER;
static bool in_ready, out_ready;
static bool in_waited_for, out_waited_for;

static void *consumer(void *unused)
{
	pthread_mutex_lock(&in_lock);
	in_waited_for = true;
	while (!in_ready)
		pthread_cond_wait(&moved, &in_lock);
	pthread_mutex_unlock(&in_lock);
	return unused;
}

static void *producer(void *unused)
{
	pthread_mutex_lock(&out_lock);
	out_waited_for = true;
	while (!out_ready)
		pthread_cond_wait(&emptied, &out_lock);
	pthread_mutex_unlock(&out_lock);
	return unused;
}

/* Under the lock it is seen set only after the wait has given the lock back. */
static void until(pthread_mutex_t *lock, const bool *waited_for)
{
	for (bool seen = false; !seen; sched_yield()) {
		pthread_mutex_lock(lock);
		seen = *waited_for;
		pthread_mutex_unlock(lock);
	}
}

int main(void)
{
	pthread_t one, two;

	pthread_create(&one, NULL, consumer, NULL);
	pthread_create(&two, NULL, producer, NULL);
	until(&in_lock, &in_waited_for);
	until(&out_lock, &out_waited_for);
	pthread_mutex_lock(&in_lock);
	in_ready = true;
	pthread_mutex_unlock(&in_lock);
	pthread_mutex_lock(&out_lock);
	out_ready = true;
	pthread_mutex_unlock(&out_lock);
	pthread_cond_broadcast(&moved);
	pthread_cond_broadcast(&emptied);
	pthread_join(one, NULL);
	pthread_join(two, NULL);
	puts("done");
	return 0;
}
