/* Double-checked locking without atomics: who sees the pointer need not see what it points to. */
#include <pthread.h>
#include <stdlib.h>

#include "../lesson.h"

struct config {
	int port;
};

static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
static struct config *config;

static struct config *get_config(void)
{
	if (!config) {
		pthread_mutex_lock(&making);
		if (!config) {
			struct config *made = malloc(sizeof *made);
			made->port = 80;
			config = made;
		}
		pthread_mutex_unlock(&making);
	}
	return config;
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
