/* Two caches, made by one function and linked to each other: what one drops, the other takes. The
 * locks have no names of their own; a report has to say where they were made. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "../lesson.h"

struct cache {
	pthread_mutex_t lock;
	struct cache *neighbour; /* takes what this one drops */
	int entries;
};

static struct cache *cache_new(int entries)
{
	struct cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		abort();
	pthread_mutex_init(&cache->lock, NULL);
	cache->entries = entries;
	return cache;
}

static void cache_free(struct cache *cache)
{
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

static void cache_spill(struct cache *cache)
{
	pthread_mutex_lock(&cache->lock);
	pthread_mutex_lock(&cache->neighbour->lock);
	cache->neighbour->entries += cache->entries;
	cache->entries = 0;
	pthread_mutex_unlock(&cache->neighbour->lock);
	pthread_mutex_unlock(&cache->lock);
}

static void *spill_first(void *cache)
{
	cache_spill(cache);
	lesson_step(0);
	return NULL;
}

static void *spill_second(void *cache)
{
	lesson_step(1);
	cache_spill(cache);
	return NULL;
}

int main(void)
{
	struct cache *memory = cache_new(7), *disk = cache_new(5);
	pthread_t memory_thread, disk_thread;

	memory->neighbour = disk;
	disk->neighbour = memory;
	pthread_create(&memory_thread, NULL, spill_first, memory);
	pthread_create(&disk_thread, NULL, spill_second, disk);
	pthread_join(memory_thread, NULL);
	pthread_join(disk_thread, NULL);
	printf("memory %d, disk %d\n", memory->entries, disk->entries);
	cache_free(memory);
	cache_free(disk);
	return 0;
}
