/* Two tellers, two accounts. A transfer locks the giver, looks at the balance, and locks the taker only when there is
 * enough: in this run there never is. Each says what it may come to need. */
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
	detect_claim(&from->lock, 1);
	detect_claim(&to->lock, 1);
	pthread_mutex_lock(&from->lock);
	lesson_step(step); /* both have locked their giver */
	lesson_step(2 + step);
	if (from->balance >= amount) {
		pthread_mutex_lock(&to->lock);
		from->balance -= amount;
		to->balance += amount;
		pthread_mutex_unlock(&to->lock);
	}
	pthread_mutex_unlock(&from->lock);
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
