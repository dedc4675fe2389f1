/* An atomic counter: one operation that others see before or after, never in between. */
#include <pthread.h>
#include <stdatomic.h>

static atomic_long count;

static void *teller(void *unused)
{
	for (int i = 0; i < 1000; i++)
		atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
	return unused;
}

int main(void)
{
	pthread_t one, other;

	pthread_create(&one, NULL, teller, NULL);
	pthread_create(&other, NULL, teller, NULL);
	pthread_join(one, NULL);
	pthread_join(other, NULL);
	return count != 2000;
}
