/* Two tellers move money in opposite directions, and this time luck has left them: each gets its first account
 * before either wants its second. */
#include <pthread.h>
#include <stdio.h>

#include "../lesson.h"

struct account {
	pthread_mutex_t lock;
	long balance;
};

static struct account accounts[2] = {{PTHREAD_MUTEX_INITIALIZER, 100}, {PTHREAD_MUTEX_INITIALIZER, 100}};

static void transfer(struct account *from, struct account *to, long amount, int turn)
{
	struct account *first = from, *second = to;

	pthread_mutex_lock(&first->lock);
	lesson_step(turn); /* both have their first lock */
	lesson_step(2 + turn);
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
