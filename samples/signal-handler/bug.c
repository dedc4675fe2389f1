/* A watchdog by alarm: every second the handler writes a line to the journal. So does everybody else. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

static pthread_mutex_t journal_lock = PTHREAD_MUTEX_INITIALIZER;
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
	journal_write();
}

static void work(void)
{
	journal_write();
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_alarm};

	sigaction(SIGALRM, &action, NULL);
	work();
	raise(SIGALRM); /* for once, the alarm goes off between two jobs */
	work();
	printf("%d lines\n", lines);
	return 0;
}
