/* The last user of an object frees it, with its lock held. */
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
	if (--session->users == 0) {
		pthread_mutex_destroy(&session->lock);
		free(session);
		return;
	}
	pthread_mutex_unlock(&session->lock);
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
