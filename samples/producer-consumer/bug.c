/* A bounded queue with statistics. The queue itself is done by the book: one lock, two conditions,
 * loops around the waits. The statistics were added later, and their lock is taken inside the
 * queue's by the producer and outside of it by the monitor. */
#include <pthread.h>
#include <stdio.h>

#include "../lesson.h"

enum { ROOM = 4, ITEMS = 20 };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t not_empty, not_full;
	int items[ROOM], count, first;
} queue = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER, {0}, 0, 0};

static struct {
	pthread_mutex_t lock;
	int produced;
} stats = {PTHREAD_MUTEX_INITIALIZER, 0};

static void queue_put(int item)
{
	pthread_mutex_lock(&queue.lock);
	while (queue.count == ROOM)
		pthread_cond_wait(&queue.not_full, &queue.lock);
	queue.items[(queue.first + queue.count++) % ROOM] = item;
	pthread_mutex_lock(&stats.lock);
	stats.produced++;
	pthread_mutex_unlock(&stats.lock);
	pthread_cond_signal(&queue.not_empty);
	pthread_mutex_unlock(&queue.lock);
}

static int queue_take(void)
{
	pthread_mutex_lock(&queue.lock);
	while (queue.count == 0)
		pthread_cond_wait(&queue.not_empty, &queue.lock);
	int item = queue.items[queue.first];
	queue.first = (queue.first + 1) % ROOM;
	queue.count--;
	pthread_cond_signal(&queue.not_full);
	pthread_mutex_unlock(&queue.lock);
	return item;
}

static void *producer(void *unused)
{
	(void)unused;
	for (int i = 1; i <= ITEMS; i++)
		queue_put(i);
	lesson_step(0);
	return NULL;
}

static void *consumer(void *sum)
{
	for (int i = 0; i < ITEMS; i++)
		*(int *)sum += queue_take();
	return NULL;
}

/* A consistent picture of both: so both are locked, but the other way round. */
static void *monitor(void *unused)
{
	(void)unused;
	lesson_step(1);
	pthread_mutex_lock(&stats.lock);
	pthread_mutex_lock(&queue.lock);
	printf("produced %d\n", stats.produced);
	pthread_mutex_unlock(&queue.lock);
	pthread_mutex_unlock(&stats.lock);
	return NULL;
}

int main(void)
{
	pthread_t producing, consuming, monitoring;
	int sum = 0;

	pthread_create(&producing, NULL, producer, NULL);
	pthread_create(&consuming, NULL, consumer, &sum);
	pthread_create(&monitoring, NULL, monitor, NULL);
	pthread_join(producing, NULL);
	pthread_join(consuming, NULL);
	pthread_join(monitoring, NULL);
	printf("sum %d\n", sum);
	return 0;
}
