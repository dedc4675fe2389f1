/* A thread pool. Jobs may submit more jobs, and a job that is cancelled is told so by a callback:
 * the pool calls it with the pool locked, and the crawler submits with its own lock held. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "../lesson.h"

enum { WORKERS = 2, JOBS_MAX = 16 };

struct job {
	void (*run)(int page);
	void (*cancelled)(int page);
	int page;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* a job was added or the pool stops */
	struct job jobs[JOBS_MAX];
	int first, count; /* a ring */
	bool stopping;
	pthread_t workers[WORKERS];
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* False: the pool is full or stopping. */
static bool pool_submit(struct job job)
{
	pthread_mutex_lock(&pool.lock);
	bool taken = pool.count < JOBS_MAX && !pool.stopping;
	if (taken)
		pool.jobs[(pool.first + pool.count++) % JOBS_MAX] = job;
	pthread_cond_signal(&pool.changed);
	pthread_mutex_unlock(&pool.lock);
	return taken;
}

/* Needs the lock, and a job to be there. */
static struct job pool_pop(void)
{
	struct job job = pool.jobs[pool.first];

	pool.first = (pool.first + 1) % JOBS_MAX;
	pool.count--;
	return job;
}

/* False: the pool stops. */
static bool pool_next(struct job *job)
{
	pthread_mutex_lock(&pool.lock);
	while (pool.count == 0 && !pool.stopping)
		pthread_cond_wait(&pool.changed, &pool.lock);
	bool found = pool.count > 0;
	if (found)
		*job = pool_pop();
	pthread_mutex_unlock(&pool.lock);
	return found;
}

static void *pool_worker(void *unused)
{
	struct job job;

	(void)unused;
	while (pool_next(&job))
		job.run(job.page);
	return NULL;
}

static void pool_start(void)
{
	for (int i = 0; i < WORKERS; i++)
		pthread_create(&pool.workers[i], NULL, pool_worker, NULL);
}

/* Tell the owners of the jobs that won't be run. */
static void pool_cancel(void)
{
	pthread_mutex_lock(&pool.lock);
	while (pool.count > 0) {
		struct job job = pool_pop();
		job.cancelled(job.page);
	}
	pool.stopping = true;
	pthread_cond_broadcast(&pool.changed);
	pthread_mutex_unlock(&pool.lock);
}

static void pool_join(void)
{
	for (int i = 0; i < WORKERS; i++)
		pthread_join(pool.workers[i], NULL);
}

static struct {
	pthread_mutex_t lock;
	int fetched, given_up;
} crawl = {PTHREAD_MUTEX_INITIALIZER, 0, 0};

static void page_given_up(int page)
{
	(void)page;
	pthread_mutex_lock(&crawl.lock);
	crawl.given_up++;
	pthread_mutex_unlock(&crawl.lock);
}

/* A server that does not answer before all is over. */
static void fetch_slow_page(int page)
{
	(void)page;
	lesson_step(0);
	lesson_step(4);
}

/* Count the page and submit the links that were on it, in one piece. */
static void fetch_page(int page)
{
	pthread_mutex_lock(&crawl.lock);
	crawl.fetched++;
	for (int link = 1; link <= 3; link++)
		pool_submit((struct job){fetch_page, page_given_up, page + link});
	pthread_mutex_unlock(&crawl.lock);
	lesson_step(1);
	lesson_step(5);
}

int main(void)
{
	pool_start();
	pool_submit((struct job){fetch_slow_page, page_given_up, 1});
	pool_submit((struct job){fetch_page, page_given_up, 2});

	lesson_step(2); /* luck: both workers are past their locks */
	pool_cancel();
	lesson_step(3);
	pool_join();
	printf("fetched %d, given up %d\n", crawl.fetched, crawl.given_up);
	return 0;
}
