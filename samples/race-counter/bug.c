/* Two tellers count the same transfers. `count++` is a read, an addition and a write. */
#include <pthread.h>

static long count;

static void *teller(void *unused)
{
	for (int i = 0; i < 1000; i++)
		count++;
	return unused;
}

int main(void)
{
	pthread_t one, other;

	pthread_create(&one, NULL, teller, NULL);
	pthread_create(&other, NULL, teller, NULL);
	pthread_join(one, NULL);
	pthread_join(other, NULL);
	return count == 0;
}
