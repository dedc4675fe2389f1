/* The worker writes its result and signals; who waits takes the signal for the result. */
#include <pthread.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t done = PTHREAD_COND_INITIALIZER;
static int result;

static void *worker(void *unused)
{
	usleep(100000); /* the lucky order: the other waits already */
	result = 42;
	pthread_cond_signal(&done);
	return unused;
}

int main(void)
{
	struct timespec later;
	pthread_t thread;

	pthread_create(&thread, NULL, worker, NULL);
	clock_gettime(CLOCK_REALTIME, &later);
	later.tv_sec += 5;
	pthread_mutex_lock(&lock);
	pthread_cond_timedwait(&done, &lock, &later);
	int seen = result;
	pthread_mutex_unlock(&lock);
	pthread_join(thread, NULL);
	return seen != 42;
}
