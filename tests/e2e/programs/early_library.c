/* A library whose constructor runs before that of any preloaded one, and locks. */
#include "case.h"

static pthread_mutex_t library_first = PTHREAD_MUTEX_INITIALIZER, library_second = PTHREAD_MUTEX_INITIALIZER;

static void forwards(void)
{
	pthread_mutex_lock(&library_first);
	pthread_mutex_lock(&library_second);
	pthread_mutex_unlock(&library_second);
	pthread_mutex_unlock(&library_first);
}

static void backwards(void)
{
	pthread_mutex_lock(&library_second);
	pthread_mutex_lock(&library_first);
	pthread_mutex_unlock(&library_first);
	pthread_mutex_unlock(&library_second);
}

__attribute__((constructor)) static void start(void)
{
	const char *when = getenv("EARLY");

	if (when && strcmp(when, "library") == 0)
		in_turn(forwards, backwards);
	else
		in_turn(forwards, forwards);
}

void early_library_use(void);
void early_library_use(void)
{
}
