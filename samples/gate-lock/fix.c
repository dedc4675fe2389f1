/* The same work without a gate: left before right, always. Other shards can move meanwhile. */
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t left_shard = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t right_shard = PTHREAD_MUTEX_INITIALIZER;
static int left_keys = 10, right_keys = 2;

static void *balance_rightwards(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&left_shard);
	pthread_mutex_lock(&right_shard);
	left_keys -= 4;
	right_keys += 4;
	pthread_mutex_unlock(&right_shard);
	pthread_mutex_unlock(&left_shard);
	return NULL;
}

static void *balance_leftwards(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&left_shard);
	pthread_mutex_lock(&right_shard);
	right_keys -= 1;
	left_keys += 1;
	pthread_mutex_unlock(&right_shard);
	pthread_mutex_unlock(&left_shard);
	return NULL;
}

int main(void)
{
	pthread_t rightwards, leftwards;

	pthread_create(&rightwards, NULL, balance_rightwards, NULL);
	pthread_create(&leftwards, NULL, balance_leftwards, NULL);
	pthread_join(rightwards, NULL);
	pthread_join(leftwards, NULL);
	printf("keys: %d %d\n", left_keys, right_keys);
	return 0;
}
