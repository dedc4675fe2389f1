/* Processes that share locks. What one does it does while the other waits at a pipe, which orders them by the
 * clock and by nothing that a detector may take for order: nothing hangs.
 *
 *   between --list               one line a case: SYMBOL CASE EXPECTED, for the hooks of hook_children.c
 *   between SYMBOL CASE
 *   between --inverts FD         the other program: in the order opposite to the parent's, in the memory FD */
#include <fcntl.h>
#include <semaphore.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"

extern char **environ;

static struct shared {
	pthread_mutex_t first, second, gate;
	pthread_rwlock_t table;
	sem_t sem;
	pthread_barrier_t meeting;
} *shared, *own;

static int memory;
static int turn[2];
static char path[4096];

static void init(struct shared *locks, int how)
{
	pthread_mutexattr_t attributes;
	pthread_rwlockattr_t rwlock_attributes;
	pthread_barrierattr_t barrier_attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, how);
	pthread_rwlockattr_init(&rwlock_attributes);
	pthread_rwlockattr_setpshared(&rwlock_attributes, how);
	CHECK(pthread_mutex_init(&locks->first, &attributes) == 0);
	CHECK(pthread_mutex_init(&locks->second, &attributes) == 0);
	CHECK(pthread_mutex_init(&locks->gate, &attributes) == 0);
	CHECK(pthread_rwlock_init(&locks->table, &rwlock_attributes) == 0);
	CHECK(sem_init(&locks->sem, how == PTHREAD_PROCESS_SHARED, 1) == 0);
	pthread_barrierattr_init(&barrier_attributes);
	pthread_barrierattr_setpshared(&barrier_attributes, how);
	CHECK(pthread_barrier_init(&locks->meeting, &barrier_attributes, 2) == 0);
}

static struct shared *map(int flags)
{
	struct shared *locks = mmap(NULL, sizeof *locks, PROT_READ | PROT_WRITE, flags, memory, 0);

	CHECK(locks != MAP_FAILED);
	return locks;
}

static void start(void)
{
	memory = memfd_create("locks", 0);
	CHECK(memory >= 0 && ftruncate(memory, sizeof *shared) == 0 && pipe(turn) == 0);
	shared = map(MAP_SHARED);
	init(shared, PTHREAD_PROCESS_SHARED);
	own = malloc(sizeof *own);
	init(own, PTHREAD_PROCESS_PRIVATE);
	CHECK(readlink("/proc/self/exe", path, sizeof path - 1) > 0);
}

static void done(void) { CHECK(write(turn[1], "", 1) == 1); }

static void wait_until_done(void)
{
	char byte;
	CHECK(read(turn[0], &byte, 1) == 1);
}

static void take(pthread_mutex_t *a, pthread_mutex_t *b)
{
	CHECK(pthread_mutex_lock(a) == 0);
	CHECK(pthread_mutex_lock(b) == 0);
	CHECK(pthread_mutex_unlock(b) == 0);
	CHECK(pthread_mutex_unlock(a) == 0);
}

static void forwards(void) { take(&shared->first, &shared->second); }
static void backwards(void) { take(&shared->second, &shared->first); }

static pid_t child_does(void (*act)(void))
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid)
		return pid;
	act();
	done();
	_exit(0);
}

static void reap(pid_t pid)
{
	int status;
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* The child acts, then the parent, and only then the child's end is waited for. */
static void parent_and_child(void (*parent)(void), void (*child)(void))
{
	pid_t pid = child_does(child);

	wait_until_done();
	parent();
	reap(pid);
}

static void opposite(void) { parent_and_child(forwards, backwards); }
static void same(void) { parent_and_child(forwards, forwards); }

static void gate_forwards(void)
{
	pthread_mutex_lock(&shared->gate);
	forwards();
	pthread_mutex_unlock(&shared->gate);
}
static void gate_backwards(void)
{
	pthread_mutex_lock(&shared->gate);
	backwards();
	pthread_mutex_unlock(&shared->gate);
}
static void own_gate_backwards(void)
{
	pthread_mutex_lock(&own->gate);
	backwards();
	pthread_mutex_unlock(&own->gate);
}
static void own_gate_forwards(void)
{
	pthread_mutex_lock(&own->gate);
	forwards();
	pthread_mutex_unlock(&own->gate);
}
static void gate(void) { parent_and_child(gate_forwards, gate_backwards); }
static void own_gate(void) { parent_and_child(own_gate_forwards, own_gate_backwards); }

/* Copies of private locks, at the same addresses. */
static void own_forwards(void) { take(&own->first, &own->second); }
static void own_backwards(void) { take(&own->second, &own->first); }
static void private_locks(void) { parent_and_child(own_forwards, own_backwards); }

static void mutex_then_sem(void)
{
	pthread_mutex_lock(&shared->first);
	CHECK(sem_wait(&shared->sem) == 0 && sem_post(&shared->sem) == 0);
	pthread_mutex_unlock(&shared->first);
}
static void sem_then_mutex(void)
{
	CHECK(sem_wait(&shared->sem) == 0);
	pthread_mutex_lock(&shared->first);
	pthread_mutex_unlock(&shared->first);
	CHECK(sem_post(&shared->sem) == 0);
}
static void semaphore(void) { parent_and_child(mutex_then_sem, sem_then_mutex); }

static void mutex_then_table(void)
{
	pthread_mutex_lock(&shared->first);
	pthread_rwlock_wrlock(&shared->table);
	pthread_rwlock_unlock(&shared->table);
	pthread_mutex_unlock(&shared->first);
}
static void table_then_mutex(void)
{
	pthread_rwlock_rdlock(&shared->table);
	pthread_mutex_lock(&shared->first);
	pthread_mutex_unlock(&shared->first);
	pthread_rwlock_unlock(&shared->table);
}
static void rwlock(void) { parent_and_child(mutex_then_table, table_then_mutex); }

/* A child maps the memory anew, at another address. */
static void elsewhere_backwards(void)
{
	struct shared *other = map(MAP_SHARED);
	CHECK(other != shared);
	take(&other->second, &other->first);
}
static void elsewhere(void) { parent_and_child(forwards, elsewhere_backwards); }

static void brothers(void)
{
	pid_t one = child_does(forwards), other;
	wait_until_done();
	other = child_does(backwards);
	wait_until_done();
	reap(one);
	reap(other);
}

static void brothers_in_turn(void)
{
	reap(child_does(forwards));
	wait_until_done();
	reap(child_does(backwards));
}

/* Only one process's: said once, as its own. */
static void in_one(void)
{
	in_turn(forwards, backwards);
	parent_and_child(forwards, forwards);
}

/* The hooks. */
static void before_fork(void)
{
	forwards();
	reap(child_does(backwards));
}

static pid_t spawn(int (*by)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                             char *const[], char *const[]))
{
	char fd[16], option[] = "--inverts";
	char *arguments[] = {path, option, fd, NULL};
	pid_t pid;

	snprintf(fd, sizeof fd, "%d", memory);
	CHECK(by(&pid, path, NULL, NULL, arguments, environ) == 0);
	return pid;
}
static void before_spawn(void)
{
	forwards();
	reap(spawn(posix_spawn));
}
static void before_spawnp(void)
{
	forwards();
	reap(spawn(posix_spawnp));
}
/* Its end is seen as the hooks don't: by the pipe that closes. */
static void while_spawned(void)
{
	char byte;
	pid_t pid = spawn(posix_spawn);
	close(turn[1]);
	CHECK(read(turn[0], &byte, 1) == 0);
	forwards();
	reap(pid);
}

static void by_wait(pid_t pid) { CHECK(wait(NULL) == pid); }
static void by_waitpid(pid_t pid) { CHECK(waitpid(pid, NULL, 0) == pid); }
static void by_wait3(pid_t pid)
{
	struct rusage usage;
	CHECK(wait3(NULL, 0, &usage) == pid);
}
static void by_wait4(pid_t pid) { CHECK(wait4(pid, NULL, 0, NULL) == pid); }
static void by_waitid(pid_t pid) { CHECK(waitid(P_PID, (id_t)pid, NULL, WEXITED) == 0); }

static void behind(void (*wait_for)(pid_t))
{
	wait_for(child_does(backwards));
	forwards();
}
static void behind_wait(void) { behind(by_wait); }
static void behind_waitpid(void) { behind(by_waitpid); }
static void behind_wait3(void) { behind(by_wait3); }
static void behind_wait4(void) { behind(by_wait4); }
static void behind_waitid(void) { behind(by_waitid); }

/* It has stopped, and not ended. */
static void stops(void)
{
	backwards();
	raise(SIGSTOP);
}
static void behind_a_stop(void)
{
	int status;
	pid_t pid = child_does(stops);
	CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	forwards();
	kill(pid, SIGCONT);
	reap(pid);
}

/* The parent comes to the barrier with a lock that the child takes before it comes there, or only behind it. */
static void take_first(void)
{
	CHECK(pthread_mutex_lock(&shared->first) == 0);
	CHECK(pthread_mutex_unlock(&shared->first) == 0);
}

static void meet_holding(bool needs_it_before)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		if (needs_it_before)
			take_first();
		done();
		pthread_barrier_wait(&shared->meeting);
		if (!needs_it_before)
			take_first();
		_exit(0);
	}
	wait_until_done();
	CHECK(pthread_mutex_lock(&shared->first) == 0);
	pthread_barrier_wait(&shared->meeting);
	CHECK(pthread_mutex_unlock(&shared->first) == 0);
	reap(pid);
}

static void needs_before_meeting(void) { meet_holding(true); }
static void needs_behind_meeting(void) { meet_holding(false); }

/* The child ends with a mutex that is not the parent's to release. */
static void end_holding(pthread_mutex_t *mutex, bool inherited)
{
	if (inherited)
		CHECK(pthread_mutex_lock(mutex) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		if (!inherited)
			CHECK(pthread_mutex_lock(mutex) == 0);
		_exit(0);
	}
	reap(pid);
	if (inherited)
		CHECK(pthread_mutex_unlock(mutex) == 0);
}

static void ends_holding(void) { end_holding(&shared->first, false); }
static void ends_holding_own(void) { end_holding(&own->first, false); }
static void ends_with_parents(void) { end_holding(&shared->first, true); }

static const struct {
	const char *symbol, *name, *expected;
	void (*run)(void);
} cases[] = {
    {"any", "opposite", "between", opposite},
    {"any", "same", "none", same},
    {"any", "gate", "none", gate},
    {"any", "own-gate", "between", own_gate},
    {"any", "private", "none", private_locks},
    {"any", "semaphore", "between", semaphore},
    {"any", "rwlock", "between", rwlock},
    {"any", "elsewhere", "between", elsewhere},
    {"any", "brothers", "between", brothers},
    {"any", "brothers-in-turn", "none", brothers_in_turn},
    {"any", "in-one", "within", in_one},
    {"any", "stopped", "between", behind_a_stop},
    {"any", "spawned", "between", while_spawned},
    {"any", "needs-before-meeting", "wait", needs_before_meeting},
    {"any", "needs-behind-meeting", "no_wait", needs_behind_meeting},
    {"any", "ends-holding", "held_at_exit", ends_holding},
    {"any", "ends-holding-own", "nothing", ends_holding_own},
    {"any", "ends-with-parents", "nothing", ends_with_parents},
    {"fork", "before", "none", before_fork},
    {"posix_spawn", "before", "none", before_spawn},
    {"posix_spawnp", "before", "none", before_spawnp},
    {"wait", "behind", "none", behind_wait},
    {"waitpid", "behind", "none", behind_waitpid},
    {"wait3", "behind", "none", behind_wait3},
    {"wait4", "behind", "none", behind_wait4},
    {"waitid", "behind", "none", behind_waitid},
};
enum { CASES_COUNT = sizeof(cases) / sizeof(*cases) };

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (int i = 0; i < CASES_COUNT; i++)
			printf("%s %s %s\n", cases[i].symbol, cases[i].name, cases[i].expected);
		return 0;
	}
	CHECK(argc == 3);
	if (strcmp(argv[1], "--inverts") == 0) {
		memory = atoi(argv[2]);
		shared = map(MAP_SHARED);
		backwards();
		return 0;
	}
	start();
	for (int i = 0; i < CASES_COUNT; i++) {
		if (strcmp(cases[i].symbol, argv[1]) == 0 && strcmp(cases[i].name, argv[2]) == 0) {
			cases[i].run();
			return 0;
		}
	}
	return 2;
}
