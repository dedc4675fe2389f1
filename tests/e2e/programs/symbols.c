/* symbols.c: an inversion of a member of a table of structs and a static local, under an inlined call. */
#include <pthread.h>
#include <sched.h>

struct cell {
	int value;
	struct {
		int index;
		pthread_mutex_t lock;
	} row;
};
struct cell table[2][3];

static int turn;

static inline __attribute__((always_inline)) void lock_row(struct cell *cell)
{
	pthread_mutex_lock(&cell->row.lock);
	cell->value++;
}

__attribute__((noinline)) static void count(int inner_first)
{
	static pthread_mutex_t count_lock = PTHREAD_MUTEX_INITIALIZER;

	if (inner_first) {
		lock_row(&table[1][2]);
		pthread_mutex_lock(&count_lock);
	} else {
		pthread_mutex_lock(&count_lock);
		lock_row(&table[1][2]);
	}
	pthread_mutex_unlock(&count_lock);
	pthread_mutex_unlock(&table[1][2].row.lock);
}

static void *run(void *first)
{
	int mine = first != NULL;

	while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != mine)
		sched_yield();
	count(mine);
	__atomic_store_n(&turn, mine + 1, __ATOMIC_RELEASE);
	return NULL;
}

int main(void)
{
	pthread_t threads[2];

	pthread_create(&threads[0], NULL, run, NULL);
	pthread_create(&threads[1], NULL, run, &turn);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	return 0;
}
