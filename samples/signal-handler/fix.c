/* The handler says that a second has passed, and no more; whoever works writes the line. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

static pthread_mutex_t journal_lock = PTHREAD_MUTEX_INITIALIZER;
static volatile sig_atomic_t alarms;
static int lines;

static void journal_write(void)
{
	pthread_mutex_lock(&journal_lock);
	lines++;
	pthread_mutex_unlock(&journal_lock);
}

static void on_alarm(int number)
{
	(void)number;
	alarms++;
}

static void work(void)
{
	static int seen;

	for (; seen < alarms; seen++)
		journal_write();
	journal_write();
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_alarm};

	sigaction(SIGALRM, &action, NULL);
	work();
	raise(SIGALRM);
	work();
	printf("%d lines\n", lines);
	return 0;
}
