/* Eight workers render pages and count them. The lock is for the count, and is held while a page is rendered. */
#include <pthread.h>
#include <unistd.h>

enum { WORKERS = 8, PAGES = 20 };

static pthread_mutex_t count_lock = PTHREAD_MUTEX_INITIALIZER;
static int count;

static void render(void)
{
	usleep(500);
}

static void *worker(void *unused)
{
	for (int i = 0; i < PAGES; i++) {
		pthread_mutex_lock(&count_lock);
		render();
		count++;
		pthread_mutex_unlock(&count_lock);
	}
	return unused;
}

int main(void)
{
	pthread_t threads[WORKERS];

	for (int i = 0; i < WORKERS; i++)
		pthread_create(&threads[i], NULL, worker, NULL);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	return count != WORKERS * PAGES;
}
