/* Two processes share a table and an index, each with a mutex in shared memory. Both processes take
 * the table's first. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct store {
	pthread_mutex_t table_lock, index_lock;
	int rows, entries;
} *store;

static void open_store(void)
{
	pthread_mutexattr_t shared;

	store = mmap(NULL, sizeof *store, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (store == MAP_FAILED)
		abort();
	pthread_mutexattr_init(&shared);
	pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&store->table_lock, &shared);
	pthread_mutex_init(&store->index_lock, &shared);
}

static void repair_index(void)
{
	pthread_mutex_lock(&store->table_lock);
	pthread_mutex_lock(&store->index_lock);
	store->entries = store->rows;
	pthread_mutex_unlock(&store->index_lock);
	pthread_mutex_unlock(&store->table_lock);
}

static void look_up(void)
{
	pthread_mutex_lock(&store->table_lock);
	pthread_mutex_lock(&store->index_lock);
	store->rows++;
	pthread_mutex_unlock(&store->index_lock);
	pthread_mutex_unlock(&store->table_lock);
}

int main(void)
{
	int repaired[2];
	char byte = 0;

	open_store();
	if (pipe(repaired) != 0)
		return 1;
	if (fork() == 0) {
		repair_index();
		_exit(write(repaired[1], &byte, 1) != 1);
	}
	if (read(repaired[0], &byte, 1) != 1)
		return 1;
	look_up();
	wait(NULL);
	return 0;
}
