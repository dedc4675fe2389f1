/* A queue hands jobs over by pointer. The producer still writes to a job that it has handed over. */
#include <pthread.h>
#include <stdlib.h>

#include "../lesson.h"

struct job {
	int size, priority;
};

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static struct job *queue;

static void put(struct job *job)
{
	pthread_mutex_lock(&queue_lock);
	queue = job;
	pthread_mutex_unlock(&queue_lock);
}

static struct job *take(void)
{
	pthread_mutex_lock(&queue_lock);
	struct job *job = queue;
	pthread_mutex_unlock(&queue_lock);
	return job;
}

static void *produce(void *unused)
{
	struct job *job = malloc(sizeof *job);

	job->size = 1;
	job->priority = 0;
	lesson_step(0);
	put(job);
	job->priority = 5; /* an afterthought */
	lesson_step(1);
	return unused;
}

static void *consume(void *sum)
{
	lesson_step(2);
	struct job *job = take();
	*(int *)sum = job->size + job->priority;
	return NULL;
}

int main(void)
{
	pthread_t one, other;
	int sum = 0;

	pthread_create(&one, NULL, produce, NULL);
	pthread_create(&other, NULL, consume, &sum);
	pthread_join(one, NULL);
	pthread_join(other, NULL);
	free(queue);
	return sum == 0;
}
