/* The total is written before the lock by one, and read behind it by the other. This time the writer was first in the lock. */
#include <pthread.h>

#include "../lesson.h"

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static int written, read_;
int total; /* meant to be behind the lock */

static void *writer(void *unused)
{
	lesson_step(0);
	total = 7;
	pthread_mutex_lock(&log_lock);
	written++;
	pthread_mutex_unlock(&log_lock);
	lesson_step(1);
	return unused;
}

static void *reader(void *seen)
{
	lesson_step(2);
	pthread_mutex_lock(&log_lock);
	read_++;
	pthread_mutex_unlock(&log_lock);
	*(int *)seen = total;
	return NULL;
}

int main(void)
{
	pthread_t one, other;
	int seen = 0;

	pthread_create(&one, NULL, writer, NULL);
	pthread_create(&other, NULL, reader, &seen);
	pthread_join(one, NULL);
	pthread_join(other, NULL);
	return seen != 7;
}
