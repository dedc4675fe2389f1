/* A worker waits for work; the order to stop is given between its test and its wait. */
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
	if (!stopping) {
		pthread_mutex_unlock(&lock);
		lesson_step(0); /* whatever takes a moment here: long enough for the order to come */
		lesson_step(2);
		pthread_mutex_lock(&lock);
		pthread_cond_wait(&changed, &lock);
	}
	pthread_mutex_unlock(&lock);
	return unused;
}

int main(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, worker, NULL);
	while (lesson_steps_made() < 1)
		sched_yield();
	pthread_mutex_lock(&lock);
	stopping = true;
	pthread_cond_signal(&changed); /* nobody waits yet */
	pthread_mutex_unlock(&lock);
	lesson_step(1);
	pthread_join(thread, NULL);
	puts("stopped");
	return 0;
}
