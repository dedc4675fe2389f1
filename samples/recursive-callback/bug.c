/* Event listeners are called with the registry locked. The lock is recursive, so that a listener
 * may call back into the registry; that hides what a listener's own lock does to the order. */
#include <pthread.h>
#include <stdio.h>

#include "../lesson.h"

enum { LISTENERS_MAX = 8 };

typedef void listener(void);

static struct {
	pthread_mutex_t lock;
	listener *listeners[LISTENERS_MAX];
	int count;
} registry = {.lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP};

static struct {
	pthread_mutex_t lock;
	int frames;
} window = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void registry_add(listener *added)
{
	pthread_mutex_lock(&registry.lock);
	if (registry.count < LISTENERS_MAX)
		registry.listeners[registry.count++] = added;
	pthread_mutex_unlock(&registry.lock);
}

static void registry_remove(listener *removed)
{
	pthread_mutex_lock(&registry.lock);
	for (int i = 0; i < registry.count; i++)
		if (registry.listeners[i] == removed)
			registry.listeners[i] = registry.listeners[--registry.count];
	pthread_mutex_unlock(&registry.lock);
}

static void registry_notify(void)
{
	pthread_mutex_lock(&registry.lock);
	for (int i = registry.count; i-- > 0;)
		registry.listeners[i]();
	pthread_mutex_unlock(&registry.lock);
}

/* Called once: redraw, and go. Locks the registry again, which is no harm in itself. */
static void redraw_once(void)
{
	pthread_mutex_lock(&window.lock);
	window.frames++;
	pthread_mutex_unlock(&window.lock);
	registry_remove(redraw_once);
}

static void *event_loop(void *unused)
{
	(void)unused;
	registry_notify();
	lesson_step(0);
	return NULL;
}

/* The window asks to be told about the next event, and keeps itself locked while it asks. */
static void *show_window(void *unused)
{
	(void)unused;
	lesson_step(1);
	pthread_mutex_lock(&window.lock);
	window.frames = 0;
	registry_add(redraw_once);
	pthread_mutex_unlock(&window.lock);
	return NULL;
}

int main(void)
{
	pthread_t loop, shower;

	registry_add(redraw_once);
	pthread_create(&loop, NULL, event_loop, NULL);
	pthread_create(&shower, NULL, show_window, NULL);
	pthread_join(loop, NULL);
	pthread_join(shower, NULL);
	printf("listeners %d, frames %d\n", registry.count, window.frames);
	return 0;
}
