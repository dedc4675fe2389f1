/* Two copies run at once, each needs two of the two tape drives: who has one keeps others from beginning. */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

static sem_t drives;
static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER;
static int copies;

static void copy(void)
{
	pthread_mutex_lock(&starting); /* both drives or none */
	sem_wait(&drives);
	sem_wait(&drives);
	pthread_mutex_unlock(&starting);
	__atomic_add_fetch(&copies, 1, __ATOMIC_RELAXED);
	sem_post(&drives);
	sem_post(&drives);
}

static void *nightly(void *unused)
{
	copy();
	return unused;
}

static void *by_hand(void *unused)
{
	copy();
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
