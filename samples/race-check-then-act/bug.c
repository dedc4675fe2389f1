/* A seat is looked at without the lock and booked under it: two agents see the same free seat. */
#include <pthread.h>
#include <stdbool.h>

#include "../lesson.h"

static pthread_mutex_t booking = PTHREAD_MUTEX_INITIALIZER;
static bool taken;
static int sold;

static void *first_agent(void *unused)
{
	lesson_step(0);
	if (!taken) {
		pthread_mutex_lock(&booking);
		taken = true;
		sold++;
		pthread_mutex_unlock(&booking);
	}
	lesson_step(1);
	return unused;
}

static void *second_agent(void *unused)
{
	lesson_step(2);
	if (!taken) {
		pthread_mutex_lock(&booking);
		taken = true;
		sold++;
		pthread_mutex_unlock(&booking);
	}
	return unused;
}

int main(void)
{
	pthread_t one, other;

	pthread_create(&one, NULL, first_agent, NULL);
	pthread_create(&other, NULL, second_agent, NULL);
	pthread_join(one, NULL);
	pthread_join(other, NULL);
	return sold != 1;
}
