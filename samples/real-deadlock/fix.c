/* Two tellers move money in opposite directions. Whoever comes first, both begin with the account that
 * stands first in the table. */
#include <pthread.h>
#include <stdio.h>

struct account {
	pthread_mutex_t lock;
	long balance;
};

static struct account accounts[2] = {{PTHREAD_MUTEX_INITIALIZER, 100}, {PTHREAD_MUTEX_INITIALIZER, 100}};

static void transfer(struct account *from, struct account *to, long amount, int turn)
{
	struct account *first = from < to ? from : to, *second = from < to ? to : from;

	pthread_mutex_lock(&first->lock);
	(void)turn;
	pthread_mutex_lock(&second->lock);
	from->balance -= amount;
	to->balance += amount;
	pthread_mutex_unlock(&second->lock);
	pthread_mutex_unlock(&first->lock);
}

static void *teller(void *unused)
{
	transfer(&accounts[0], &accounts[1], 10, 0);
	return unused;
}

static void *other_teller(void *unused)
{
	transfer(&accounts[1], &accounts[0], 20, 1);
	return unused;
}

int main(void)
{
	pthread_t one, two;

	pthread_create(&one, NULL, teller, NULL);
	pthread_create(&two, NULL, other_teller, NULL);
	pthread_join(one, NULL);
	pthread_join(two, NULL);
	printf("%ld %ld\n", accounts[0].balance, accounts[1].balance);
	return 0;
}
