/* Event listeners are called with nothing locked: from a copy of the list. No lock is held while
 * foreign code runs, and none has to be recursive. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { LISTENERS_MAX = 8 };

typedef void listener(void);

static struct {
	pthread_mutex_t lock;
	listener *listeners[LISTENERS_MAX];
	int count;
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

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
	listener *listeners[LISTENERS_MAX];

	pthread_mutex_lock(&registry.lock);
	int count = registry.count;
	memcpy(listeners, registry.listeners, sizeof(listeners));
	pthread_mutex_unlock(&registry.lock);
	for (int i = 0; i < count; i++)
		listeners[i]();
}

/* Called once: redraw, and go. A listener may still be called once after it was removed. */
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
	return NULL;
}

/* The window asks to be told about the next event, and keeps itself locked while it asks. */
static void *show_window(void *unused)
{
	(void)unused;
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
