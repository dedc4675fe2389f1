/* Two bytes: C11 lets threads write to neighbours. */
#include <pthread.h>

#include "../lesson.h"

struct {
	_Bool open, dirty;
} file;

static void *opener(void *unused)
{
	lesson_step(0);
	file.open = 1;
	lesson_step(1);
	return unused;
}

static void *writer(void *unused)
{
	lesson_step(2);
	file.dirty = 1;
	return unused;
}

int main(void)
{
	pthread_t one, other;

	pthread_create(&one, NULL, opener, NULL);
	pthread_create(&other, NULL, writer, NULL);
	pthread_join(one, NULL);
	pthread_join(other, NULL);
	return !file.open;
}
