/* Three renderers share three buffers. Each takes one, and one more if the picture is large, which is rare: in this run
 * none is. The program says so itself, since no run can be relied on to show it. */
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

#include <detect/annotate.h>

#include "../lesson.h"

enum { BUFFERS = 3, RENDERERS = 3, MOST = 2 };

static sem_t buffers;

static void render(int n, bool large)
{
	sem_wait(&buffers);
	if (large)
		sem_wait(&buffers);
	lesson_step(n); /* all have one at the same time */
	lesson_step(RENDERERS + n);
	if (large)
		sem_post(&buffers);
	sem_post(&buffers);
}

static void *renderer(void *number)
{
	detect_claim(&buffers, MOST);
	render((int)(intptr_t)number, false);
	return NULL;
}

int main(void)
{
	pthread_t threads[RENDERERS];

	sem_init(&buffers, 0, BUFFERS);
	for (intptr_t i = 0; i < RENDERERS; i++)
		pthread_create(&threads[i], NULL, renderer, (void *)i);
	for (int i = 0; i < RENDERERS; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
