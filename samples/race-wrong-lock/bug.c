/* Readers of the price list and its writer each take a lock: not the same one. */
#include <pthread.h>

#include "../lesson.h"

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t shop_lock = PTHREAD_MUTEX_INITIALIZER;
static int price = 10;

static void *raise_price(void *unused)
{
	lesson_step(0);
	pthread_mutex_lock(&list_lock);
	price = 11;
	pthread_mutex_unlock(&list_lock);
	lesson_step(1);
	return unused;
}

static void *sell(void *sum)
{
	lesson_step(2);
	pthread_mutex_lock(&shop_lock);
	*(int *)sum += price;
	pthread_mutex_unlock(&shop_lock);
	return NULL;
}

int main(void)
{
	pthread_t one, other;
	int sum = 0;

	pthread_create(&one, NULL, raise_price, NULL);
	pthread_create(&other, NULL, sell, &sum);
	pthread_join(one, NULL);
	pthread_join(other, NULL);
	return sum == 0;
}
