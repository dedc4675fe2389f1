/* uv_sem_t is a sem_t with a glibc of today. */
#include <stdint.h>
#include <uv.h>

#include "pool.h"

static uv_sem_t pool;

static void connect_one(void)
{
	uv_sem_wait(&pool);
}
static void disconnect_one(void)
{
	uv_sem_post(&pool);
}

static void run(void *me)
{
	work((int)(intptr_t)me);
}

int main(int argc, char **argv)
{
	uv_thread_t threads[WORKERS];

	if (uv_sem_init(&pool, connections(argc, argv)) != 0)
		abort();
	for (intptr_t i = 0; i < WORKERS; i++)
		uv_thread_create(&threads[i], run, (void *)i);
	for (int i = 0; i < WORKERS; i++)
		uv_thread_join(&threads[i]);
	uv_sem_destroy(&pool);
	return 0;
}
