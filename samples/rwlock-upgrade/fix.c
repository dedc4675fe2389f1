/* Read, let go, then write: nobody waits for one table while holding the other, and what was read
 * may be out of date by then, so it carries its version along. */
#include <pthread.h>
#include <stdio.h>

struct table {
	pthread_rwlock_t lock;
	int version;
};

static struct table routes = {PTHREAD_RWLOCK_INITIALIZER, 1};
static struct table policy = {PTHREAD_RWLOCK_INITIALIZER, 1};

static int read_version(struct table *table)
{
	pthread_rwlock_rdlock(&table->lock);
	int version = table->version;
	pthread_rwlock_unlock(&table->lock);
	return version;
}

/* Make the table newer than `seen`, unless somebody did so meanwhile. */
static void raise_version(struct table *table, int seen)
{
	pthread_rwlock_wrlock(&table->lock);
	if (table->version <= seen)
		table->version = seen + 1;
	pthread_rwlock_unlock(&table->lock);
}

/* The route daemon: a route that breaks a policy withdraws the policy. */
static void *route_daemon(void *unused)
{
	(void)unused;
	int seen = read_version(&routes);
	raise_version(&policy, seen);
	return NULL;
}

/* The policy daemon: a policy that forbids a route deletes the route. */
static void *policy_daemon(void *unused)
{
	(void)unused;
	int seen = read_version(&policy);
	raise_version(&routes, seen);
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
