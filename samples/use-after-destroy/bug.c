/* The log is closed, and its mutex destroyed. Then the exit handler logs once more. */
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t log_lock;

static void write_log(const char *line)
{
	pthread_mutex_lock(&log_lock);
	puts(line);
	pthread_mutex_unlock(&log_lock);
}

int main(void)
{
	pthread_mutex_init(&log_lock, NULL);
	write_log("working");
	pthread_mutex_destroy(&log_lock);
	write_log("bye");
	return 0;
}
