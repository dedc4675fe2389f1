/* Shutting down: the settings are locked so that nobody changes them any more, and then the saver
 * thread is joined, which locks the settings to write them out. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "../lesson.h"

static pthread_mutex_t settings_lock = PTHREAD_MUTEX_INITIALIZER;
static bool dirty = true, frozen;

static void *saver(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&settings_lock);
	if (dirty) {
		puts("settings saved");
		dirty = false;
	}
	pthread_mutex_unlock(&settings_lock);
	lesson_step(0);
	return NULL;
}

int main(void)
{
	pthread_t saver_thread;

	pthread_create(&saver_thread, NULL, saver, NULL);
	lesson_step(1); /* luck: the saver is done with the settings */

	pthread_mutex_lock(&settings_lock);
	frozen = true;
	pthread_join(saver_thread, NULL);
	pthread_mutex_unlock(&settings_lock);
	printf("frozen: %s\n", frozen ? "yes" : "no");
	return 0;
}
