/* Whoever may come to need both takes them in one order: that of their addresses. */
#include <pthread.h>
#include <stdio.h>

#include <detect/annotate.h>

#include "../lesson.h"

struct account {
	pthread_mutex_t lock;
	long balance;
};

static struct account accounts[2] = {
    {PTHREAD_MUTEX_INITIALIZER, 10},
    {PTHREAD_MUTEX_INITIALIZER, 10},
};

static void transfer(struct account *from, struct account *to, long amount, int step)
{
	struct account *first = from < to ? from : to, *second = from < to ? to : from;

	detect_claim(&from->lock, 1);
	detect_claim(&to->lock, 1);
	lesson_step(2 * step);
	pthread_mutex_lock(&first->lock);
	pthread_mutex_lock(&second->lock);
	if (from->balance >= amount) {
		from->balance -= amount;
		to->balance += amount;
	}
	pthread_mutex_unlock(&second->lock);
	pthread_mutex_unlock(&first->lock);
	lesson_step(2 * step + 1);
}

static void *teller_out(void *unused)
{
	transfer(&accounts[0], &accounts[1], 30, 0);
	return unused;
}

static void *teller_back(void *unused)
{
	transfer(&accounts[1], &accounts[0], 40, 1);
	return unused;
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
