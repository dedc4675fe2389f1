/* Storms and hostile surroundings: each case checks its own results and ends with status 0. */
#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"

enum { LOCKS = 64, THREADS = 8 };

static pthread_mutex_t locks[LOCKS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, handler_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static atomic_long done;
static atomic_bool stop;

static int amount(const char *name, int usual)
{
	const char *text = getenv(name);

	return text ? atoi(text) : usual;
}

static void init_locks(void)
{
	for (int i = 0; i < LOCKS; i++)
		pthread_mutex_init(&locks[i], NULL);
}

static unsigned next(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 16;
}

static void take_two(unsigned *seed)
{
	unsigned a = next(seed) % LOCKS, b = next(seed) % LOCKS;

	if (a == b)
		return;
	pthread_mutex_lock(&locks[a < b ? a : b]);
	pthread_mutex_lock(&locks[a < b ? b : a]);
	atomic_fetch_add(&done, 1);
	pthread_mutex_unlock(&locks[a]);
	pthread_mutex_unlock(&locks[b]);
}

static void *storm(void *argument)
{
	unsigned seed = (unsigned)(intptr_t)argument + 1;

	while (!atomic_load(&stop))
		take_two(&seed);
	return NULL;
}

static void start(pthread_t *threads, int count, void *(*routine)(void *))
{
	for (intptr_t i = 0; i < count; i++)
		CHECK(pthread_create(&threads[i], NULL, routine, (void *)i) == 0);
}

static void join(pthread_t *threads, int count)
{
	for (int i = 0; i < count; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

/* Until it is killed from outside. */
static void lock_storm(void)
{
	pthread_t threads[THREADS];

	init_locks();
	start(threads, THREADS, storm);
	join(threads, THREADS);
}

static void in_handler(int signal)
{
	unsigned seed = (unsigned)signal;

	(void)seed;
	if (pthread_mutex_trylock(&handler_mutex) == 0)
		pthread_mutex_unlock(&handler_mutex);
}

static void signal_storm(void)
{
	struct sigaction action = {.sa_handler = in_handler, .sa_flags = SA_RESTART};
	struct itimerval often = {{0, 1000}, {0, 1000}};
	pthread_t threads[THREADS];

	init_locks();
	CHECK(sigaction(SIGALRM, &action, NULL) == 0);
	start(threads, THREADS, storm);
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (int i = 0; i < 20; i++)
		usleep(50000);
	atomic_store(&stop, true);
	join(threads, THREADS);
}

static void fork_storm(void)
{
	pthread_t threads[2];
	int forks = amount("FORKS", 200);

	init_locks();
	start(threads, 2, storm);
	for (int i = 0; i < forks; i++) {
		pid_t child = fork();
		CHECK(child >= 0);
		if (child == 0) {
			pthread_mutex_lock(&mutex);
			pthread_mutex_unlock(&mutex);
			_exit(7);
		}
		int status;
		CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);
	}
	atomic_store(&stop, true);
	join(threads, 2);
}

static void *brief(void *unused)
{
	pthread_mutex_lock(&mutex);
	atomic_fetch_add(&done, 1);
	pthread_mutex_unlock(&mutex);
	return unused;
}

static void thread_storm(void)
{
	int count = amount("THREADS", 100000);

	for (int i = 0; i < count; i++) {
		pthread_t thread;
		CHECK(pthread_create(&thread, NULL, brief, NULL) == 0);
		CHECK(pthread_join(thread, NULL) == 0);
	}
	CHECK(done == count);
}

static void give_back(void *lock)
{
	pthread_mutex_unlock(lock);
}

static void *waits_to_be_cancelled(void *unused)
{
	pthread_mutex_lock(&mutex);
	pthread_cleanup_push(give_back, &mutex);
	for (;;)
		pthread_cond_wait(&cond, &mutex);
	pthread_cleanup_pop(1);
	return unused;
}

static void cancellation_storm(void)
{
	int rounds = amount("CANCELS", 300);

	for (int i = 0; i < rounds; i++) {
		pthread_t threads[THREADS];
		start(threads, THREADS, waits_to_be_cancelled);
		if (i % 2)
			pthread_cond_broadcast(&cond);
		for (int k = 0; k < THREADS; k++)
			CHECK(pthread_cancel(threads[k]) == 0);
		join(threads, THREADS);
	}
	CHECK(pthread_mutex_trylock(&mutex) == 0);
	pthread_mutex_unlock(&mutex);
}

static jmp_buf out;

static void jump_out_of_locked(void)
{
	pthread_mutex_lock(&mutex);
	longjmp(out, 1);
}

static void jump_over_a_lock(void)
{
	for (volatile int i = 0; i < 1000; i++) {
		if (setjmp(out) == 0)
			jump_out_of_locked();
		CHECK(pthread_mutex_unlock(&mutex) == 0);
	}
}

/* Handlers that jump out of whatever they have interrupted: often the recording of a lock that is new. */
static sigjmp_buf out_of_handler;
static volatile sig_atomic_t may_jump;

static void jump_out(int signal)
{
	(void)signal;
	if (may_jump)
		siglongjmp(out_of_handler, 1);
}

static void take_new_locks(void)
{
	static pthread_mutex_t new_locks[1 << 16];
	static volatile int used;

	while (used < 1 << 16) {
		pthread_mutex_t *lock = &new_locks[used];
		used = used + 1;
		pthread_mutex_lock(lock);
		may_jump = 1;
		pthread_mutex_unlock(lock);
		may_jump = 0;
	}
}

static void jump_out_of_handlers(void)
{
	static volatile int jumps;
	struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};

	CHECK(signal(SIGALRM, jump_out) != SIG_ERR);
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	if (sigsetjmp(out_of_handler, 1) != 0) {
		may_jump = 0;
		jumps = jumps + 1;
	}
	take_new_locks();
	CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
	CHECK(signal(SIGALRM, SIG_IGN) != SIG_ERR);
	CHECK(jumps > 0);
	/* The thread is still observed. */
	pthread_mutex_unlock(&mutex);
}

static void work_a_little(void)
{
	pthread_t threads[2];

	init_locks();
	start(threads, 2, storm);
	usleep(50000);
	atomic_store(&stop, true);
	join(threads, 2);
	CHECK(done > 0);
}

static void change_root(void)
{
	CHECK(chroot("/proc/self/fdinfo") == 0 || errno == EPERM);
	work_a_little();
}

static void drop_privileges(void)
{
	if (getuid() == 0)
		CHECK(setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
	pid_t child = fork();
	if (child == 0) {
		work_a_little();
		_exit(0);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	work_a_little();
}

/* Every way to open a file ends in EPERM. */
static void forbid_open(void)
{
	struct sock_filter filter[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_open, 2, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 1, 0),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
	pid_t child = fork();
	if (child == 0) {
		work_a_little();
		_exit(0);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	work_a_little();
}

static void close_all(void)
{
	CHECK(syscall(SYS_close_range, 3, ~0U, 0) == 0);
	work_a_little();
}

CASES({"lock-storm", lock_storm}, {"signal-storm", signal_storm}, {"fork-storm", fork_storm},
      {"thread-storm", thread_storm}, {"cancellation-storm", cancellation_storm},
      {"jump-over-a-lock", jump_over_a_lock}, {"jump-out-of-handlers", jump_out_of_handlers}, {"work", work_a_little}, {"chroot", change_root},
      {"drop-privileges", drop_privileges}, {"forbid-open", forbid_open}, {"close-all", close_all})
