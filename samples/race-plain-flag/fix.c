/* The flag is atomic; by default stores release and loads acquire. */
#include <pthread.h>
#include <stdatomic.h>

#include "../lesson.h"

static atomic_int ready;
static int answer;

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
