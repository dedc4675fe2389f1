/* A reader thread fills a buffer and posts; the user waits for it with the buffer locked. */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

#include "../lesson.h"

static pthread_mutex_t buffer_lock = PTHREAD_MUTEX_INITIALIZER;
static sem_t filled;
static int buffer;

static void *reader(void *unused)
{
	pthread_mutex_lock(&buffer_lock);
	buffer = 42;
	pthread_mutex_unlock(&buffer_lock);
	sem_post(&filled);
	lesson_step(0);
	return unused;
}

int main(void)
{
	pthread_t thread;

	sem_init(&filled, 0, 0);
	pthread_create(&thread, NULL, reader, NULL);
	lesson_step(1); /* luck: it is filled already */
	pthread_mutex_lock(&buffer_lock);
	sem_wait(&filled);
	printf("%d\n", buffer);
	pthread_mutex_unlock(&buffer_lock);
	pthread_join(thread, NULL);
	sem_destroy(&filled);
	return 0;
}
