/* Two locks in opposite orders, and no deadlock: one side only tries, and gives back what it holds
 * when it can't have the second. Nobody ever waits while holding, so no circle of waits closes. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "../lesson.h"

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
	lesson_step(0);
	return NULL;
}

/* Reclaim starts from the list, so it meets the locks the other way round. */
static void *reclaim(void *unused)
{
	(void)unused;
	lesson_step(1);
	for (;;) {
		pthread_mutex_lock(&lru_list);
		if (pthread_mutex_trylock(&page_table) == 0)
			break;
		pthread_mutex_unlock(&lru_list); /* back off */
		sched_yield();
	}
	mapped--;
	listed--;
	pthread_mutex_unlock(&page_table);
	pthread_mutex_unlock(&lru_list);
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
