/* Under the lock on both sides. */
#include <pthread.h>

#include "../lesson.h"

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static int written, read_;
int total; /* meant to be behind the lock */

static void *writer(void *unused)
{
	lesson_step(0);
	pthread_mutex_lock(&log_lock);
	total = 7;
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
	*(int *)seen = total;
	pthread_mutex_unlock(&log_lock);
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
