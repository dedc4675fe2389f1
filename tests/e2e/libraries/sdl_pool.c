/* SDL_sem is a sem_t. */
#include <SDL2/SDL.h>

#include "pool.h"

static SDL_sem *pool;

static void connect_one(void)
{
	if (SDL_SemWait(pool) != 0)
		abort();
}
static void disconnect_one(void)
{
	if (SDL_SemPost(pool) != 0)
		abort();
}

static int run(void *me)
{
	work((int)(intptr_t)me);
	return 0;
}

int main(int argc, char **argv)
{
	SDL_Thread *threads[WORKERS];

	pool = SDL_CreateSemaphore(connections(argc, argv));
	for (intptr_t i = 0; i < WORKERS; i++)
		threads[i] = SDL_CreateThread(run, "worker", (void *)i);
	for (int i = 0; i < WORKERS; i++)
		SDL_WaitThread(threads[i], NULL);
	SDL_DestroySemaphore(pool);
	return 0;
}
