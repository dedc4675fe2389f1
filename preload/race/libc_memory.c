/* libc_memory.c: copies, fills, comparisons and searches of given length, and their fortified names. */
#include <string.h>
#include <strings.h>

#include "libc.h"

extern void *__memcpy_chk(void *to, const void *from, size_t bytes, size_t room);
extern void *__memmove_chk(void *to, const void *from, size_t bytes, size_t room);
extern void *__mempcpy_chk(void *to, const void *from, size_t bytes, size_t room);
extern void *__memset_chk(void *to, int value, size_t bytes, size_t room);
extern void __explicit_bzero_chk(void *to, size_t bytes, size_t room);

#define COPIES(name)                                                                                         \
	CALL(void *, name, (void *to, const void *from, size_t bytes))                                       \
	{                                                                                                    \
		READS(from, bytes);                                                                          \
		WRITES(to, bytes);                                                                           \
		return name(to, from, bytes);                                                                \
	}                                                                                                    \
	CALL(void *, __##name##_chk, (void *to, const void *from, size_t bytes, size_t room))                \
	{                                                                                                    \
		READS(from, bytes);                                                                          \
		WRITES(to, bytes);                                                                           \
		return __##name##_chk(to, from, bytes, room);                                                \
	}

COPIES(memcpy)
COPIES(memmove)
COPIES(mempcpy)

CALL(void *, memset, (void *to, int value, size_t bytes))
{
	WRITES(to, bytes);
	return memset(to, value, bytes);
}

CALL(void *, __memset_chk, (void *to, int value, size_t bytes, size_t room))
{
	WRITES(to, bytes);
	return __memset_chk(to, value, bytes, room);
}

CALL(void, bcopy, (const void *from, void *to, size_t bytes))
{
	READS(from, bytes);
	WRITES(to, bytes);
	memmove(to, from, bytes);
}

CALL(void, bzero, (void *to, size_t bytes))
{
	WRITES(to, bytes);
	memset(to, 0, bytes);
}

CALL(void, explicit_bzero, (void *to, size_t bytes))
{
	WRITES(to, bytes);
	explicit_bzero(to, bytes);
}

CALL(void, __explicit_bzero_chk, (void *to, size_t bytes, size_t room))
{
	WRITES(to, bytes);
	__explicit_bzero_chk(to, bytes, room);
}

CALL(void *, memccpy, (void *to, const void *from, int stop, size_t bytes))
{
	const char *end = memccpy(to, from, stop, bytes);
	size_t copied = end ? (size_t)(end - (const char *)to) : bytes;
	READS(from, copied);
	WRITES(to, copied);
	return (void *)(uintptr_t)end;
}

/* The standard has all bytes compared, and libc may look at any of them. */
CALL(int, memcmp, (const void *a, const void *b, size_t bytes))
{
	READS(a, bytes);
	READS(b, bytes);
	return memcmp(a, b, bytes);
}

CALL(int, bcmp, (const void *a, const void *b, size_t bytes))
{
	READS(a, bytes);
	READS(b, bytes);
	return bcmp(a, b, bytes);
}

/* As if byte after byte, up to the one that is looked for. */
CALL(void *, memchr, (const void *in, int what, size_t bytes))
{
	const char *at = memchr(in, what, bytes);
	READS(in, at ? (size_t)(at - (const char *)in) + 1 : bytes);
	return (void *)(uintptr_t)at;
}

CALL(void *, rawmemchr, (const void *in, int what))
{
	const char *at = rawmemchr(in, what);
	READS(in, (size_t)(at - (const char *)in) + 1);
	return (void *)(uintptr_t)at;
}

CALL(void *, memrchr, (const void *in, int what, size_t bytes))
{
	const char *at = memrchr(in, what, bytes);
	READS(at ? at : in, at ? (size_t)((const char *)in + bytes - at) : bytes);
	return (void *)(uintptr_t)at;
}

CALL(void *, memmem, (const void *in, size_t bytes, const void *what, size_t what_bytes))
{
	const char *at = memmem(in, bytes, what, what_bytes);
	READS(what, what_bytes);
	READS(in, at ? (size_t)(at - (const char *)in) + what_bytes : bytes);
	return (void *)(uintptr_t)at;
}
