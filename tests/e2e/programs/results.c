/* Prints what each call returns, and whether it leaves errno alone. Nothing here depends on addresses,
 * times or schedules: the output must be the same with and without the shim, byte for byte. */
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "case.h"

enum { ERRNO_BEFORE = 1234 };

/* Calls that answer an error number. */
#define SHOW(call)                                                                                           \
	do {                                                                                                 \
		errno = ERRNO_BEFORE;                                                                        \
		int result_ = (call);                                                                        \
		int errno_after_ = errno;                                                                    \
		printf("%s: %d%s", #call, result_,                                                           \
		       errno_after_ == ERRNO_BEFORE ? "\n" : " errno changed\n");                            \
	} while (0)

/* Calls that answer a pointer or -1 and set errno. */
#define SHOW_ERRNO(condition)                                                                                \
	do {                                                                                                 \
		errno = ERRNO_BEFORE;                                                                        \
		int result_ = (condition) ? 1 : 0;                                                           \
		int errno_after_ = errno;                                                                    \
		printf("%s: %s, errno %d\n", #condition, result_ ? "true" : "false", errno_after_);          \
	} while (0)

/* Run in another thread and wait: for calls that need another owner. */
#define ELSEWHERE(name, body)                                                                                \
	static void *name(void *unused)                                                                      \
	{                                                                                                    \
		body;                                                                                        \
		return unused;                                                                               \
	}

static void run_elsewhere(void *(*routine)(void *))
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, routine, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
}

static pthread_mutex_t mutex;
static pthread_rwlock_t table;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_spinlock_t spin;
static mtx_t mtx;
static cnd_t cnd;
static const struct timespec past = {1, 0}, invalid = {1, -1};

static void init_mutex(int type, int robust, int protocol)
{
	pthread_mutexattr_t attributes;

	CHECK(pthread_mutexattr_init(&attributes) == 0);
	CHECK(pthread_mutexattr_settype(&attributes, type) == 0);
	CHECK(pthread_mutexattr_setrobust(&attributes, robust) == 0);
	CHECK(pthread_mutexattr_setprotocol(&attributes, protocol) == 0);
	CHECK(pthread_mutex_init(&mutex, &attributes) == 0);
}

ELSEWHERE(lock_elsewhere, SHOW(pthread_mutex_lock(&mutex)))
ELSEWHERE(unlock_elsewhere, SHOW(pthread_mutex_unlock(&mutex)))
ELSEWHERE(try_elsewhere, {
	SHOW(pthread_mutex_trylock(&mutex));
	SHOW(pthread_mutex_timedlock(&mutex, &past));
	SHOW(pthread_mutex_timedlock(&mutex, &invalid));
	SHOW(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &past));
	SHOW(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &invalid));
	SHOW(pthread_mutex_clocklock(&mutex, 77, &past));
})

static void show_mutex(const char *title, int type)
{
	printf("-- mutex %s\n", title);
	init_mutex(type, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE);
	SHOW(pthread_mutex_lock(&mutex));
	SHOW(pthread_mutex_trylock(&mutex));
	run_elsewhere(try_elsewhere);
	SHOW(pthread_mutex_destroy(&mutex));
	SHOW(pthread_mutex_unlock(&mutex));
	if (type == PTHREAD_MUTEX_RECURSIVE)
		SHOW(pthread_mutex_unlock(&mutex));
	if (type == PTHREAD_MUTEX_RECURSIVE || type == PTHREAD_MUTEX_ERRORCHECK) {
		SHOW(pthread_mutex_lock(&mutex));
		SHOW(pthread_mutex_lock(&mutex));
		SHOW(pthread_mutex_timedlock(&mutex, &past));
		run_elsewhere(unlock_elsewhere);
		for (int i = 0; i < 4; i++)
			SHOW(pthread_mutex_unlock(&mutex));
	}
	SHOW(pthread_mutex_timedlock(&mutex, &past));
	SHOW(pthread_mutex_unlock(&mutex));
	SHOW(pthread_mutex_destroy(&mutex));
}

static void mutexes(void)
{
	show_mutex("normal", PTHREAD_MUTEX_NORMAL);
	show_mutex("recursive", PTHREAD_MUTEX_RECURSIVE);
	show_mutex("errorcheck", PTHREAD_MUTEX_ERRORCHECK);
	show_mutex("adaptive", PTHREAD_MUTEX_ADAPTIVE_NP);

	puts("-- mutex robust");
	init_mutex(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE);
	run_elsewhere(lock_elsewhere);
	SHOW(pthread_mutex_lock(&mutex));
	SHOW(pthread_mutex_lock(&mutex));
	SHOW(pthread_mutex_consistent(&mutex));
	SHOW(pthread_mutex_unlock(&mutex));
	run_elsewhere(lock_elsewhere);
	SHOW(pthread_mutex_trylock(&mutex));
	SHOW(pthread_mutex_unlock(&mutex));
	SHOW(pthread_mutex_lock(&mutex));
	SHOW(pthread_mutex_trylock(&mutex));
	SHOW(pthread_mutex_timedlock(&mutex, &past));
	SHOW(pthread_mutex_destroy(&mutex));

	puts("-- mutex with priority inheritance");
	init_mutex(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_INHERIT);
	SHOW(pthread_mutex_lock(&mutex));
	SHOW(pthread_mutex_lock(&mutex));
	run_elsewhere(try_elsewhere);
	run_elsewhere(unlock_elsewhere);
	SHOW(pthread_mutex_unlock(&mutex));
	SHOW(pthread_mutex_unlock(&mutex));
	SHOW(pthread_mutex_destroy(&mutex));
}

ELSEWHERE(try_table_elsewhere, {
	SHOW(pthread_rwlock_tryrdlock(&table));
	SHOW(pthread_rwlock_trywrlock(&table));
	SHOW(pthread_rwlock_timedrdlock(&table, &past));
	SHOW(pthread_rwlock_timedwrlock(&table, &past));
	SHOW(pthread_rwlock_timedrdlock(&table, &invalid));
	SHOW(pthread_rwlock_timedwrlock(&table, &invalid));
	SHOW(pthread_rwlock_clockrdlock(&table, CLOCK_MONOTONIC, &past));
	SHOW(pthread_rwlock_clockwrlock(&table, CLOCK_MONOTONIC, &past));
	SHOW(pthread_rwlock_clockrdlock(&table, 77, &past));
	SHOW(pthread_rwlock_clockwrlock(&table, 77, &past));
})

static void rwlocks(void)
{
	puts("-- rwlock");
	SHOW(pthread_rwlock_init(&table, NULL));
	SHOW(pthread_rwlock_wrlock(&table));
	SHOW(pthread_rwlock_wrlock(&table));
	SHOW(pthread_rwlock_rdlock(&table));
	SHOW(pthread_rwlock_trywrlock(&table));
	SHOW(pthread_rwlock_tryrdlock(&table));
	run_elsewhere(try_table_elsewhere);
	SHOW(pthread_rwlock_unlock(&table));
	SHOW(pthread_rwlock_rdlock(&table));
	SHOW(pthread_rwlock_rdlock(&table));
	SHOW(pthread_rwlock_trywrlock(&table));
	SHOW(pthread_rwlock_timedwrlock(&table, &past));
	SHOW(pthread_rwlock_clockrdlock(&table, CLOCK_MONOTONIC, &past));
	SHOW(pthread_rwlock_unlock(&table));
	SHOW(pthread_rwlock_unlock(&table));
	SHOW(pthread_rwlock_timedrdlock(&table, &past));
	SHOW(pthread_rwlock_unlock(&table));
	SHOW(pthread_rwlock_timedwrlock(&table, &past));
	SHOW(pthread_rwlock_unlock(&table));
	SHOW(pthread_rwlock_clockwrlock(&table, CLOCK_REALTIME, &past));
	SHOW(pthread_rwlock_unlock(&table));
	SHOW(pthread_rwlock_destroy(&table));
}

static void spins(void)
{
	puts("-- spinlock");
	SHOW(pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE));
	SHOW(pthread_spin_lock(&spin));
	SHOW(pthread_spin_trylock(&spin));
	SHOW(pthread_spin_unlock(&spin));
	SHOW(pthread_spin_trylock(&spin));
	SHOW(pthread_spin_unlock(&spin));
	SHOW(pthread_spin_destroy(&spin));
}

ELSEWHERE(try_mtx_elsewhere, {
	SHOW(mtx_trylock(&mtx));
	SHOW(mtx_timedlock(&mtx, &past));
})

static once_flag c11_once = ONCE_FLAG_INIT;
static int onces;

static void count_once(void)
{
	onces++;
	errno = 99; /* the routine's own business */
}

static int answer(void *unused)
{
	(void)unused;
	return 42;
}

static void c11(void)
{
	thrd_t thread;
	int value = 0;

	puts("-- C11");
	SHOW(mtx_init(&mtx, mtx_timed | mtx_recursive));
	SHOW(mtx_lock(&mtx));
	SHOW(mtx_lock(&mtx));
	SHOW(mtx_trylock(&mtx));
	SHOW(mtx_timedlock(&mtx, &past));
	run_elsewhere(try_mtx_elsewhere);
	for (int i = 0; i < 4; i++)
		SHOW(mtx_unlock(&mtx));
	SHOW(cnd_init(&cnd));
	SHOW(mtx_lock(&mtx));
	SHOW(cnd_timedwait(&cnd, &mtx, &past));
	SHOW(cnd_timedwait(&cnd, &mtx, &invalid));
	SHOW(mtx_unlock(&mtx));
	SHOW(cnd_signal(&cnd));
	SHOW(cnd_broadcast(&cnd));
	errno = ERRNO_BEFORE;
	cnd_destroy(&cnd);
	mtx_destroy(&mtx);
	printf("destroyed: errno %d\n", errno);
	call_once(&c11_once, count_once);
	call_once(&c11_once, count_once);
	printf("once: %d times\n", onces);
	SHOW(thrd_create(&thread, answer, NULL));
	SHOW(thrd_join(thread, &value));
	printf("value %d\n", value);
}

static void conds(void)
{
	puts("-- condition variable");
	init_mutex(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE);
	SHOW(pthread_cond_wait(&cond, &mutex));
	SHOW(pthread_cond_timedwait(&cond, &mutex, &past));
	SHOW(pthread_mutex_lock(&mutex));
	SHOW(pthread_cond_timedwait(&cond, &mutex, &past));
	SHOW(pthread_cond_timedwait(&cond, &mutex, &invalid));
	SHOW(pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &past));
	SHOW(pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &invalid));
	SHOW(pthread_cond_clockwait(&cond, &mutex, 77, &past));
	SHOW(pthread_cond_signal(&cond));
	SHOW(pthread_cond_broadcast(&cond));
	SHOW(pthread_mutex_unlock(&mutex));
	SHOW(pthread_mutex_unlock(&mutex));
	SHOW(pthread_cond_destroy(&cond));
	SHOW(pthread_cond_init(&cond, NULL));
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_barrier_t barrier;

static void *wait_for_step(void *unused)
{
	step(1);
	return unused;
}

ELSEWHERE(meet, SHOW(pthread_barrier_wait(&barrier) == 0 || 1))

static void threads_and_the_rest(void)
{
	pthread_t thread;
	void *value;

	puts("-- threads");
	SHOW(pthread_create(&thread, NULL, wait_for_step, &mutex));
	SHOW(pthread_setname_np(thread, "a name that is much too long"));
	SHOW(pthread_setname_np(thread, "short"));
	SHOW(pthread_tryjoin_np(thread, &value));
	SHOW(pthread_timedjoin_np(thread, &value, &past));
	SHOW(pthread_clockjoin_np(thread, &value, CLOCK_MONOTONIC, &past));
	SHOW(pthread_join(pthread_self(), NULL));
	step(0);
	SHOW(pthread_join(thread, &value));
	SHOW_ERRNO(value == &mutex);
	SHOW(pthread_once(&once, count_once) * 0 + onces);
	SHOW(pthread_once(&once, count_once) * 0 + onces);
	SHOW(pthread_barrier_init(&barrier, NULL, 0));
	SHOW(pthread_barrier_init(&barrier, NULL, 1));
	SHOW(pthread_barrier_wait(&barrier));
	run_elsewhere(meet);
	SHOW(pthread_barrier_destroy(&barrier));
}

static void heap(void)
{
	static void *volatile block;
	volatile size_t huge = PTRDIFF_MAX;
	void *aligned = NULL;

	puts("-- heap");
	SHOW_ERRNO((block = malloc(100)) != NULL);
	SHOW_ERRNO((block = realloc(block, 10000)) != NULL);
	SHOW_ERRNO((free(block), 1));
	SHOW_ERRNO((free(NULL), 1));
	SHOW_ERRNO((block = calloc(10, 10)) != NULL && *(char *)block == 0);
	SHOW_ERRNO((free(block), 1));
	SHOW_ERRNO((block = malloc(huge)) == NULL);
	SHOW_ERRNO((block = calloc(huge, 4)) == NULL);
	SHOW_ERRNO((block = malloc(0)) != NULL);
	SHOW_ERRNO(realloc(block, huge) == NULL);
	SHOW_ERRNO((free(block), 1));
	SHOW(posix_memalign(&aligned, 64, 100));
	SHOW_ERRNO((uintptr_t)aligned % 64 == 0);
	SHOW_ERRNO((free(aligned), 1));
	SHOW(posix_memalign(&aligned, 3, 100));
	SHOW_ERRNO((block = aligned_alloc(4096, 4096)) != NULL);
	SHOW_ERRNO((free(block), 1));
	SHOW_ERRNO((block = memalign(32, 1)) != NULL);
	SHOW_ERRNO(malloc_usable_size(block) >= 1);
	SHOW_ERRNO((free(block), 1));
	SHOW_ERRNO((block = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != MAP_FAILED);
	SHOW_ERRNO(munmap(block, 8192) == 0);
	SHOW_ERRNO(munmap((void *)1, 1) == -1);
}

static void forks(void)
{
	int status;

	puts("-- fork");
	fflush(stdout);
	errno = ERRNO_BEFORE;
	pid_t child = fork();
	if (child == 0) {
		printf("child: errno %d\n", errno);
		fflush(stdout);
		_exit(3);
	}
	CHECK(waitpid(child, &status, 0) == child);
	printf("parent: errno %d, status %d\n", errno, WEXITSTATUS(status));
}

int main(void)
{
	mutexes();
	rwlocks();
	spins();
	c11();
	conds();
	threads_and_the_rest();
	heap();
	forks();
	return 0;
}
