/* Two copies run at once, each needs two of the two tape drives, and takes them one at a time. */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

#include "../lesson.h"

static sem_t drives;
static int copies;

static void copy(int turn)
{
	sem_wait(&drives);
	lesson_step(turn); /* both have their first drive */
	lesson_step(2 + turn);
	sem_wait(&drives);
	__atomic_add_fetch(&copies, 1, __ATOMIC_RELAXED);
	sem_post(&drives);
	sem_post(&drives);
}

static void *nightly(void *unused)
{
	copy(0);
	return unused;
}

static void *by_hand(void *unused)
{
	copy(1);
	return unused;
}

int main(void)
{
	pthread_t one, two;

	sem_init(&drives, 0, 2);
	pthread_create(&one, NULL, nightly, NULL);
	pthread_create(&two, NULL, by_hand, NULL);
	pthread_join(one, NULL);
	pthread_join(two, NULL);
	printf("%d copies\n", copies);
	sem_destroy(&drives);
	return 0;
}
