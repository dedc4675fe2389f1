/* Locked before, unlocked after. */
#include <pthread.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

int main(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	pthread_mutex_lock(&lock);
	pthread_cond_timedwait(&changed, &lock, &now);
	pthread_mutex_unlock(&lock);
	return 0;
}
