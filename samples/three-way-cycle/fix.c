/* A small file system: three modules, three locks, one order: cache, then inode, then journal. */
#include <pthread.h>
#include <stdio.h>

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
	return NULL;
}

/* A file is created: the change goes to the journal. */
static void *create_file(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&inode_lock);
	pthread_mutex_lock(&journal_lock);
	open_files++;
	journal_entries++;
	pthread_mutex_unlock(&journal_lock);
	pthread_mutex_unlock(&inode_lock);
	return NULL;
}

/* The journal is full: its pages are flushed from the cache. The journal's lock is given back
 * before the cache's is taken: the entries belong to this thread by then. */
static void *commit_journal(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&journal_lock);
	int taken = journal_entries;
	journal_entries = 0;
	pthread_mutex_unlock(&journal_lock);

	pthread_mutex_lock(&cache_lock);
	dirty_pages += taken;
	pthread_mutex_unlock(&cache_lock);
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
