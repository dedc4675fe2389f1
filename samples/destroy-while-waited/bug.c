/* The queue is torn down while a consumer still waits on its condition. */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled;
static bool waits;

static void *consumer(void *unused)
{
	struct timespec soon;

	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_sec++; /* glibc's destroy waits for those who wait: without a limit this would hang */
	pthread_mutex_lock(&lock);
	waits = true;
	pthread_cond_timedwait(&filled, &lock, &soon);
	pthread_mutex_unlock(&lock);
	return unused;
}

/* Under the lock it is seen set only after the wait has given the lock back. */
static void until_it_waits(void)
{
	for (bool seen = false; !seen; sched_yield()) {
		pthread_mutex_lock(&lock);
		seen = waits;
		pthread_mutex_unlock(&lock);
	}
}

int main(void)
{
	pthread_t thread;

	pthread_cond_init(&filled, NULL);
	pthread_create(&thread, NULL, consumer, NULL);
	until_it_waits();
	pthread_cond_destroy(&filled);
	pthread_join(thread, NULL);
	return 0;
}
