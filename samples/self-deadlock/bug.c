/* A cache that locks in its public functions; one of them calls another. */
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;
static int entries;

static void cache_trim(void)
{
	pthread_mutex_lock(&cache_lock);
	if (entries > 8)
		entries = 8;
	pthread_mutex_unlock(&cache_lock);
}

static void cache_add(void)
{
	pthread_mutex_lock(&cache_lock);
	if (++entries > 10)
		cache_trim();
	pthread_mutex_unlock(&cache_lock);
}

int main(void)
{
	for (int i = 0; i < 20; i++)
		cache_add();
	printf("%d entries\n", entries);
	return 0;
}
