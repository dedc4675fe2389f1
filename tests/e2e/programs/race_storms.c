/* Storms around the race runtime: built by `detect cc` and bare. A case checks its own results, prints what
 * both builds must print alike, and leaves `raced` to the end: with a second argument two threads race on it,
 * so that one run tells that nothing else was taken for a race and that a race is found still. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "unseen.h"

enum { FEW = 3 };

static const char *self_path, *plugin_path;
static bool stage;
static long raced;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long guarded;
static atomic_bool stop;

static pthread_t begin(void *(*routine)(void *), void *argument)
{
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, routine, argument) == 0);
	return thread;
}

static void end(pthread_t thread)
{
	CHECK(pthread_join(thread, NULL) == 0);
}

__attribute__((noinline)) static void touch(void)
{
	raced++;
}

static void *race_first(void *base)
{
	step((int)(intptr_t)base);
	touch();
	step((int)(intptr_t)base + 1);
	return NULL;
}

static void *race_second(void *base)
{
	step((int)(intptr_t)base + 2);
	touch();
	return NULL;
}

static void race_at_last(void)
{
	if (!stage)
		return;
	void *base = (void *)(intptr_t)steps;
	pthread_t a = begin(race_first, base), b = begin(race_second, base);
	end(a);
	end(b);
}

/* Work of every kind that the engine follows, without a race. */
static void *busy(void *unused)
{
	static atomic_long count;
	while (!atomic_load(&stop)) {
		char *block = malloc(100);
		memset(block, 1, 100);
		pthread_mutex_lock(&mutex);
		guarded += block[50];
		pthread_mutex_unlock(&mutex);
		atomic_fetch_add(&count, 1);
		free(block);
	}
	return unused;
}

static void wait_for(pid_t child, int status)
{
	int got;
	CHECK(child > 0 && waitpid(child, &got, 0) == child);
	CHECK(WIFEXITED(got) && WEXITSTATUS(got) == status);
}

static void *add_one(void *value)
{
	++*(long *)value;
	return NULL;
}

/* ---- fork, exec ---- */

static void child_of_storm(int i)
{
	static pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
	static long value;
	pthread_mutex_lock(&own);
	value += i;
	pthread_mutex_unlock(&own);
	raced++; /* its own copy */
	if (i % 4 == 0)
		end(begin(add_one, &value));
	_exit(7);
}

static void fork_storm(void)
{
	pthread_t threads[FEW];
	for (int i = 0; i < FEW; i++)
		threads[i] = begin(busy, NULL);
	for (int i = 0; i < 100; i++) {
		pid_t child = fork();
		if (child == 0)
			child_of_storm(i);
		wait_for(child, 7);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < FEW; i++)
		end(threads[i]);
	puts("forks: 100");
}

/* The staged race is in a child of a program with threads, which is gone from the child. */
static void race_in_child(void)
{
	pthread_t thread = begin(busy, NULL);
	pid_t child = fork();
	if (child == 0) {
		race_at_last();
		_exit(0);
	}
	wait_for(child, 0);
	stage = false;
	atomic_store(&stop, true);
	end(thread);
}

static void run_program(const char *path, const char *argument, bool vforked)
{
	char *arguments[] = {(char *)path, (char *)argument, NULL};
	pid_t child = vforked ? vfork() : fork();
	if (child == 0) {
		execv(path, arguments);
		_exit(99);
	}
	wait_for(child, 0);
}

static void exec_storm(void)
{
	pthread_t thread = begin(busy, NULL);
	for (int i = 0; i < 4; i++) {
		run_program(self_path, "leaf", i % 2);
		run_program("/bin/true", NULL, i % 2);
	}
	/* The program goes on as another one, from a process with threads. */
	(void)thread;
	fflush(stdout);
	execl(self_path, self_path, "leaf", plugin_path, stage ? "race" : NULL, (char *)NULL);
	_exit(99);
}

static void leaf(void)
{
	pthread_t threads[FEW];
	for (int i = 0; i < FEW; i++)
		threads[i] = begin(busy, NULL);
	usleep(5000);
	atomic_store(&stop, true);
	for (int i = 0; i < FEW; i++)
		end(threads[i]);
	puts("leaf");
}

/* ---- signals ---- */

static _Thread_local volatile long ticks;
static atomic_long all_ticks;
static long from_handler; /* under a flag that handlers of other threads wait for nowhere: try only */
static atomic_flag handler_flag = ATOMIC_FLAG_INIT;

__attribute__((noinline)) static void deeper_in_handler(int depth)
{
	volatile char frame[64];
	frame[depth] = 1;
	if (depth)
		deeper_in_handler(depth - 1);
	ticks += frame[depth];
}

static void in_handler(int number)
{
	int saved = errno;
	(void)number;
	deeper_in_handler(5);
	if (!atomic_flag_test_and_set_explicit(&handler_flag, memory_order_acquire)) {
		from_handler++;
		atomic_flag_clear_explicit(&handler_flag, memory_order_release);
	}
	atomic_fetch_add_explicit(&all_ticks, 1, memory_order_relaxed);
	errno = saved;
}

static void *busy_and_counting(void *deep)
{
	volatile long sum = 0;
	while (!atomic_load(&stop)) {
		for (int i = 0; i < 1000; i++)
			sum += i;
		CHECK(sum > 0);
		pthread_mutex_lock(&mutex);
		guarded++;
		pthread_mutex_unlock(&mutex);
		free(malloc(64));
	}
	return deep;
}

static void signal_storm(void)
{
	struct sigaction action = {.sa_handler = in_handler, .sa_flags = SA_RESTART};
	struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
	pthread_t threads[FEW];
	CHECK(sigaction(SIGALRM, &action, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
	for (int i = 0; i < FEW; i++)
		threads[i] = begin(busy_and_counting, NULL);
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (int i = 0; i < 1000; i++) {
		CHECK(pthread_kill(threads[i % FEW], SIGUSR1) == 0);
		usleep(200);
	}
	CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
	atomic_store(&stop, true);
	for (int i = 0; i < FEW; i++)
		end(threads[i]);
	CHECK(atomic_load(&all_ticks) >
	      20); /* signals of one kind merge where threads wait for a processor */
	puts("signals: enough");
}

/* ---- threads ---- */

static void *brief(void *value)
{
	pthread_mutex_lock(&mutex);
	guarded++;
	pthread_mutex_unlock(&mutex);
	++*(long *)value;
	return NULL;
}

static void threads_in_a_row(void)
{
	long value = 0;
	for (int i = 0; i < 10000; i++)
		end(begin(brief, &value));
	printf("threads: %ld %ld\n", value, guarded);
}

enum { MANY = 1000, SHARING = 300, LOCKINGS = 16000 };
static pthread_t many[MANY];
static long cells[MANY];
static pthread_barrier_t barrier;

static void *one_of_many(void *cell)
{
	long n = (long *)cell - cells;
	pthread_barrier_wait(&barrier);
	cells[n] = n;
	pthread_barrier_wait(&barrier);
	long neighbour = cells[(n + 1) % MANY];
	pthread_mutex_lock(&mutex);
	guarded += neighbour;
	pthread_mutex_unlock(&mutex);
	return NULL;
}

static void start_many(int count, void *(*routine)(void *), size_t stack_bytes)
{
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, stack_bytes);
	for (int i = 0; i < count; i++)
		CHECK(pthread_create(&many[i], &attributes, routine, &cells[i]) == 0);
	pthread_attr_destroy(&attributes);
}

static void threads_at_once(void)
{
	pthread_barrier_init(&barrier, NULL, MANY);
	start_many(MANY, one_of_many, 256 * 1024);
	for (int i = 0; i < MANY; i++)
		end(many[i]);
	printf("threads: %ld\n", guarded);
}

/* More threads than slots, and so many epochs that every slot is used up while most of its threads only wait:
 * each hands its cell on to the next one. */
static sem_t turns[SHARING];

static void *one_of_sharing(void *cell)
{
	pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
	long n = (long *)cell - cells, mine = 0;
	sem_wait(&turns[n]);
	for (int i = 0; i < LOCKINGS; i++) {
		pthread_mutex_lock(&own);
		mine++;
		pthread_mutex_unlock(&own);
	}
	cells[n] += mine + (n ? cells[n - 1] : 0);
	sem_post(&turns[(n + 1) % SHARING]);
	pthread_barrier_wait(&barrier);
	CHECK(cells[(n * 7) % SHARING] == ((n * 7) % SHARING + 1) * LOCKINGS);
	return NULL;
}

static void slots_used_up(void)
{
	pthread_barrier_init(&barrier, NULL, SHARING);
	for (int i = 0; i < SHARING; i++)
		sem_init(&turns[i], 0, i == 0);
	start_many(SHARING, one_of_sharing, 256 * 1024);
	for (int i = 0; i < SHARING; i++)
		end(many[i]);
	printf("last: %ld\n", cells[SHARING - 1]);
}

/* Two of many race, which the environment chooses. */
static long pair[2];

static void *one_of_pairs(void *cell)
{
	long n = (long *)cell - cells;
	pthread_barrier_wait(&barrier);
	if (n == pair[0])
		race_first(NULL);
	else if (n == pair[1])
		race_second(NULL);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void race_among_many(void)
{
	const char *seed = getenv("SEED");
	srand(seed ? (unsigned)atoi(seed) : 1);
	pair[0] = rand() % MANY;
	pair[1] = (pair[0] + 1 + rand() % (MANY - 1)) % MANY;
	pthread_barrier_init(&barrier, NULL, MANY);
	start_many(MANY, one_of_pairs, 256 * 1024);
	for (int i = 0; i < MANY; i++)
		end(many[i]);
}

/* ---- memory ---- */

enum { SPARSE_STEP = 64 << 20 };
#define SPARSE_BYTES ((size_t)16 << 30)

static void *touch_sparsely(void *from)
{
	for (size_t at = 0; at < SPARSE_BYTES; at += SPARSE_STEP)
		++*((char *)from + at);
	return NULL;
}

static void sparse_memory(void)
{
	for (int i = 0; i < 4; i++) {
		bool reserved = i % 2;
		char *memory = mmap(NULL, SPARSE_BYTES, reserved ? PROT_NONE : PROT_READ | PROT_WRITE,
		                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		CHECK(memory != MAP_FAILED);
		for (size_t at = 0; reserved && at < SPARSE_BYTES; at += SPARSE_STEP)
			CHECK(mprotect(memory + at, 4096, PROT_READ | PROT_WRITE) == 0);
		pthread_t a = begin(touch_sparsely, memory + 8), b = begin(touch_sparsely, memory + 16);
		end(a);
		end(b);
		CHECK(munmap(memory, SPARSE_BYTES) == 0);
	}
	puts("sparse: touched");
}

/* A place of the address space that goes from thread to thread without a word between them. */
static char *place;

static void *use_place(void *number)
{
	int n = (int)(intptr_t)number;
	step(2 * n + 1);
	char *got = mmap(place, 1 << 20, PROT_READ | PROT_WRITE,
	                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	CHECK(got == place);
	got[100] = 1;
	if (n % 2) {
		CHECK(munmap(got, 1 << 20) == 0);
	} else {
		char *moved = mremap(got, 1 << 20, 4 << 20, MREMAP_MAYMOVE);
		CHECK(moved != MAP_FAILED && moved != got && moved[100] == 1);
		moved[100] = 2;
		CHECK(munmap(moved, 4 << 20) == 0);
	}
	step(2 * n + 2);
	return NULL;
}

static void places_used_again(void)
{
	pthread_t threads[4];
	/* Where nobody else takes it. */
	place = mmap((void *)0x10000000000, 4 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(place == (void *)0x10000000000);
	for (int i = 0; i < 4; i++)
		threads[i] = begin(use_place, (void *)(intptr_t)i);
	/* What lies behind it stays: it must move to grow. */
	CHECK(munmap(place, 1 << 20) == 0);
	step(0);
	for (int i = 0; i < 4; i++)
		end(threads[i]);
	puts("places: used");
}

/* What is executed has the program's limit. */
static void execute_shell(int way)
{
	char *arguments[] = {"sh", "-c", "ulimit -v", NULL}, *none[] = {NULL};
	switch (way) {
	case 0:
		execve("/bin/sh", arguments, none);
		break;
	case 1:
		execv("/bin/sh", arguments);
		break;
	case 2:
		execvp("sh", arguments);
		break;
	case 3:
		execvpe("sh", arguments, none);
		break;
	case 4:
		fexecve(open("/bin/sh", O_RDONLY | O_CLOEXEC), arguments, none);
		break;
	case 5:
		execl("/bin/sh", "sh", "-c", "ulimit -v", (char *)NULL);
		break;
	case 6:
		execlp("sh", "sh", "-c", "ulimit -v", (char *)NULL);
		break;
	default:
		execle("/bin/sh", "sh", "-c", "ulimit -v", (char *)NULL, none);
	}
	_exit(99);
}

static void little_by_limit(void)
{
	struct rlimit limit, back;
	CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
	limit.rlim_cur = (rlim_t)2 << 30;
	CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
	CHECK(getrlimit(RLIMIT_AS, &back) == 0 && back.rlim_cur == limit.rlim_cur &&
	      back.rlim_max == limit.rlim_max);
	long value = 0;
	for (int i = 0; i < 50; i++)
		end(begin(brief, &value));
	char *block = malloc(200 << 20);
	CHECK(block && value == 50);
	block[0] = block[100 << 20] = 1;
	free(block);
	void *volatile much = malloc((size_t)8 << 30);
	CHECK(!much && errno == ENOMEM);
	CHECK(prlimit(0, RLIMIT_AS, NULL, &back) == 0 && back.rlim_cur == limit.rlim_cur);
	for (int way = 0; way < 8; way++) {
		pid_t child = way ? fork() : vfork();
		if (child == 0)
			execute_shell(way);
		wait_for(child, 0);
	}
	struct rlimit64 less = {(rlim64_t)1 << 30, RLIM64_INFINITY}, now;
	CHECK(setrlimit64(RLIMIT_AS, &less) == 0 && getrlimit64(RLIMIT_AS, &now) == 0 &&
	      now.rlim_cur == less.rlim_cur);
	CHECK(prlimit64(0, RLIMIT_AS, &less, &now) == 0 && now.rlim_cur == less.rlim_cur);
	const struct rlimit *volatile none = NULL;
	CHECK(setrlimit(RLIMIT_AS, none) == 0);
	puts("limit: kept");
}

/* No memory is left, not for the runtime either: by a call that nobody sees, threads on stacks of the
 * program's. */
static void *brief_at_last(void *value)
{
	pthread_barrier_wait(&barrier);
	return brief(value);
}

static void no_memory(void)
{
	enum { STACK_BYTES = 256 << 10 };
	static char stacks[20][STACK_BYTES] __attribute__((aligned(4096)));
	struct rlimit none = {1 << 20, RLIM_INFINITY};
	long value = 0;
	/* Half of them wait for the others: none has what another has left. */
	pthread_barrier_init(&barrier, NULL, 11);
	end(begin(brief, &value));
	CHECK(syscall(SYS_prlimit64, 0, RLIMIT_AS, &none, NULL) == 0);
	for (int i = 0; i < 20; i++) {
		pthread_attr_t attributes;
		pthread_attr_init(&attributes);
		pthread_attr_setstack(&attributes, stacks[i], STACK_BYTES);
		CHECK(pthread_create(&many[i], &attributes, i % 2 ? brief : brief_at_last,
		                     i % 2 ? &value : &cells[i]) == 0);
		if (i % 2)
			end(many[i]);
	}
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 20; i += 2)
		end(many[i]);
	printf("value: %ld %ld\n", value, guarded);
}

/* ---- ends and jumps ---- */

static void give_back(void *lock)
{
	pthread_mutex_unlock(lock);
}

static void *waits_to_be_cancelled(void *cond)
{
	pthread_mutex_lock(&mutex);
	guarded++;
	pthread_cleanup_push(give_back, &mutex);
	for (;;)
		pthread_cond_wait(cond, &mutex);
	pthread_cleanup_pop(1);
	return NULL;
}

static void *works_until_cancelled(void *at_any_moment)
{
	long cells_of_mine[8] = {0};
	atomic_long count = 0;
	if (at_any_moment)
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	for (;;) {
		for (int i = 0; i < 8; i++)
			cells_of_mine[i] += i;
		atomic_fetch_add(&count, 1);
		if (!at_any_moment)
			pthread_testcancel();
	}
	return NULL;
}

static void cancellation_storm(void)
{
	static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
	for (int i = 0; i < 150; i++) {
		pthread_t threads[FEW] = {begin(waits_to_be_cancelled, &cond),
		                          begin(works_until_cancelled, NULL),
		                          begin(works_until_cancelled, &cond)};
		if (i % 2)
			sched_yield();
		for (int k = 0; k < FEW; k++)
			CHECK(pthread_cancel(threads[k]) == 0);
		for (int k = 0; k < FEW; k++) {
			void *value;
			CHECK(pthread_join(threads[k], &value) == 0 && value == PTHREAD_CANCELED);
		}
	}
	CHECK(pthread_mutex_trylock(&mutex) == 0);
	pthread_mutex_unlock(&mutex);
	puts("cancelled: 450");
}

static _Thread_local jmp_buf out;
static _Thread_local sigjmp_buf signal_out;

__attribute__((noinline)) static void jump_from(int depth, long *sum)
{
	volatile long here = depth;
	if (depth)
		jump_from(depth - 1, sum);
	*sum += here;
	if (here == 0)
		longjmp(out, 1);
}

static void jump_in_handler(int number)
{
	(void)number;
	ticks++;
	siglongjmp(signal_out, 1);
}

static void *jump_often(void *unused)
{
	long sum = 0;
	for (volatile int i = 0; i < 5000; i++) {
		if (setjmp(out) == 0)
			jump_from(i % 50, &sum);
		if (i % 10 == 0 && sigsetjmp(signal_out, 1) == 0)
			raise(SIGUSR1);
	}
	CHECK(ticks == 500);
	return unused;
}

static void jumps(void)
{
	signal(SIGUSR1, jump_in_handler);
	pthread_t threads[FEW];
	for (int i = 0; i < FEW; i++)
		threads[i] = begin(jump_often, NULL);
	for (int i = 0; i < FEW; i++)
		end(threads[i]);
	jump_often(NULL);
	puts("jumped");
}

/* ---- libraries ---- */

static void *load_often(void *base)
{
	for (int i = 0; i < 100; i++) {
		int turn = 2 * (2 * i + (int)(intptr_t)base);
		step(turn);
		void *library = dlopen(plugin_path, RTLD_NOW | RTLD_LOCAL);
		CHECK(library);
		long (*count)(void) = (long (*)(void))(uintptr_t)dlsym(library, "plugin_count");
		CHECK(count && count() == 43);
		CHECK(dlclose(library) == 0);
		step(turn + 1);
	}
	return NULL;
}

static void *use_loaded(void *library)
{
	long (*read)(void) = (long (*)(void))(uintptr_t)dlsym(library, "plugin_read");
	CHECK(read && read() >= 42);
	return NULL;
}

/* Each opens it by itself: what the constructor did is done for both. */
static void *open_and_read(void *n)
{
	step(2 * (int)(intptr_t)n);
	void *library = dlopen(plugin_path, RTLD_NOW | RTLD_LOCAL);
	CHECK(library);
	step(2 * (int)(intptr_t)n + 1);
	use_loaded(library);
	return NULL;
}

static void libraries(void)
{
	pthread_t a = begin(load_often, (void *)0), b = begin(load_often, (void *)1);
	end(a);
	end(b);
	steps = 0;
	a = begin(open_and_read, (void *)0), b = begin(open_and_read, (void *)1);
	end(a);
	end(b);
	puts("loaded: 202");
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
    {"fork", fork_storm},
    {"race-in-child", race_in_child},
    {"exec", exec_storm},
    {"leaf", leaf},
    {"signals", signal_storm},
    {"in-a-row", threads_in_a_row},
    {"at-once", threads_at_once},
    {"used-up", slots_used_up},
    {"among-many", race_among_many},
    {"sparse", sparse_memory},
    {"places", places_used_again},
    {"limit", little_by_limit},
    {"cancellation", cancellation_storm},
    {"no-memory", no_memory},
    {"jumps", jumps},
    {"libraries", libraries},
};

int main(int argc, char **argv)
{
	self_path = argv[0];
	plugin_path = argc > 2 ? argv[2] : NULL;
	stage = argc > 3;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; argc > 1 && i < sizeof cases / sizeof *cases; i++) {
		if (strcmp(argv[1], cases[i].name))
			continue;
		cases[i].run();
		race_at_last();
		return 0;
	}
	return 2;
}
