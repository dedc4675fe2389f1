/* A semaphore of one unit guards the log, a mutex the table. Never both at once in the updater. */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

#include "../lesson.h"

static sem_t log_free;
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static int table, lines;

static void *writer(void *unused)
{
	lesson_step(0);
	sem_wait(&log_free);
	pthread_mutex_lock(&table_lock);
	lines += table;
	pthread_mutex_unlock(&table_lock);
	sem_post(&log_free);
	lesson_step(1);
	return unused;
}

static void *updater(void *unused)
{
	lesson_step(2);
	pthread_mutex_lock(&table_lock);
	table++;
	pthread_mutex_unlock(&table_lock);
	sem_wait(&log_free);
	lines++;
	sem_post(&log_free);
	lesson_step(3);
	return unused;
}

int main(void)
{
	pthread_t one, two;

	sem_init(&log_free, 0, 1);
	pthread_create(&one, NULL, writer, NULL);
	pthread_create(&two, NULL, updater, NULL);
	pthread_join(one, NULL);
	pthread_join(two, NULL);
	sem_destroy(&log_free);
	printf("%d %d\n", table, lines);
	return 0;
}
