/* The queue is torn down while a consumer still waits on its condition. */
#include <pthread.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled;

static void *consumer(void *unused)
{
	struct timespec soon;

	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_sec++;
	pthread_mutex_lock(&lock);
	pthread_cond_timedwait(&filled, &lock, &soon);
	pthread_mutex_unlock(&lock);
	return unused;
}

static void *waker(void *unused)
{
	usleep(400000); /* glibc's destroy waits for those that were woken */
	pthread_cond_broadcast(&filled);
	return unused;
}

int main(void)
{
	pthread_t threads[2];

	pthread_cond_init(&filled, NULL);
	pthread_create(&threads[0], NULL, consumer, NULL);
	pthread_create(&threads[1], NULL, waker, NULL);
	usleep(150000);
	pthread_cond_destroy(&filled);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	return 0;
}
