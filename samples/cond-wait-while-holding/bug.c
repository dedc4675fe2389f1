/* A shop: the packer waits for orders with the warehouse locked, and the clerk needs the warehouse
 * to place one. It only works as long as the packer never has to wait for the next order. */
#include <pthread.h>
#include <stdio.h>

#include "../lesson.h"

static pthread_mutex_t warehouse = PTHREAD_MUTEX_INITIALIZER; /* guards the stock */
static int stock = 5;

static pthread_mutex_t order_lock = PTHREAD_MUTEX_INITIALIZER; /* guards the orders */
static pthread_cond_t order_placed = PTHREAD_COND_INITIALIZER;
static int orders, packed;

/* Reserve from stock and tell the packer, in one piece. */
static void *clerk(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&warehouse);
	if (stock > 0) {
		pthread_mutex_lock(&order_lock);
		orders++;
		pthread_cond_signal(&order_placed);
		pthread_mutex_unlock(&order_lock);
	}
	pthread_mutex_unlock(&warehouse);
	lesson_step(0);
	return NULL;
}

/* The wait gives order_lock back, but not the warehouse. */
static void *packer(void *unused)
{
	(void)unused;
	lesson_step(1); /* luck: the first order is there already */
	for (;;) {
		pthread_mutex_lock(&warehouse);
		pthread_mutex_lock(&order_lock);
		if (orders == 0)
			lesson_step(2);
		while (orders == 0)
			pthread_cond_wait(&order_placed, &order_lock);
		orders--;
		packed++;
		pthread_mutex_unlock(&order_lock);
		stock--;
		pthread_mutex_unlock(&warehouse);
	}
	return NULL;
}

int main(void)
{
	pthread_t clerk_thread, packer_thread;

	pthread_create(&packer_thread, NULL, packer, NULL);
	pthread_create(&clerk_thread, NULL, clerk, NULL);
	pthread_join(clerk_thread, NULL);

	/* The packer waits for ever now. Nobody misses it: the shop closes after one order. */
	lesson_step(3);
	pthread_mutex_lock(&order_lock);
	printf("packed %d\n", packed);
	pthread_mutex_unlock(&order_lock);
	return 0;
}
