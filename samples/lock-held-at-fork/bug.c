/* A logger thread holds the log's lock at the moment when another thread forks. In the child that thread does not
 * exist, and the lock stays locked for ever. */
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../lesson.h"

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

static void *logger(void *unused)
{
	pthread_mutex_lock(&log_lock);
	lesson_step(0); /* now the other thread forks */
	lesson_step(3);
	pthread_mutex_unlock(&log_lock);
	return unused;
}

int main(void)
{
	pthread_t thread;

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
	lesson_step(2);
	waitpid(child, NULL, 0);
	pthread_join(thread, NULL);
	return 0;
}
