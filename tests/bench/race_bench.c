/* Kernels that a race detector's runtime is measured by: what programs do most, each in a few lines.
 *
 * race_bench KERNEL SIZE: does the kernel with two threads, checks its result, prints the nanoseconds that it
 * took, those of processor time, and the peak memory of the process in KiB. Compiled once for each runtime by
 * run-race-bench. None of them has a race, so that nobody pays for reports.
 * race_bench run PROGRAM ARG...: prints the same three of a program, whose output is thrown away. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 2

struct part {
	size_t size;
	unsigned index;
};

static void *allocate(size_t bytes)
{
	void *block = calloc(1, bytes);
	if (!block) {
		fprintf(stderr, "race_bench: no memory for %zu bytes; take a smaller SIZE\n", bytes);
		exit(2);
	}
	return block;
}

static double *left, *right, *product;

/* Rows of the product are shared out by turns. */
static void *matrix(void *arg)
{
	const struct part *part = arg;
	size_t n = part->size;
	for (size_t i = part->index; i < n; i += THREADS)
		for (size_t j = 0; j < n; j++) {
			double sum = 0;
			for (size_t k = 0; k < n; k++)
				sum += left[i * n + k] * right[k * n + j];
			product[i * n + j] = sum;
		}
	return NULL;
}

static void matrix_open(size_t n)
{
	left = allocate(n * n * sizeof *left);
	right = allocate(n * n * sizeof *right);
	product = allocate(n * n * sizeof *product);
	for (size_t i = 0; i < n * n; i++)
		left[i] = right[i] = 1;
}

static int matrix_right(size_t n)
{
	for (size_t i = 0; i < n * n; i++)
		if (product[i] != (double)n)
			return 0;
	return 1;
}

static uint32_t *numbers;
static uint64_t sums[THREADS];

static void numbers_open(size_t n)
{
	numbers = allocate(n * sizeof *numbers);
	uint32_t state = 1;
	for (size_t i = 0; i < n; i++)
		numbers[i] = state = state * 1664525 + 1013904223;
}

/* Everybody reads all of it: memory that many threads read. */
static void *scan(void *arg)
{
	const struct part *part = arg;
	uint64_t sum = 0;
	for (size_t i = 0; i < part->size; i++)
		sum += numbers[i];
	sums[part->index] = sum;
	return NULL;
}

static int scan_right(size_t n)
{
	(void)n;
	return sums[0] == sums[1];
}

static void sort(uint32_t *first, size_t n)
{
	while (n > 1) {
		uint32_t pivot = first[(n - 1) / 2];
		size_t low = 0, high = n - 1;
		for (;; low++, high--) {
			while (first[low] < pivot)
				low++;
			while (first[high] > pivot)
				high--;
			if (low >= high)
				break;
			uint32_t kept = first[low];
			first[low] = first[high];
			first[high] = kept;
		}
		sort(first, high + 1);
		first += high + 1;
		n -= high + 1;
	}
}

static size_t half_start(size_t n, unsigned index)
{
	return n * index / THREADS;
}

static void *quicksort(void *arg)
{
	const struct part *part = arg;
	size_t start = half_start(part->size, part->index);
	sort(numbers + start, half_start(part->size, part->index + 1) - start);
	return NULL;
}

static int quicksort_right(size_t n)
{
	for (unsigned index = 0; index < THREADS; index++)
		for (size_t i = half_start(n, index) + 1; i < half_start(n, index + 1); i++)
			if (numbers[i - 1] > numbers[i])
				return 0;
	return 1;
}

#define BUCKETS 4096
#define STRIPES 64

static uint64_t buckets[BUCKETS];
static pthread_mutex_t stripes[STRIPES];

static void hash_open(size_t n)
{
	(void)n;
	for (unsigned i = 0; i < STRIPES; i++)
		pthread_mutex_init(&stripes[i], NULL);
}

static void *hash(void *arg)
{
	const struct part *part = arg;
	uint64_t state = part->index + 1;
	for (size_t i = 0; i < part->size; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		unsigned bucket = (unsigned)(state >> 40) % BUCKETS;
		pthread_mutex_lock(&stripes[bucket % STRIPES]);
		buckets[bucket]++;
		pthread_mutex_unlock(&stripes[bucket % STRIPES]);
	}
	return NULL;
}

static int hash_right(size_t n)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < BUCKETS; i++)
		sum += buckets[i];
	return sum == THREADS * (uint64_t)n;
}

#define PLACES 256

static uint64_t queue[PLACES], taken_sum;
static size_t put_count, taken_count;
static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_changed = PTHREAD_COND_INITIALIZER;

/* Thread 0 puts, thread 1 takes. */
static void *hand_over(void *arg)
{
	const struct part *part = arg;
	for (size_t i = 0; i < part->size; i++) {
		pthread_mutex_lock(&queue_lock);
		while (part->index ? put_count == taken_count : put_count - taken_count == PLACES)
			pthread_cond_wait(&queue_changed, &queue_lock);
		if (part->index)
			taken_sum += queue[taken_count++ % PLACES];
		else
			queue[put_count++ % PLACES] = i;
		pthread_cond_signal(&queue_changed);
		pthread_mutex_unlock(&queue_lock);
	}
	return NULL;
}

static int hand_over_right(size_t n)
{
	return taken_sum == (uint64_t)n * (n - 1) / 2;
}

static atomic_size_t counter;

static void *count(void *arg)
{
	const struct part *part = arg;
	for (size_t i = 0; i < part->size; i++)
		atomic_fetch_add(&counter, 1);
	return NULL;
}

static int count_right(size_t n)
{
	return counter == THREADS * n;
}

static const struct kernel {
	const char *name;
	void (*open)(size_t n);
	void *(*work)(void *part);
	int (*right)(size_t n);
} kernels[] = {
    {"matrix", matrix_open, matrix, matrix_right},
    {"scan", numbers_open, scan, scan_right},
    {"quicksort", numbers_open, quicksort, quicksort_right},
    {"hash", hash_open, hash, hash_right},
    {"queue", NULL, hand_over, hand_over_right},
    {"atomics", NULL, count, count_right},
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static unsigned long peak_kib(void)
{
	char line[256];
	unsigned long kib = 0;
	FILE *status = fopen("/proc/self/status", "r");
	while (status && !kib && fgets(line, sizeof line, status))
		if (!strncmp(line, "VmHWM:", 6))
			kib = strtoul(line + 6, NULL, 10);
	if (status)
		fclose(status);
	return kib;
}

static int measure(const struct kernel *kernel, size_t size)
{
	pthread_t threads[THREADS];
	struct part parts[THREADS];
	if (kernel->open)
		kernel->open(size);
	uint64_t start_ns = now_ns(CLOCK_MONOTONIC), cpu_start_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (unsigned i = 0; i < THREADS; i++) {
		parts[i] = (struct part){.size = size, .index = i};
		if (pthread_create(&threads[i], NULL, kernel->work, &parts[i])) {
			fprintf(stderr, "race_bench: cannot create a thread\n");
			return 2;
		}
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	uint64_t took_ns = now_ns(CLOCK_MONOTONIC) - start_ns;
	uint64_t cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_start_ns;
	if (!kernel->right(size)) {
		fprintf(stderr, "race_bench: %s: wrong result\n", kernel->name);
		return 1;
	}
	unsigned long most_kib = peak_kib();
	if (!most_kib) {
		fprintf(stderr, "race_bench: no VmHWM in /proc/self/status; mount /proc\n");
		return 2;
	}
	printf("%llu %llu %lu\n", (unsigned long long)took_ns, (unsigned long long)cpu_ns, most_kib);
	return 0;
}

static uint64_t timeval_ns(struct timeval time)
{
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_usec * 1000u;
}

/* From a small process: the peak of a child counts what it was before it became the program. */
static int measure_program(char **argv)
{
	uint64_t start_ns = now_ns(CLOCK_MONOTONIC);
	struct rusage usage;
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		if (!freopen("/dev/null", "w", stdout))
			_exit(127);
		execvp(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &usage) != pid) {
		perror("race_bench: fork, wait4");
		return 2;
	}
	uint64_t took_ns = now_ns(CLOCK_MONOTONIC) - start_ns;
	if (status) {
		fprintf(stderr, "race_bench: %s: wait status %d\n", argv[0], status);
		return 1;
	}
	printf("%llu %llu %ld\n", (unsigned long long)took_ns,
	       (unsigned long long)(timeval_ns(usage.ru_utime) + timeval_ns(usage.ru_stime)), usage.ru_maxrss);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "run"))
		return measure_program(argv + 2);
	size_t size = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	for (size_t i = 0; size && i < sizeof kernels / sizeof *kernels; i++)
		if (!strcmp(argv[1], kernels[i].name))
			return measure(&kernels[i], size);
	fprintf(stderr, "usage: race_bench matrix|scan|quicksort|hash|queue|atomics SIZE, or run PROGRAM ARG...\n");
	return 2;
}
