/* Two tellers move money between the same two accounts, in opposite directions. */
#include <pthread.h>
#include <stdio.h>

#include "../lesson.h"

struct account {
	pthread_mutex_t lock;
	long balance;
};

static struct account accounts[2] = {
    {PTHREAD_MUTEX_INITIALIZER, 100},
    {PTHREAD_MUTEX_INITIALIZER, 100},
};

/* Both balances must change together, so both accounts are locked: the giver first. */
static void transfer(struct account *from, struct account *to, long amount)
{
	pthread_mutex_lock(&from->lock);
	pthread_mutex_lock(&to->lock);
	from->balance -= amount;
	to->balance += amount;
	pthread_mutex_unlock(&to->lock);
	pthread_mutex_unlock(&from->lock);
}

static void *teller_out(void *unused)
{
	(void)unused;
	transfer(&accounts[0], &accounts[1], 30);
	lesson_step(0);
	return NULL;
}

static void *teller_back(void *unused)
{
	(void)unused;
	lesson_step(1); /* luck: the other transfer is through */
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
