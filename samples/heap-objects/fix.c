/* Two caches linked to each other, and one order for all caches: the one made first is locked first.
 * A number given at birth orders heap objects as an array index orders array elements. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct cache {
	pthread_mutex_t lock;
	struct cache *neighbour; /* takes what this one drops */
	unsigned long serial;    /* the order of locking */
	int entries;
};

static struct cache *cache_new(int entries)
{
	static unsigned long last_serial;
	struct cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		abort();
	pthread_mutex_init(&cache->lock, NULL);
	cache->serial = ++last_serial;
	cache->entries = entries;
	return cache;
}

static void cache_free(struct cache *cache)
{
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

static void cache_lock_both(struct cache *a, struct cache *b)
{
	struct cache *first = a->serial < b->serial ? a : b;
	struct cache *second = a->serial < b->serial ? b : a;

	pthread_mutex_lock(&first->lock);
	pthread_mutex_lock(&second->lock);
}

static void cache_spill(struct cache *cache)
{
	cache_lock_both(cache, cache->neighbour);
	cache->neighbour->entries += cache->entries;
	cache->entries = 0;
	pthread_mutex_unlock(&cache->neighbour->lock);
	pthread_mutex_unlock(&cache->lock);
}

static void *spill(void *cache)
{
	cache_spill(cache);
	return NULL;
}

int main(void)
{
	struct cache *memory = cache_new(7), *disk = cache_new(5);
	pthread_t memory_thread, disk_thread;

	memory->neighbour = disk;
	disk->neighbour = memory;
	pthread_create(&memory_thread, NULL, spill, memory);
	pthread_create(&disk_thread, NULL, spill, disk);
	pthread_join(memory_thread, NULL);
	pthread_join(disk_thread, NULL);
	printf("memory %d, disk %d\n", memory->entries, disk->entries);
	cache_free(memory);
	cache_free(disk);
	return 0;
}
