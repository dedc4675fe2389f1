/* Dijkstra's table: five philosophers, five forks, and each takes the left fork first. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

#include "../lesson.h"

enum { SEATS = 5 };

static pthread_mutex_t forks[SEATS] = {
    PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
    PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
};
static int meals[SEATS];

static void *philosopher(void *argument)
{
	int seat = (int)(intptr_t)argument;
	int left = seat, right = (seat + 1) % SEATS;

	lesson_step(2 * seat); /* luck: nobody else is hungry now */
	pthread_mutex_lock(&forks[left]);
	pthread_mutex_lock(&forks[right]);
	meals[seat]++;
	pthread_mutex_unlock(&forks[right]);
	pthread_mutex_unlock(&forks[left]);
	lesson_step(2 * seat + 1);
	return NULL;
}

int main(void)
{
	pthread_t threads[SEATS];

	for (int i = 0; i < SEATS; i++)
		pthread_create(&threads[i], NULL, philosopher, (void *)(intptr_t)i);
	for (int i = 0; i < SEATS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < SEATS; i++)
		printf("philosopher %d: %d meal\n", i, meals[i]);
	return 0;
}
