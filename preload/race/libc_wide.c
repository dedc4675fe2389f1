/* libc_wide.c: wide characters: as much of each string is told as the standard has the function look at. */
#include <stdlib.h>
#include <wchar.h>

#include "libc.h"

enum { WIDE = sizeof(wchar_t) };

/* Bytes of a string that are looked at when no more than `most` characters may be. */
static size_t looked_at(const wchar_t *s, size_t most)
{
	size_t length = wcsnlen(s, most);
	return (length < most ? length + 1 : most) * WIDE;
}

CALL(size_t, wcslen, (const wchar_t *s))
{
	size_t length = wcslen(s);
	READS(s, (length + 1) * WIDE);
	return length;
}

CALL(size_t, wcsnlen, (const wchar_t *s, size_t most))
{
	READS(s, looked_at(s, most));
	return wcsnlen(s, most);
}

CALL(wchar_t *, wcscpy, (wchar_t * to, const wchar_t *from))
{
	READS(from, (wcslen(from) + 1) * WIDE);
	WRITES(to, (wcslen(from) + 1) * WIDE);
	return wcscpy(to, from);
}

/* Filled up with zeros to the end. */
CALL(wchar_t *, wcsncpy, (wchar_t * to, const wchar_t *from, size_t most))
{
	READS(from, looked_at(from, most));
	WRITES(to, most * WIDE);
	return wcsncpy(to, from, most);
}

CALL(wchar_t *, wcscat, (wchar_t * to, const wchar_t *from))
{
	READS(to, (wcslen(to) + 1) * WIDE);
	READS(from, (wcslen(from) + 1) * WIDE);
	WRITES(to + wcslen(to), (wcslen(from) + 1) * WIDE);
	return wcscat(to, from);
}

#define COPIES(name)                                                                                         \
	CALL(wchar_t *, name, (wchar_t * to, const wchar_t *from, size_t count))                             \
	{                                                                                                    \
		READS(from, count *WIDE);                                                                    \
		WRITES(to, count *WIDE);                                                                     \
		return name(to, from, count);                                                                \
	}

COPIES(wmemcpy)
COPIES(wmemmove)

CALL(wchar_t *, wmemset, (wchar_t * to, wchar_t what, size_t count))
{
	WRITES(to, count * WIDE);
	return wmemset(to, what, count);
}

CALL(int, wmemcmp, (const wchar_t *a, const wchar_t *b, size_t count))
{
	READS(a, count * WIDE);
	READS(b, count * WIDE);
	return wmemcmp(a, b, count);
}

/* The result leaves the end out, which is written when there is room for it. */
static size_t converted(const void *to, size_t result, size_t room, size_t each, uintptr_t pc)
{
	if (result != (size_t)-1 && race_watched())
		race_libc_access(to, (result < room ? result + 1 : room) * each, 0, pc);
	return result;
}

CALL(size_t, mbstowcs, (wchar_t * to, const char *from, size_t room))
{
	return converted(to, mbstowcs(to, from, room), room, WIDE, PC);
}

CALL(size_t, wcstombs, (char *to, const wchar_t *from, size_t room))
{
	return converted(to, wcstombs(to, from, room), room, 1, PC);
}
