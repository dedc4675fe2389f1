/* One thread waits for a plain flag of the other. */
#include <pthread.h>

#include "../lesson.h"

static int ready, answer;

static void *worker(void *unused)
{
	answer = 42;
	ready = 1;
	lesson_step(0);
	return unused;
}

int main(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, worker, NULL);
	lesson_step(1); /* long enough, this time */
	int seen = ready ? answer : 0;
	pthread_join(thread, NULL);
	return seen != 42;
}
