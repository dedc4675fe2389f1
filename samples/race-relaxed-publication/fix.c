/* Release and acquire. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static atomic_int ready;
static int answer;

static void *worker(void *unused)
{
	answer = 42;
	atomic_store_explicit(&ready, 1, memory_order_release);
	return unused;
}

int main(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, worker, NULL);
	while (!atomic_load_explicit(&ready, memory_order_acquire))
		sched_yield();
	int seen = answer;
	pthread_join(thread, NULL);
	return seen != 42;
}
