/* Freeze the settings, give the lock back, then wait for the saver. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

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
	return NULL;
}

int main(void)
{
	pthread_t saver_thread;

	pthread_create(&saver_thread, NULL, saver, NULL);

	pthread_mutex_lock(&settings_lock);
	frozen = true;
	pthread_mutex_unlock(&settings_lock);
	pthread_join(saver_thread, NULL);
	printf("frozen: %s\n", frozen ? "yes" : "no");
	return 0;
}
