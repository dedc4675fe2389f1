/* An error path unlocks, and so does the end of the function. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

static pthread_mutex_t file_lock = PTHREAD_MUTEX_INITIALIZER;

static bool append(const char *line)
{
	bool done = false;

	pthread_mutex_lock(&file_lock);
	if (!*line) {
		pthread_mutex_unlock(&file_lock);
		goto out;
	}
	puts(line);
	done = true;
out:
	pthread_mutex_unlock(&file_lock);
	return done;
}

int main(void)
{
	append("first");
	append("");
	return 0;
}
