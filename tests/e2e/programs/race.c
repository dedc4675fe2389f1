/* Data races and twins without one. Compiled by the test with -fsanitize=thread and linked to the shim; what orders the
 * accesses in time, and is no order for a detector, is the uninstrumented pause(). */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long total, payload;
static int plain_flag;
static atomic_int flag;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;
static sem_t sem;

/* Both threads live while either does it. */
static void *stay(void *unused)
{
	usleep(50000);
	return unused;
}

static void *adds(void *unused)
{
	total++;
	return stay(unused);
}
static void *adds_locked(void *unused)
{
	pthread_mutex_lock(&mutex);
	total++;
	pthread_mutex_unlock(&mutex);
	return stay(unused);
}
static void *adds_wrongly_locked(void *unused)
{
	pthread_mutex_lock(&other);
	total++;
	pthread_mutex_unlock(&other);
	return stay(unused);
}
static void *publishes(void *unused)
{
	payload = 1;
	atomic_store_explicit(&flag, 1, memory_order_release);
	return unused;
}
static void *publishes_relaxed(void *unused)
{
	payload = 1;
	atomic_store_explicit(&flag, 1, memory_order_relaxed);
	return unused;
}
static void *publishes_plainly(void *unused)
{
	payload = 1;
	plain_flag = 1;
	return unused;
}
static void *consumes(void *unused)
{
	while (!atomic_load_explicit(&flag, memory_order_acquire))
		;
	payload++;
	return unused;
}
static void *consumes_later(void *unused)
{
	usleep(100000);
	if (plain_flag)
		payload++;
	return unused;
}
static void *posts(void *unused)
{
	payload = 1;
	sem_post(&sem);
	return unused;
}
static void *waits(void *unused)
{
	sem_wait(&sem);
	payload++;
	return unused;
}

static void two(void *(*a)(void *), void *(*b)(void *))
{
	pthread_t x, y;

	pthread_create(&x, NULL, a, NULL);
	pthread_create(&y, NULL, b, NULL);
	pthread_join(x, NULL);
	pthread_join(y, NULL);
}

static void in_turn(void *(*a)(void *), void *(*b)(void *))
{
	pthread_t x, y;

	pthread_create(&x, NULL, a, NULL);
	pthread_join(x, NULL);
	pthread_create(&y, NULL, b, NULL);
	pthread_join(y, NULL);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	sem_init(&sem, 0, 0);
	if (!strcmp(name, "counter")) two(adds, adds);
	else if (!strcmp(name, "locked")) two(adds_locked, adds_locked);
	else if (!strcmp(name, "half-locked")) two(adds, adds_locked);
	else if (!strcmp(name, "wrong-lock")) two(adds_locked, adds_wrongly_locked);
	else if (!strcmp(name, "in-turn")) in_turn(adds, adds);
	else if (!strcmp(name, "release")) two(publishes, consumes);
	else if (!strcmp(name, "relaxed")) two(publishes_relaxed, consumes);
	else if (!strcmp(name, "plain-flag")) two(publishes_plainly, consumes_later);
	else if (!strcmp(name, "semaphore")) two(posts, waits);
	else return 2;
	return 0;
}
