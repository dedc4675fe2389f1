/* The last line first. */
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
	write_log("bye");
	pthread_mutex_destroy(&log_lock);
	return 0;
}
