/* lock_bench.c: what a lock costs. One kernel a run, so that each tool starts afresh:
 *
 *   lock_bench pair|nested|two-threads|random-LOCKS ITERATIONS
 *
 * prints nanoseconds an iteration (the slower thread's, for two-threads). */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long iterations;
static long lock_count;

struct worker {
	pthread_mutex_t outer, inner;
	double ns;
	char apart[128];
};

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void *pair(void *argument)
{
	struct worker *w = argument;
	double start = now_ns();
	for (long i = 0; i < iterations; i++) {
		pthread_mutex_lock(&w->outer);
		pthread_mutex_unlock(&w->outer);
	}
	w->ns = (now_ns() - start) / (double)iterations;
	return NULL;
}

static void *nested(void *argument)
{
	struct worker *w = argument;
	double start = now_ns();
	for (long i = 0; i < iterations; i++) {
		pthread_mutex_lock(&w->outer);
		pthread_mutex_lock(&w->inner);
		pthread_mutex_unlock(&w->inner);
		pthread_mutex_unlock(&w->outer);
	}
	w->ns = (now_ns() - start) / (double)iterations;
	return NULL;
}

/* Two different locks of many, always the lower one first: nothing to report, much to remember. */
static void *random_pairs(void *argument)
{
	struct worker *w = argument;
	pthread_mutex_t *locks = malloc((size_t)lock_count * sizeof *locks);
	for (long i = 0; i < lock_count; i++)
		pthread_mutex_init(&locks[i], NULL);
	uint64_t seed = 88172645463325252u;
	double start = now_ns();
	for (long i = 0; i < iterations; i++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		uint64_t a = (uint32_t)seed % (uint64_t)lock_count, b = (seed >> 32) % (uint64_t)lock_count;
		if (a == b)
			continue;
		pthread_mutex_t *first = &locks[a < b ? a : b], *second = &locks[a < b ? b : a];
		pthread_mutex_lock(first);
		pthread_mutex_lock(second);
		pthread_mutex_unlock(second);
		pthread_mutex_unlock(first);
	}
	w->ns = (now_ns() - start) / (double)iterations;
	free(locks);
	return NULL;
}

static double run(void *(*kernel)(void *), int threads)
{
	static struct worker workers[2];
	pthread_t ids[2];
	double slowest = 0;
	for (int i = 0; i < threads; i++) {
		pthread_mutex_init(&workers[i].outer, NULL);
		pthread_mutex_init(&workers[i].inner, NULL);
		pthread_create(&ids[i], NULL, kernel, &workers[i]);
	}
	for (int i = 0; i < threads; i++) {
		pthread_join(ids[i], NULL);
		if (workers[i].ns > slowest)
			slowest = workers[i].ns;
	}
	return slowest;
}

int main(int argc, char **argv)
{
	if (argc != 3 || (iterations = atol(argv[2])) <= 0) {
		fprintf(stderr, "usage: lock_bench pair|nested|two-threads|random-LOCKS ITERATIONS\n");
		return 2;
	}
	double ns;
	if (!strcmp(argv[1], "pair"))
		ns = run(pair, 1);
	else if (!strcmp(argv[1], "nested"))
		ns = run(nested, 1);
	else if (!strcmp(argv[1], "two-threads"))
		ns = run(pair, 2);
	else if (!strncmp(argv[1], "random-", 7) && (lock_count = atol(argv[1] + 7)) > 1)
		ns = run(random_pairs, 1);
	else
		return fprintf(stderr, "lock_bench: no kernel '%s'\n", argv[1]), 2;
	printf("%.2f\n", ns);
	return 0;
}
