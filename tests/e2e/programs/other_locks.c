/* Spinlocks, C11 mutexes, and cycles through several kinds of locks. */
#include <threads.h>
#include <time.h>

#include "case.h"

static pthread_spinlock_t first_spin, second_spin;
static mtx_t first_mtx, second_mtx;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;

static void init_spins(void)
{
	CHECK(pthread_spin_init(&first_spin, PTHREAD_PROCESS_PRIVATE) == 0);
	CHECK(pthread_spin_init(&second_spin, PTHREAD_PROCESS_PRIVATE) == 0);
}

static void spin_forwards(void)
{
	CHECK(pthread_spin_lock(&first_spin) == 0);
	CHECK(pthread_spin_lock(&second_spin) == 0);
	CHECK(pthread_spin_unlock(&second_spin) == 0);
	CHECK(pthread_spin_unlock(&first_spin) == 0);
}

static void spin_backwards(void)
{
	CHECK(pthread_spin_lock(&second_spin) == 0);
	CHECK(pthread_spin_lock(&first_spin) == 0);
	CHECK(pthread_spin_unlock(&first_spin) == 0);
	CHECK(pthread_spin_unlock(&second_spin) == 0);
}

static void spin_try_backwards(void)
{
	CHECK(pthread_spin_lock(&second_spin) == 0);
	CHECK(pthread_spin_trylock(&first_spin) == 0);
	CHECK(pthread_spin_unlock(&first_spin) == 0);
	CHECK(pthread_spin_unlock(&second_spin) == 0);
}

static void spin(void)
{
	init_spins();
	in_turn(spin_forwards, spin_backwards);
}

static void spin_ordered(void)
{
	init_spins();
	in_turn(spin_forwards, spin_forwards);
}

static void spin_try(void)
{
	init_spins();
	in_turn(spin_forwards, spin_try_backwards);
}

/* So close together that each page has more of them than the shim's table has slots for a page. */
enum { PACKED = 20000, PACKED_FIRST = 777, PACKED_SECOND = 19998 };

static pthread_spinlock_t packed[PACKED];

static void packed_all(void)
{
	for (int i = 0; i < PACKED; i++) {
		CHECK(pthread_spin_lock(&packed[i]) == 0);
		CHECK(pthread_spin_unlock(&packed[i]) == 0);
	}
}

static void packed_pair(int outer, int inner)
{
	CHECK(pthread_spin_lock(&packed[outer]) == 0);
	CHECK(pthread_spin_lock(&packed[inner]) == 0);
	CHECK(pthread_spin_unlock(&packed[inner]) == 0);
	CHECK(pthread_spin_unlock(&packed[outer]) == 0);
}

static void packed_forwards(void)
{
	packed_pair(PACKED_FIRST, PACKED_SECOND);
}

static void packed_backwards(void)
{
	packed_pair(PACKED_SECOND, PACKED_FIRST);
}

static void spins_packed(void)
{
	for (int i = 0; i < PACKED; i++)
		CHECK(pthread_spin_init(&packed[i], PTHREAD_PROCESS_PRIVATE) == 0);
	packed_all();
	in_turn(packed_forwards, packed_backwards);
	packed_all();
}

static void spins_packed_ordered(void)
{
	for (int i = 0; i < PACKED; i++)
		CHECK(pthread_spin_init(&packed[i], PTHREAD_PROCESS_PRIVATE) == 0);
	packed_all();
	in_turn(packed_forwards, packed_forwards);
}

static void mtx_forwards(void)
{
	CHECK(mtx_lock(&first_mtx) == thrd_success);
	CHECK(mtx_lock(&second_mtx) == thrd_success);
	CHECK(mtx_unlock(&second_mtx) == thrd_success);
	CHECK(mtx_unlock(&first_mtx) == thrd_success);
}

static void mtx_backwards(void)
{
	CHECK(mtx_lock(&second_mtx) == thrd_success);
	CHECK(mtx_lock(&first_mtx) == thrd_success);
	CHECK(mtx_unlock(&first_mtx) == thrd_success);
	CHECK(mtx_unlock(&second_mtx) == thrd_success);
}

static void mtx_try_backwards(void)
{
	CHECK(mtx_lock(&second_mtx) == thrd_success);
	CHECK(mtx_trylock(&first_mtx) == thrd_success);
	CHECK(mtx_unlock(&first_mtx) == thrd_success);
	CHECK(mtx_unlock(&second_mtx) == thrd_success);
}

static void mtx_timed_backwards(void)
{
	struct timespec deadline;

	timespec_get(&deadline, TIME_UTC);
	deadline.tv_sec += 60;
	CHECK(mtx_lock(&second_mtx) == thrd_success);
	CHECK(mtx_timedlock(&first_mtx, &deadline) == thrd_success);
	CHECK(mtx_unlock(&first_mtx) == thrd_success);
	CHECK(mtx_unlock(&second_mtx) == thrd_success);
}

static void init_mtx(int type)
{
	CHECK(mtx_init(&first_mtx, type) == thrd_success);
	CHECK(mtx_init(&second_mtx, type) == thrd_success);
}

static void mtx_relock(void)
{
	CHECK(mtx_lock(&first_mtx) == thrd_success);
	CHECK(mtx_lock(&second_mtx) == thrd_success);
	CHECK(mtx_lock(&first_mtx) == thrd_success);
	CHECK(mtx_unlock(&first_mtx) == thrd_success);
	CHECK(mtx_unlock(&second_mtx) == thrd_success);
	CHECK(mtx_unlock(&first_mtx) == thrd_success);
}

#define MTX(name, type, one, other)                                                                          \
	static void name(void)                                                                               \
	{                                                                                                    \
		init_mtx(type);                                                                              \
		in_turn(one, other);                                                                         \
	}

MTX(plain, mtx_plain, mtx_forwards, mtx_backwards)
MTX(plain_ordered, mtx_plain, mtx_forwards, mtx_forwards)
MTX(plain_try, mtx_plain, mtx_forwards, mtx_try_backwards)
MTX(timed, mtx_timed, mtx_forwards, mtx_backwards)
MTX(timed_wait, mtx_timed, mtx_forwards, mtx_timed_backwards)
MTX(recursive, mtx_plain | mtx_recursive, mtx_forwards, mtx_backwards)
MTX(recursive_relock, mtx_plain | mtx_recursive, mtx_relock, mtx_relock)

/* mutex -> table -> spinlock -> mutex, an edge a thread. */
static void mutex_then_table(void)
{
	CHECK(pthread_mutex_lock(&mutex) == 0);
	CHECK(pthread_rwlock_wrlock(&table) == 0);
	CHECK(pthread_rwlock_unlock(&table) == 0);
	CHECK(pthread_mutex_unlock(&mutex) == 0);
}

static void table_then_spin(void)
{
	CHECK(pthread_rwlock_rdlock(&table) == 0);
	CHECK(pthread_spin_lock(&first_spin) == 0);
	CHECK(pthread_spin_unlock(&first_spin) == 0);
	CHECK(pthread_rwlock_unlock(&table) == 0);
}

static void spin_then_mutex(void)
{
	CHECK(pthread_spin_lock(&first_spin) == 0);
	CHECK(pthread_mutex_lock(&mutex) == 0);
	CHECK(pthread_mutex_unlock(&mutex) == 0);
	CHECK(pthread_spin_unlock(&first_spin) == 0);
}

static void mutex_then_spin(void)
{
	CHECK(pthread_mutex_lock(&mutex) == 0);
	CHECK(pthread_spin_lock(&first_spin) == 0);
	CHECK(pthread_spin_unlock(&first_spin) == 0);
	CHECK(pthread_mutex_unlock(&mutex) == 0);
}

static void mixed(void)
{
	init_spins();
	in_turn(mutex_then_table, table_then_spin, spin_then_mutex);
}

static void mixed_ordered(void)
{
	init_spins();
	in_turn(mutex_then_table, table_then_spin, mutex_then_spin);
}

CASES({"spin", spin}, {"spin-ordered", spin_ordered}, {"spin-try", spin_try},
      {"spins-packed", spins_packed}, {"spins-packed-ordered", spins_packed_ordered}, {"mtx-plain", plain},
      {"mtx-plain-ordered", plain_ordered}, {"mtx-plain-try", plain_try}, {"mtx-timed", timed},
      {"mtx-timed-wait", timed_wait}, {"mtx-recursive", recursive},
      {"mtx-recursive-relock", recursive_relock}, {"mixed", mixed}, {"mixed-ordered", mixed_ordered})
