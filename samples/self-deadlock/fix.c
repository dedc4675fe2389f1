/* A cache that locks in its public functions; what they share expects the lock held. */
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;
static int entries;

static void trim_locked(void)
{
	if (entries > 8)
		entries = 8;
}

static void cache_add(void)
{
	pthread_mutex_lock(&cache_lock);
	if (++entries > 10)
		trim_locked();
	pthread_mutex_unlock(&cache_lock);
}

int main(void)
{
	for (int i = 0; i < 20; i++)
		cache_add();
	printf("%d entries\n", entries);
	return 0;
}
