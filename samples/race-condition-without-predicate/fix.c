/* The result and whether it is there are written under the mutex, and the waiter asks for it under the mutex. */
#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t done = PTHREAD_COND_INITIALIZER;
static bool is_done;
static int result;

static void *worker(void *unused)
{
	usleep(100000);
	pthread_mutex_lock(&lock);
	result = 42;
	is_done = true;
	pthread_cond_signal(&done);
	pthread_mutex_unlock(&lock);
	return unused;
}

int main(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, worker, NULL);
	pthread_mutex_lock(&lock);
	while (!is_done)
		pthread_cond_wait(&done, &lock);
	int seen = result;
	pthread_mutex_unlock(&lock);
	pthread_join(thread, NULL);
	return seen != 42;
}
