/* The same work in one order: reclaim picks its victim, gives the list back, and then takes both
 * locks as everybody does. No retry, so no time lost when both sides are busy. */
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t page_table = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t lru_list = PTHREAD_MUTEX_INITIALIZER;
static int mapped = 1, listed = 1;

/* A page fault: the page table first, as everywhere. */
static void *fault(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&page_table);
	pthread_mutex_lock(&lru_list);
	mapped++;
	listed++;
	pthread_mutex_unlock(&lru_list);
	pthread_mutex_unlock(&page_table);
	return NULL;
}

/* Reclaim starts from the list, but takes the locks as everywhere, and looks again once it has both. */
static void *reclaim(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&lru_list);
	int victims = listed;
	pthread_mutex_unlock(&lru_list);
	if (victims == 0)
		return NULL;

	pthread_mutex_lock(&page_table);
	pthread_mutex_lock(&lru_list);
	if (listed > 0) {
		mapped--;
		listed--;
	}
	pthread_mutex_unlock(&lru_list);
	pthread_mutex_unlock(&page_table);
	return NULL;
}

int main(void)
{
	pthread_t faulting, reclaiming;

	pthread_create(&faulting, NULL, fault, NULL);
	pthread_create(&reclaiming, NULL, reclaim, NULL);
	pthread_join(faulting, NULL);
	pthread_join(reclaiming, NULL);
	printf("mapped %d, listed %d\n", mapped, listed);
	return 0;
}
