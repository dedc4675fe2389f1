/* libc_time.c: times, and the places that they are written to: also those of libc that localtime and its like
 * give out, which two threads may not use at a time. */
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "libc.h"

CALL(time_t, time, (time_t * to))
{
	time_t now = time(to);
	WRITES(to, sizeof *to);
	return now;
}

CALL(int, gettimeofday, (struct timeval *restrict to, void *restrict zone))
{
	int result = gettimeofday(to, zone);
	if (result == 0)
		WRITES(to, sizeof *to);
	return result;
}

#define CLOCKS(name)                                                                                         \
	CALL(int, name, (clockid_t clock, struct timespec * to))                                             \
	{                                                                                                    \
		int result = name(clock, to);                                                                \
		if (result == 0)                                                                             \
			WRITES(to, sizeof *to);                                                              \
		return result;                                                                               \
	}

CLOCKS(clock_gettime)
CLOCKS(clock_getres)

CALL(int, timespec_get, (struct timespec * to, int base))
{
	int result = timespec_get(to, base);
	if (result)
		WRITES(to, sizeof *to);
	return result;
}

CALL(int, nanosleep, (const struct timespec *wanted, struct timespec *rest))
{
	READS(wanted, sizeof *wanted);
	int result = nanosleep(wanted, rest);
	if (result != 0)
		WRITES(rest, sizeof *rest);
	return result;
}

CALL(int, clock_nanosleep, (clockid_t clock, int flags, const struct timespec *wanted, struct timespec *rest))
{
	READS(wanted, sizeof *wanted);
	int result = clock_nanosleep(clock, flags, wanted, rest);
	if (result != 0 && !(flags & TIMER_ABSTIME))
		WRITES(rest, sizeof *rest);
	return result;
}

#define BROKEN_DOWN(name)                                                                                    \
	CALL(struct tm *, name, (const time_t *from))                                                        \
	{                                                                                                    \
		READS(from, sizeof *from);                                                                   \
		struct tm *result = name(from);                                                              \
		WRITES(result, sizeof *result);                                                              \
		return result;                                                                               \
	}                                                                                                    \
	CALL(struct tm *, name##_r, (const time_t *from, struct tm *to))                                     \
	{                                                                                                    \
		READS(from, sizeof *from);                                                                   \
		struct tm *result = name##_r(from, to);                                                      \
		WRITES(result, sizeof *result);                                                              \
		return result;                                                                               \
	}

BROKEN_DOWN(localtime)
BROKEN_DOWN(gmtime)

#define TEXTS(name, type)                                                                                    \
	CALL(char *, name, (const type *from))                                                               \
	{                                                                                                    \
		READS(from, sizeof *from);                                                                   \
		char *text = name(from);                                                                     \
		WRITES(text, text ? strlen(text) + 1 : 0);                                                   \
		return text;                                                                                 \
	}                                                                                                    \
	CALL(char *, name##_r, (const type *from, char *to))                                                 \
	{                                                                                                    \
		READS(from, sizeof *from);                                                                   \
		char *text = name##_r(from, to);                                                             \
		WRITES(text, text ? strlen(text) + 1 : 0);                                                   \
		return text;                                                                                 \
	}

TEXTS(ctime, time_t)
TEXTS(asctime, struct tm)

/* The fields are brought into their ranges. */
CALL(time_t, mktime, (struct tm * from))
{
	time_t result = mktime(from);
	WRITES(from, sizeof *from);
	return result;
}

CALL(time_t, timegm, (struct tm * from))
{
	time_t result = timegm(from);
	WRITES(from, sizeof *from);
	return result;
}

CALL(size_t, strftime, (char *to, size_t room, const char *format, const struct tm *from))
{
	READS_STRING(format);
	READS(from, sizeof *from);
	size_t length = strftime(to, room, format, from);
	WRITES(to, length ? length + 1 : 0);
	return length;
}
