/* A cache behind an rwlock: looking up is reading, so it takes the lock for reading. And counts its hits. */
#include <pthread.h>

#include "../lesson.h"

static pthread_rwlock_t cache_lock = PTHREAD_RWLOCK_INITIALIZER;
struct {
	int value, hits;
} entry = {42, 0};

static int look_up(void)
{
	pthread_rwlock_rdlock(&cache_lock);
	int value = entry.value;
	entry.hits++;
	pthread_rwlock_unlock(&cache_lock);
	return value;
}

static void *first(void *unused)
{
	lesson_step(0);
	(void)look_up();
	lesson_step(1);
	return unused;
}

static void *second(void *unused)
{
	lesson_step(2);
	(void)look_up();
	return unused;
}

int main(void)
{
	pthread_t one, other;

	pthread_create(&one, NULL, first, NULL);
	pthread_create(&other, NULL, second, NULL);
	pthread_join(one, NULL);
	pthread_join(other, NULL);
	return entry.hits == 0;
}
