/* A library whose constructor runs before that of any preloaded one, and locks. */
#include <sys/mman.h>

#include "case.h"

static pthread_mutex_t library_unused = PTHREAD_MUTEX_INITIALIZER;
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

	/* The first calls of all that the shim sees are ends, and begin nothing. */
	CHECK(munmap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096) == 0);
	CHECK(pthread_mutex_destroy(&library_unused) == 0);
	if (when && strcmp(when, "library") == 0)
		in_turn(forwards, backwards);
	else
		in_turn(forwards, forwards);
}

void early_library_use(void);
void early_library_use(void)
{
}
