/* Two tellers move money in opposite directions; the accounts are locked in one order. */
#include <pthread.h>
#include <stdio.h>

struct account {
	pthread_mutex_t lock;
	long balance;
};

static struct account accounts[2] = {
    {PTHREAD_MUTEX_INITIALIZER, 100},
    {PTHREAD_MUTEX_INITIALIZER, 100},
};

/* Lock both, always the one with the lower address first, whichever way the money goes. */
static void lock_both(struct account *a, struct account *b)
{
	struct account *first = a < b ? a : b;
	struct account *second = a < b ? b : a;

	pthread_mutex_lock(&first->lock);
	pthread_mutex_lock(&second->lock);
}

static void transfer(struct account *from, struct account *to, long amount)
{
	lock_both(from, to);
	from->balance -= amount;
	to->balance += amount;
	pthread_mutex_unlock(&to->lock);
	pthread_mutex_unlock(&from->lock);
}

static void *teller_out(void *unused)
{
	(void)unused;
	transfer(&accounts[0], &accounts[1], 30);
	return NULL;
}

static void *teller_back(void *unused)
{
	(void)unused;
	transfer(&accounts[1], &accounts[0], 10);
	return NULL;
}

int main(void)
{
	pthread_t out, back;

	pthread_create(&out, NULL, teller_out, NULL);
	pthread_create(&back, NULL, teller_back, NULL);
	pthread_join(out, NULL);
	pthread_join(back, NULL);
	printf("balances: %ld %ld\n", accounts[0].balance, accounts[1].balance);
	return 0;
}
