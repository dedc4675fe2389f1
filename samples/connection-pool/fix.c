/* One connection more than workers: whoever needs a second one gets it, ends, and gives back two. A worker
 * that copies between two databases takes a second one while it has the first. */
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

#include "../lesson.h"

enum { CONNECTIONS = 4, WORKERS = 3 };

static sem_t connections;

static void serve(bool copies)
{
	sem_wait(&connections);
	if (copies) {
		sem_wait(&connections);
		sem_post(&connections);
	}
}

/* First one after the other, and one of them copies; then all have a connection at the same time. */
static void *worker(void *number)
{
	int n = (int)(intptr_t)number;

	for (int turn = 0; turn < 2; turn++) {
		lesson_step(2 * (turn * WORKERS + n));
		serve(turn == 0 && n == 0);
		if (turn == 0)
			sem_post(&connections);
		lesson_step(2 * (turn * WORKERS + n) + 1);
	}
	lesson_step(4 * WORKERS + n);
	sem_post(&connections);
	return NULL;
}

int main(void)
{
	pthread_t threads[WORKERS];

	sem_init(&connections, 0, CONNECTIONS);
	for (intptr_t i = 0; i < WORKERS; i++)
		pthread_create(&threads[i], NULL, worker, (void *)i);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
