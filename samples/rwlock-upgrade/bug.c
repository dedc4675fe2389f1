/* A reader that finds it has to write. Each thread reads one table and, still reading, takes the
 * other for writing. Readers share, so both can be reading when both begin to wait. */
#include <pthread.h>
#include <stdio.h>

#include "../lesson.h"

struct table {
	pthread_rwlock_t lock;
	int version;
};

static struct table routes = {PTHREAD_RWLOCK_INITIALIZER, 1};
static struct table policy = {PTHREAD_RWLOCK_INITIALIZER, 1};

/* The route daemon: a route that breaks a policy withdraws the policy. */
static void *route_daemon(void *unused)
{
	(void)unused;
	pthread_rwlock_rdlock(&routes.lock);
	pthread_rwlock_wrlock(&policy.lock);
	policy.version = routes.version + 1;
	pthread_rwlock_unlock(&policy.lock);
	pthread_rwlock_unlock(&routes.lock);
	lesson_step(0);
	return NULL;
}

/* The policy daemon: a policy that forbids a route deletes the route. */
static void *policy_daemon(void *unused)
{
	(void)unused;
	lesson_step(1);
	pthread_rwlock_rdlock(&policy.lock);
	pthread_rwlock_wrlock(&routes.lock);
	routes.version = policy.version + 1;
	pthread_rwlock_unlock(&routes.lock);
	pthread_rwlock_unlock(&policy.lock);
	return NULL;
}

int main(void)
{
	pthread_t router, officer;

	pthread_create(&router, NULL, route_daemon, NULL);
	pthread_create(&officer, NULL, policy_daemon, NULL);
	pthread_join(router, NULL);
	pthread_join(officer, NULL);
	printf("routes %d, policy %d\n", routes.version, policy.version);
	return 0;
}
