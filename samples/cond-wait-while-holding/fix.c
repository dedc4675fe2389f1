/* The packer waits with nothing locked but the lock that the wait gives back, and opens the
 * warehouse when it has an order in hand. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

static pthread_mutex_t warehouse = PTHREAD_MUTEX_INITIALIZER; /* guards the stock */
static int stock = 5;

static pthread_mutex_t order_lock = PTHREAD_MUTEX_INITIALIZER; /* guards the orders */
static pthread_cond_t order_placed = PTHREAD_COND_INITIALIZER;
static int orders, packed;
static bool closed;

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
	return NULL;
}

/* False: the shop is closed and nothing is left to pack. */
static bool take_order(void)
{
	pthread_mutex_lock(&order_lock);
	while (orders == 0 && !closed)
		pthread_cond_wait(&order_placed, &order_lock);
	bool taken = orders > 0;
	if (taken)
		orders--;
	pthread_mutex_unlock(&order_lock);
	return taken;
}

static void *packer(void *unused)
{
	(void)unused;
	while (take_order()) {
		pthread_mutex_lock(&warehouse);
		stock--;
		packed++;
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

	pthread_mutex_lock(&order_lock);
	closed = true;
	pthread_cond_signal(&order_placed);
	pthread_mutex_unlock(&order_lock);
	pthread_join(packer_thread, NULL);
	printf("packed %d\n", packed);
	return 0;
}
