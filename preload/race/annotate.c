/* annotate.c: what programs say themselves: ThreadSanitizer's public interface and the older dynamic
 * annotations. What neither runtime does anything for (Java, external tags, report inspection) answers that
 * there is nothing, so that code written for ThreadSanitizer links and runs. */
#include "../say.h"
#include "access.h"
#include "abi.h"
#include "report.h"
#include "sync.h"

ABI(void, __tsan_acquire, (void *a))
{
	shim_race_acquire(a, true);
}
ABI(void, __tsan_release, (void *a))
{
	shim_race_release(a, SHIM_RACE_JOIN, true);
}

static void ignore(uint32_t what, uint32_t *count, int by)
{
	struct race_hot *hot = &race_hot;
	if (by < 0 && !*count)
		return;
	*count += (uint32_t)by;
	hot->ignore = *count ? hot->ignore | what : hot->ignore & ~what;
}

#define IGNORE(name, what, count, by)                                                                        \
	ABI(void, name, (char *file, int line))                                                              \
	{                                                                                                    \
		(void)file;                                                                                  \
		(void)line;                                                                                  \
		struct race_hot *hot = race_self();                                                          \
		if (hot)                                                                                     \
			ignore(what, &hot->thread->count, by);                                               \
	}

IGNORE(AnnotateIgnoreReadsBegin, RACE_IGNORE_READS, ignore_reads, 1)
IGNORE(AnnotateIgnoreReadsEnd, RACE_IGNORE_READS, ignore_reads, -1)
IGNORE(AnnotateIgnoreWritesBegin, RACE_IGNORE_WRITES, ignore_writes, 1)
IGNORE(AnnotateIgnoreWritesEnd, RACE_IGNORE_WRITES, ignore_writes, -1)
IGNORE(AnnotateIgnoreSyncBegin, RACE_IGNORE_SYNC, ignore_sync, 1)
IGNORE(AnnotateIgnoreSyncEnd, RACE_IGNORE_SYNC, ignore_sync, -1)

static void ignore_all(int by)
{
	struct race_hot *hot = race_self();
	if (!hot)
		return;
	ignore(RACE_IGNORE_READS, &hot->thread->ignore_reads, by);
	ignore(RACE_IGNORE_WRITES, &hot->thread->ignore_writes, by);
}

ABI(void, __tsan_ignore_thread_begin, (void))
{
	ignore_all(1);
}
ABI(void, __tsan_ignore_thread_end, (void))
{
	ignore_all(-1);
}

/* A program's own mutexes, by the flags of tsan_interface.h. */
enum { READ_LOCK = 1 << 3, TRY_LOCK = 1 << 4, TRY_LOCK_FAILED = 1 << 5 };

static uint32_t how_of(unsigned flags)
{
	return flags & READ_LOCK ? DT_LOCK_RWLOCK | SHIM_HOW_SHARED : DT_LOCK_RWLOCK;
}

ABI(void, __tsan_mutex_create, (void *lock, unsigned flags))
{
	(void)flags;
	shim_race_forget(lock, 16);
}
ABI(void, __tsan_mutex_destroy, (void *lock, unsigned flags))
{
	(void)flags;
	shim_race_forget(lock, 16);
}
ABI(void, __tsan_mutex_pre_lock, (void *lock, unsigned flags))
{
	(void)lock;
	(void)flags;
}
ABI(void, __tsan_mutex_post_lock, (void *lock, unsigned flags, int recursion))
{
	(void)recursion;
	shim_race_lock(lock, how_of(flags), !(flags & TRY_LOCK_FAILED));
}
ABI(int, __tsan_mutex_pre_unlock, (void *lock, unsigned flags))
{
	shim_race_unlock(lock, how_of(flags));
	return 0;
}
ABI(void, __tsan_mutex_post_unlock, (void *lock, unsigned flags))
{
	(void)lock;
	(void)flags;
}

/* Said in a line, not a finding: what is wrong with it only the program knows. */
ABI(void, __tsan_check_no_mutexes_held, (void))
{
	struct race_hot *hot = race_self();
	if (!hot || hot->busy || !hot->thread->lock_count)
		return;
	shim_say("a lock is held where the program says that none may be (__tsan_check_no_mutexes_held)");
}

#define NOTHING(name, params, ...)                                                                           \
	ABI(void, name, params)                                                                              \
	{                                                                                                    \
		__VA_ARGS__;                                                                                 \
	}
NOTHING(__tsan_mutex_pre_signal, (void *a, unsigned flags), (void)a, (void)flags)
NOTHING(__tsan_mutex_post_signal, (void *a, unsigned flags), (void)a, (void)flags)
NOTHING(__tsan_mutex_pre_divert, (void *a, unsigned flags), (void)a, (void)flags)
NOTHING(__tsan_mutex_post_divert, (void *a, unsigned flags), (void)a, (void)flags)

/* Benign races. */
ABI(void, AnnotateBenignRaceSized, (char *file, int line, void *address, size_t bytes, char *why))
{
	(void)file;
	(void)line;
	(void)why;
	race_benign((uintptr_t)address, bytes);
}
ABI(void, AnnotateBenignRace, (char *file, int line, void *address, char *why))
{
	AnnotateBenignRaceSized(file, line, address, 1, why);
}
ABI(void, WTFAnnotateBenignRaceSized, (char *file, int line, void *address, size_t bytes, char *why))
{
	AnnotateBenignRaceSized(file, line, address, bytes, why);
}

#define BEFORE(name)                                                                                         \
	ABI(void, name, (char *file, int line, void *address))                                               \
	{                                                                                                    \
		(void)file;                                                                                  \
		(void)line;                                                                                  \
		shim_race_release(address, SHIM_RACE_JOIN, true);                                            \
	}
#define AFTER(name)                                                                                          \
	ABI(void, name, (char *file, int line, void *address))                                               \
	{                                                                                                    \
		(void)file;                                                                                  \
		(void)line;                                                                                  \
		shim_race_acquire(address, true);                                                            \
	}
BEFORE(AnnotateHappensBefore)
AFTER(AnnotateHappensAfter)
BEFORE(WTFAnnotateHappensBefore)
AFTER(WTFAnnotateHappensAfter)
BEFORE(AnnotateCondVarSignal)
BEFORE(AnnotateCondVarSignalAll)

ABI(void, AnnotateCondVarWait, (char *file, int line, void *cond, void *lock))
{
	(void)file;
	(void)line;
	(void)lock;
	shim_race_acquire(cond, true);
}

ABI(void, AnnotateRWLockCreate, (char *file, int line, void *lock))
{
	(void)file;
	(void)line;
	shim_race_forget(lock, 16);
}
ABI(void, AnnotateRWLockCreateStatic, (char *file, int line, void *lock))
{
	(void)file;
	(void)line;
	(void)lock;
}
ABI(void, AnnotateRWLockDestroy, (char *file, int line, void *lock))
{
	(void)file;
	(void)line;
	shim_race_forget(lock, 16);
}
ABI(void, AnnotateRWLockAcquired, (char *file, int line, void *lock, size_t is_write))
{
	(void)file;
	(void)line;
	shim_race_lock(lock, how_of(is_write ? 0 : READ_LOCK), true);
}
ABI(void, AnnotateRWLockReleased, (char *file, int line, void *lock, size_t is_write))
{
	(void)file;
	(void)line;
	shim_race_unlock(lock, how_of(is_write ? 0 : READ_LOCK));
}

static void new_memory(uintptr_t start, size_t bytes)
{
	if (shim_race_on)
		race_shadow_clear(start, bytes);
}
ABI(void, AnnotateNewMemory, (char *file, int line, void *address, size_t bytes))
{
	(void)file;
	(void)line;
	new_memory((uintptr_t)address, bytes);
}
NOTHING(AnnotateFlushState, (char *file, int line), (void)file, (void)line)
NOTHING(AnnotateNoOp, (char *file, int line, void *a), (void)file, (void)line, (void)a)
NOTHING(AnnotatePublishMemoryRange, (char *file, int line, void *a, size_t n), (void)file, (void)line,
        (void)a, (void)n)
NOTHING(AnnotateUnpublishMemoryRange, (char *file, int line, void *a, size_t n), (void)file, (void)line,
        (void)a, (void)n)
NOTHING(AnnotateMemoryIsInitialized, (char *file, int line, void *a, size_t n), (void)file, (void)line,
        (void)a, (void)n)
NOTHING(AnnotateMemoryIsUninitialized, (char *file, int line, void *a, size_t n), (void)file, (void)line,
        (void)a, (void)n)
NOTHING(AnnotatePCQCreate, (char *file, int line, void *a), (void)file, (void)line, (void)a)
NOTHING(AnnotatePCQDestroy, (char *file, int line, void *a), (void)file, (void)line, (void)a)
NOTHING(AnnotatePCQPut, (char *file, int line, void *a), (void)file, (void)line, (void)a)
NOTHING(AnnotatePCQGet, (char *file, int line, void *a), (void)file, (void)line, (void)a)
NOTHING(AnnotateTraceMemory, (char *file, int line, void *a), (void)file, (void)line, (void)a)
NOTHING(AnnotateMutexIsNotPHB, (char *file, int line, void *a), (void)file, (void)line, (void)a)
NOTHING(AnnotateMutexIsUsedAsCondVar, (char *file, int line, void *a), (void)file, (void)line, (void)a)
NOTHING(AnnotateExpectRace, (char *file, int line, void *a, char *why), (void)file, (void)line, (void)a,
        (void)why)
NOTHING(AnnotateFlushExpectedRaces, (char *file, int line), (void)file, (void)line)
NOTHING(AnnotateEnableRaceDetection, (char *file, int line, int on), (void)file, (void)line, (void)on)
NOTHING(AnnotateThreadName, (char *file, int line, char *name), (void)file, (void)line, (void)name)
ABI(int, RunningOnValgrind, (void))
{
	return 0;
}
ABI(double, ValgrindSlowdown, (void))
{
	return 10.0;
}
ABI(const char *, ThreadSanitizerQuery, (const char *question))
{
	return __builtin_strcmp(question, "pure_happens_before") == 0 ? "1" : "0";
}
