/* The pointer is published by a release store and read by an acquire load. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "../lesson.h"

struct config {
	int port;
};

static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct config *) config;

static struct config *get_config(void)
{
	struct config *known = atomic_load_explicit(&config, memory_order_acquire);

	if (!known) {
		pthread_mutex_lock(&making);
		known = atomic_load_explicit(&config, memory_order_relaxed);
		if (!known) {
			known = malloc(sizeof *known);
			known->port = 80;
			atomic_store_explicit(&config, known, memory_order_release);
		}
		pthread_mutex_unlock(&making);
	}
	return known;
}

static void *first(void *unused)
{
	lesson_step(0);
	(void)get_config();
	lesson_step(1);
	return unused;
}

static void *second(void *port)
{
	lesson_step(2);
	*(int *)port = get_config()->port;
	return NULL;
}

int main(void)
{
	pthread_t one, other;
	int port = 0;

	pthread_create(&one, NULL, first, NULL);
	pthread_create(&other, NULL, second, &port);
	pthread_join(one, NULL);
	pthread_join(other, NULL);
	free(config);
	return port != 80;
}
