/* A small file system: three modules, three locks, each module calls the next with its lock held.
 * Every pair of modules looks fine; the three together close a circle. */
#include <pthread.h>
#include <stdio.h>

#include "../lesson.h"

static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t inode_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t journal_lock = PTHREAD_MUTEX_INITIALIZER;

static int dirty_pages = 3, open_files = 1, journal_entries;

/* Under memory pressure: write back pages, which updates their files. */
static void *shrink_cache(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&cache_lock);
	pthread_mutex_lock(&inode_lock);
	dirty_pages = 0;
	open_files--;
	pthread_mutex_unlock(&inode_lock);
	pthread_mutex_unlock(&cache_lock);
	lesson_step(0);
	return NULL;
}

/* A file is created: the change goes to the journal. */
static void *create_file(void *unused)
{
	(void)unused;
	lesson_step(1);
	pthread_mutex_lock(&inode_lock);
	pthread_mutex_lock(&journal_lock);
	open_files++;
	journal_entries++;
	pthread_mutex_unlock(&journal_lock);
	pthread_mutex_unlock(&inode_lock);
	lesson_step(2);
	return NULL;
}

/* The journal is full: its pages are flushed from the cache. */
static void *commit_journal(void *unused)
{
	(void)unused;
	lesson_step(3);
	pthread_mutex_lock(&journal_lock);
	pthread_mutex_lock(&cache_lock);
	journal_entries = 0;
	dirty_pages++;
	pthread_mutex_unlock(&cache_lock);
	pthread_mutex_unlock(&journal_lock);
	return NULL;
}

int main(void)
{
	pthread_t threads[3];

	pthread_create(&threads[0], NULL, shrink_cache, NULL);
	pthread_create(&threads[1], NULL, create_file, NULL);
	pthread_create(&threads[2], NULL, commit_journal, NULL);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	printf("dirty %d, open %d, journal %d\n", dirty_pages, open_files, journal_entries);
	return 0;
}
