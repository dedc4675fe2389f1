/* Two pools of two. Readers take a buffer and then a thread of the executor, writers the other way round.
 * There is a unit left of each whenever one of them asks; two of each kind at once, and there is none. */
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>

#include "../lesson.h"

enum { THREADS = 4 };

static sem_t buffers, executors;

/* First one after the other with both; then all have their first unit at the same time. */
static void use(int n, sem_t *first, sem_t *second)
{
	for (int turn = 0; turn < 2; turn++) {
		lesson_step(2 * (turn * THREADS + n));
		sem_wait(first);
		if (turn == 0) {
			sem_wait(second);
			sem_post(second);
			sem_post(first);
		}
		lesson_step(2 * (turn * THREADS + n) + 1);
	}
	lesson_step(4 * THREADS + n);
	sem_post(first);
}

static void *reader(void *number)
{
	int n = (int)(intptr_t)number;

	use(n, &buffers, &executors);
	return NULL;
}

static void *writer(void *number)
{
	int n = (int)(intptr_t)number;

	use(n, &executors, &buffers);
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];

	sem_init(&buffers, 0, 2);
	sem_init(&executors, 0, 2);
	for (intptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, i % 2 ? reader : writer, (void *)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
