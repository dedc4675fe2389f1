/* The last user of an object frees it after it has let go of its lock. */
#include <pthread.h>
#include <stdlib.h>
#include <stdio.h>

struct session {
	pthread_mutex_t lock;
	int users;
};

static void drop(struct session *session)
{
	pthread_mutex_lock(&session->lock);
	int left = --session->users;
	pthread_mutex_unlock(&session->lock);
	if (left == 0) {
		pthread_mutex_destroy(&session->lock);
		free(session);
	}
}

int main(void)
{
	struct session *session = malloc(sizeof *session);

	if (!session)
		return 1;
	pthread_mutex_init(&session->lock, NULL);
	session->users = 1;
	drop(session);
	puts("gone");
	return 0;
}
