/* Whoever forks takes the log's lock first and releases it on both sides: pthread_atfork. */
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../lesson.h"

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

static void before_fork(void)
{
	pthread_mutex_lock(&log_lock);
}

static void after_fork(void)
{
	pthread_mutex_unlock(&log_lock);
}

static void *logger(void *unused)
{
	pthread_mutex_lock(&log_lock);
	lesson_step(0); /* now the other thread wants to fork */
	pthread_mutex_unlock(&log_lock);
	return unused;
}

int main(void)
{
	pthread_t thread;

	pthread_atfork(before_fork, after_fork, after_fork);
	pthread_create(&thread, NULL, logger, NULL);
	lesson_step(1);
	pid_t child = fork();
	if (child == 0) {
		/* A child that waits without a limit never ends. */
		struct timespec soon;
		clock_gettime(CLOCK_REALTIME, &soon);
		soon.tv_sec++;
		if (pthread_mutex_timedlock(&log_lock, &soon) == 0)
			pthread_mutex_unlock(&log_lock);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	pthread_join(thread, NULL);
	return 0;
}
