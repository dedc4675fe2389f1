/* What another thread gives is a semaphore. */
#include <pthread.h>
#include <semaphore.h>

static sem_t door;

static void *helper(void *unused)
{
	sem_post(&door);
	return unused;
}

int main(void)
{
	pthread_t thread;

	sem_init(&door, 0, 0);
	pthread_create(&thread, NULL, helper, NULL);
	sem_wait(&door);
	pthread_join(thread, NULL);
	return 0;
}
