/* The same five: who would close the circle takes the forks the other way round. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

enum { SEATS = 5, MOMENT_MS = 100 };

static pthread_mutex_t forks[SEATS] = {
    PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
    PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
};
static int meals[SEATS];
static int seated;

/* Until all have a fork, or a moment has passed. */
static void dawdle(void)
{
	__atomic_fetch_add(&seated, 1, __ATOMIC_SEQ_CST);
	for (int ms = 0; ms < MOMENT_MS && __atomic_load_n(&seated, __ATOMIC_SEQ_CST) < SEATS; ms++)
		usleep(1000);
}

static void *philosopher(void *argument)
{
	int seat = (int)(intptr_t)argument;
	int right = (seat + 1) % SEATS, low = seat < right ? seat : right, high = seat + right - low;

	pthread_mutex_lock(&forks[low]);
	dawdle();
	pthread_mutex_lock(&forks[high]);
	meals[seat]++;
	pthread_mutex_unlock(&forks[high]);
	pthread_mutex_unlock(&forks[low]);
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
