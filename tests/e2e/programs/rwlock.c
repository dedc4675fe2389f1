/* Read-write locks: which modes around a cycle exclude each other, and under which policy. */
#include "case.h"

static pthread_rwlock_t first, second;

typedef int take(pthread_rwlock_t *lock);

static void hold_then_take(pthread_rwlock_t *held, take *hold, pthread_rwlock_t *wanted, take *want)
{
	CHECK(hold(held) == 0);
	CHECK(want(wanted) == 0);
	CHECK(pthread_rwlock_unlock(wanted) == 0);
	CHECK(pthread_rwlock_unlock(held) == 0);
}

#define READ pthread_rwlock_rdlock
#define WRITE pthread_rwlock_wrlock
#define TRY_READ pthread_rwlock_tryrdlock
#define TRY_WRITE pthread_rwlock_trywrlock

static void forwards_read_read(void)
{
	hold_then_take(&first, READ, &second, READ);
}
static void forwards_read_write(void)
{
	hold_then_take(&first, READ, &second, WRITE);
}
static void forwards_write_read(void)
{
	hold_then_take(&first, WRITE, &second, READ);
}
static void forwards_write_write(void)
{
	hold_then_take(&first, WRITE, &second, WRITE);
}
static void backwards_read_read(void)
{
	hold_then_take(&second, READ, &first, READ);
}
static void backwards_read_write(void)
{
	hold_then_take(&second, READ, &first, WRITE);
}
static void backwards_write_read(void)
{
	hold_then_take(&second, WRITE, &first, READ);
}
static void backwards_write_write(void)
{
	hold_then_take(&second, WRITE, &first, WRITE);
}
static void backwards_try_write(void)
{
	hold_then_take(&second, WRITE, &first, TRY_WRITE);
}
static void backwards_try_read(void)
{
	hold_then_take(&second, READ, &first, TRY_READ);
}
static void forwards_tried_write(void)
{
	hold_then_take(&first, TRY_WRITE, &second, WRITE);
}
static void forwards_tried_read(void)
{
	hold_then_take(&first, TRY_READ, &second, WRITE);
}

static void prefer(int kind)
{
	pthread_rwlockattr_t attributes;

	CHECK(pthread_rwlockattr_init(&attributes) == 0);
	CHECK(pthread_rwlockattr_setkind_np(&attributes, kind) == 0);
	CHECK(pthread_rwlock_init(&first, &attributes) == 0);
	CHECK(pthread_rwlock_init(&second, &attributes) == 0);
}

static void all_write(void)
{
	in_turn(forwards_write_write, backwards_write_write);
}
static void all_write_ordered(void)
{
	in_turn(forwards_write_write, forwards_write_write);
}
static void all_read(void)
{
	in_turn(forwards_read_read, backwards_read_read);
}
static void read_then_write(void)
{
	in_turn(forwards_read_write, backwards_read_write);
}
static void write_then_read(void)
{
	in_turn(forwards_write_read, backwards_write_read);
}
static void readers_against_writers(void)
{
	in_turn(forwards_read_read, backwards_write_write);
}

/* first is only ever read here: nobody waits for it. */
static void readers_meet_at_first(void)
{
	in_turn(forwards_read_write, backwards_write_read);
}

static void want_by_try_write(void)
{
	in_turn(forwards_write_write, backwards_try_write);
}
static void want_by_try_read(void)
{
	in_turn(forwards_write_write, backwards_try_read);
}
static void held_by_try_write(void)
{
	in_turn(forwards_tried_write, backwards_write_write);
}
static void held_by_try_read(void)
{
	in_turn(forwards_tried_read, backwards_write_write);
}

static void all_read_default_kind(void)
{
	prefer(PTHREAD_RWLOCK_PREFER_READER_NP);
	all_read();
}

/* The C library treats this one as preferring readers. */
static void all_read_prefer_writer(void)
{
	prefer(PTHREAD_RWLOCK_PREFER_WRITER_NP);
	all_read();
}

static void all_read_prefer_writer_nonrecursive(void)
{
	prefer(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	all_read();
}

static void all_write_prefer_writer_nonrecursive(void)
{
	prefer(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	all_write();
}

/* A read lock taken twice and given back once is still held. */
static void read_twice_keep(void)
{
	CHECK(pthread_rwlock_rdlock(&first) == 0);
	CHECK(pthread_rwlock_rdlock(&first) == 0);
	CHECK(pthread_rwlock_unlock(&first) == 0);
	CHECK(pthread_rwlock_wrlock(&second) == 0);
	CHECK(pthread_rwlock_unlock(&second) == 0);
	CHECK(pthread_rwlock_unlock(&first) == 0);
}

static void read_twice_give_back(void)
{
	CHECK(pthread_rwlock_rdlock(&first) == 0);
	CHECK(pthread_rwlock_rdlock(&first) == 0);
	CHECK(pthread_rwlock_unlock(&first) == 0);
	CHECK(pthread_rwlock_unlock(&first) == 0);
	CHECK(pthread_rwlock_wrlock(&second) == 0);
	CHECK(pthread_rwlock_unlock(&second) == 0);
}

static void reread_kept(void)
{
	in_turn(read_twice_keep, backwards_write_write);
}
static void reread_given(void)
{
	in_turn(read_twice_give_back, backwards_write_write);
}

CASES({"all-write", all_write}, {"all-write-ordered", all_write_ordered}, {"all-read", all_read},
      {"read-then-write", read_then_write}, {"write-then-read", write_then_read},
      {"readers-against-writers", readers_against_writers}, {"readers-meet", readers_meet_at_first},
      {"want-by-try-write", want_by_try_write}, {"want-by-try-read", want_by_try_read},
      {"held-by-try-write", held_by_try_write}, {"held-by-try-read", held_by_try_read},
      {"all-read-prefer-reader", all_read_default_kind}, {"all-read-prefer-writer", all_read_prefer_writer},
      {"all-read-prefer-writer-nonrecursive", all_read_prefer_writer_nonrecursive},
      {"all-write-prefer-writer-nonrecursive", all_write_prefer_writer_nonrecursive},
      {"reread-kept", reread_kept}, {"reread-given", reread_given})
