/* Known numbers of acquisitions and waits: "counts" has 60,000 of `hot` and 3,000 of `cold` by three threads and one wait of
 * a tenth of a second for `cold`; "busy" goes on until it is killed. */
#include <unistd.h>

#include "case.h"

static pthread_mutex_t hot = PTHREAD_MUTEX_INITIALIZER, cold = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;

static void *count(void *unused)
{
	for (int i = 0; i < 20000; i++) {
		pthread_mutex_lock(&hot);
		pthread_mutex_unlock(&hot);
		if (i % 20 == 0) {
			pthread_mutex_lock(&cold);
			pthread_mutex_unlock(&cold);
		}
	}
	return unused;
}

static void *wait_once(void *unused)
{
	step(0);
	pthread_mutex_lock(&cold); /* line: waits */
	pthread_mutex_unlock(&cold);
	return unused;
}

static void counts(void)
{
	pthread_t threads[3], waiter;

	for (int i = 0; i < 3; i++) {
		CHECK(pthread_create(&threads[i], NULL, count, NULL) == 0);
		CHECK(pthread_join(threads[i], NULL) == 0);
	}
	pthread_mutex_lock(&cold); /* line: holds */
	CHECK(pthread_create(&waiter, NULL, wait_once, NULL) == 0);
	step(1);
	usleep(150000);
	pthread_mutex_unlock(&cold);
	CHECK(pthread_join(waiter, NULL) == 0);
}

static void busy(void)
{
	puts("started");
	fflush(stdout);
	for (;;) {
		pthread_rwlock_rdlock(&table);
		pthread_rwlock_unlock(&table);
		pthread_mutex_lock(&hot);
		pthread_mutex_unlock(&hot);
	}
}

CASES({"counts", counts}, {"busy", busy})
