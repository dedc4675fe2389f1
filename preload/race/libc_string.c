/* libc_string.c: strings: as much of each is told as the standard has the function look at. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "libc.h"

extern char *__strcpy_chk(char *to, const char *from, size_t room);
extern char *__stpcpy_chk(char *to, const char *from, size_t room);
extern char *__strcat_chk(char *to, const char *from, size_t room);
extern char *__strncpy_chk(char *to, const char *from, size_t most, size_t room);
extern char *__stpncpy_chk(char *to, const char *from, size_t most, size_t room);
extern char *__strncat_chk(char *to, const char *from, size_t most, size_t room);

CALL(size_t, strlen, (const char *s))
{
	size_t length = strlen(s);
	READS(s, length + 1);
	return length;
}

/* Bytes of a string that are looked at when no more than `most` may be. */
static size_t looked_at(const char *s, size_t most)
{
	size_t length = strnlen(s, most);
	return length < most ? length + 1 : most;
}

CALL(size_t, strnlen, (const char *s, size_t most))
{
	READS(s, looked_at(s, most));
	return strnlen(s, most);
}

static void copied(char *to, const char *from, uintptr_t pc)
{
	size_t bytes = strlen(from) + 1;
	race_libc_access(from, bytes, RACE_READ, pc);
	race_libc_access(to, bytes, 0, pc);
}

static void appended(char *to, const char *from, size_t most, uintptr_t pc)
{
	size_t length = strlen(to);
	race_libc_string(to, pc);
	race_libc_access(from, looked_at(from, most), RACE_READ, pc);
	race_libc_access(to + length, strnlen(from, most) + 1, 0, pc);
}

#define COPIES(name)                                                                                         \
	CALL(char *, name, (char *to, const char *from))                                                     \
	{                                                                                                    \
		if (race_watched())                                                                          \
			copied(to, from, PC);                                                                \
		return name(to, from);                                                                       \
	}                                                                                                    \
	CALL(char *, __##name##_chk, (char *to, const char *from, size_t room))                              \
	{                                                                                                    \
		if (race_watched())                                                                          \
			copied(to, from, PC);                                                                \
		return __##name##_chk(to, from, room);                                                       \
	}

COPIES(strcpy)
COPIES(stpcpy)

/* Filled up with zeros to the end. */
#define COPIES_MOST(name)                                                                                    \
	CALL(char *, name, (char *to, const char *from, size_t most))                                        \
	{                                                                                                    \
		READS(from, looked_at(from, most));                                                          \
		WRITES(to, most);                                                                            \
		return name(to, from, most);                                                                 \
	}                                                                                                    \
	CALL(char *, __##name##_chk, (char *to, const char *from, size_t most, size_t room))                 \
	{                                                                                                    \
		READS(from, looked_at(from, most));                                                          \
		WRITES(to, most);                                                                            \
		return __##name##_chk(to, from, most, room);                                                 \
	}

COPIES_MOST(strncpy)
COPIES_MOST(stpncpy)

CALL(char *, strcat, (char *to, const char *from))
{
	if (race_watched())
		appended(to, from, SIZE_MAX, PC);
	return strcat(to, from);
}

CALL(char *, __strcat_chk, (char *to, const char *from, size_t room))
{
	if (race_watched())
		appended(to, from, SIZE_MAX, PC);
	return __strcat_chk(to, from, room);
}

CALL(char *, strncat, (char *to, const char *from, size_t most))
{
	if (race_watched())
		appended(to, from, most, PC);
	return strncat(to, from, most);
}

CALL(char *, __strncat_chk, (char *to, const char *from, size_t most, size_t room))
{
	if (race_watched())
		appended(to, from, most, PC);
	return __strncat_chk(to, from, most, room);
}

static int as_it_is(int c)
{
	return c;
}

/* Up to the first that differs, or the end. */
static void compared(const char *a, const char *b, size_t most, int (*fold)(int), uintptr_t pc)
{
	size_t bytes = 0;
	while (bytes < most) {
		unsigned char x = (unsigned char)a[bytes], y = (unsigned char)b[bytes];
		bytes++;
		if (!x || !y || fold(x) != fold(y))
			break;
	}
	race_libc_access(a, bytes, RACE_READ, pc);
	race_libc_access(b, bytes, RACE_READ, pc);
}

#define COMPARES(name, fold)                                                                                 \
	CALL(int, name, (const char *a, const char *b))                                                      \
	{                                                                                                    \
		if (race_watched())                                                                          \
			compared(a, b, SIZE_MAX, fold, PC);                                                  \
		return name(a, b);                                                                           \
	}

#define COMPARES_MOST(name, fold)                                                                            \
	CALL(int, name, (const char *a, const char *b, size_t most))                                         \
	{                                                                                                    \
		if (race_watched())                                                                          \
			compared(a, b, most, fold, PC);                                                      \
		return name(a, b, most);                                                                     \
	}

COMPARES(strcmp, as_it_is)
COMPARES(strcasecmp, tolower)
COMPARES_MOST(strncmp, as_it_is)
COMPARES_MOST(strncasecmp, tolower)

CALL(int, strcoll, (const char *a, const char *b))
{
	READS_STRING(a);
	READS_STRING(b);
	return strcoll(a, b);
}

CALL(char *, strchr, (const char *s, int what))
{
	char *at = strchr(s, what);
	READS(s, at ? (size_t)(at - s) + 1 : strlen(s) + 1);
	return at;
}

CALL(char *, strchrnul, (const char *s, int what))
{
	char *at = strchrnul(s, what);
	READS(s, (size_t)(at - s) + 1);
	return at;
}

CALL(char *, strrchr, (const char *s, int what))
{
	READS_STRING(s);
	return strrchr(s, what);
}

#define FINDS(name)                                                                                          \
	CALL(char *, name, (const char *s, const char *what))                                                \
	{                                                                                                    \
		char *at = name(s, what);                                                                    \
		READS_STRING(what);                                                                          \
		READS(s, at ? (size_t)(at - s) + strlen(what) : strlen(s) + 1);                              \
		return at;                                                                                   \
	}

FINDS(strstr)
FINDS(strcasestr)

CALL(char *, strpbrk, (const char *s, const char *set))
{
	char *at = strpbrk(s, set);
	READS_STRING(set);
	READS(s, (at ? (size_t)(at - s) : strlen(s)) + 1);
	return at;
}

#define SPANS(name)                                                                                          \
	CALL(size_t, name, (const char *s, const char *set))                                                 \
	{                                                                                                    \
		size_t length = name(s, set);                                                                \
		READS_STRING(set);                                                                           \
		READS(s, length + 1);                                                                        \
		return length;                                                                               \
	}

SPANS(strspn)
SPANS(strcspn)

/* What was passed over from `start` to the end of the token, which is ended by a zero that may be new. */
static void took_token(char *start, const char *token, const char *next, uintptr_t pc)
{
	const char *end = token ? token + strlen(token) : next;
	if (!start || !end)
		return;
	race_libc_access(start, (size_t)(end - start) + 1, RACE_READ, pc);
	if (next && next > end)
		race_libc_access(end, 1, 0, pc);
}

CALL(char *, strtok_r, (char *s, const char *set, char **save))
{
	char *start = s ? s : *save;
	READS_STRING(set);
	if (!s)
		READS(save, sizeof *save);
	char *token = strtok_r(s, set, save);
	WRITES(save, sizeof *save);
	if (race_watched())
		took_token(start, token, *save, PC);
	return token;
}

/* The string that strtok is at: where it goes on there libc keeps for itself. A token that ends before the
 * string does was ended by a zero that is written now. */
static uintptr_t cut_start, cut_end;

static void cut_begins(const char *s)
{
	__atomic_store_n(&cut_start, (uintptr_t)s, __ATOMIC_RELAXED);
	__atomic_store_n(&cut_end, (uintptr_t)s + strlen(s), __ATOMIC_RELAXED);
}

static void cut(const char *s, char *token, uintptr_t pc)
{
	uintptr_t end = (uintptr_t)token + strlen(token);
	const char *from = s ? s : token;
	race_libc_access(from, end - (uintptr_t)from + 1, RACE_READ, pc);
	if ((uintptr_t)token >= __atomic_load_n(&cut_start, __ATOMIC_RELAXED) &&
	    end < __atomic_load_n(&cut_end, __ATOMIC_RELAXED))
		race_libc_access((void *)end, 1, 0, pc);
}

CALL(char *, strtok, (char *s, const char *set))
{
	READS_STRING(set);
	if (s && race_watched())
		cut_begins(s);
	char *token = strtok(s, set);
	if (token && race_watched())
		cut(s, token, PC);
	else if (s)
		READS_STRING(s);
	return token;
}

CALL(char *, strsep, (char **s, const char *set))
{
	char *start = *s;
	READS_STRING(set);
	READS(s, sizeof *s);
	char *token = strsep(s, set);
	if (token)
		WRITES(s, sizeof *s);
	if (token && race_watched())
		took_token(start, token, *s, PC);
	return token;
}

static char *made(char *copy, const char *from, size_t most, uintptr_t pc)
{
	if (race_watched()) {
		race_libc_access(from, looked_at(from, most), RACE_READ, pc);
		if (copy)
			race_libc_access(copy, strlen(copy) + 1, 0, pc);
	}
	return copy;
}

CALL(char *, strdup, (const char *s))
{
	return made(strdup(s), s, SIZE_MAX, PC);
}

CALL(char *, strndup, (const char *s, size_t most))
{
	return made(strndup(s, most), s, most, PC);
}

/* Numbers: up to the first byte that is none of it. */
#define NUMBERS(ret, name, radix_param, radix)                                                               \
	CALL(ret, name, (const char *s, char **end radix_param))                                             \
	{                                                                                                    \
		char *stop;                                                                                  \
		ret value = name(s, &stop radix);                                                            \
		READS(s, (size_t)(stop - s) + 1);                                                            \
		if (end) {                                                                                   \
			*end = stop;                                                                         \
			WRITES(end, sizeof *end);                                                            \
		}                                                                                            \
		return value;                                                                                \
	}
#define COMMA ,

NUMBERS(long, strtol, COMMA int base, COMMA base)
NUMBERS(unsigned long, strtoul, COMMA int base, COMMA base)
NUMBERS(long long, strtoll, COMMA int base, COMMA base)
NUMBERS(unsigned long long, strtoull, COMMA int base, COMMA base)
NUMBERS(double, strtod, , )
NUMBERS(float, strtof, , )

/* As the standard has them: strtol and its like. */
#define CONVERTS(ret, name, as)                                                                              \
	CALL(ret, name, (const char *s))                                                                     \
	{                                                                                                    \
		char *stop;                                                                                  \
		ret value = (ret)as;                                                                         \
		READS(s, (size_t)(stop - s) + 1);                                                            \
		return value;                                                                                \
	}

CONVERTS(int, atoi, strtol(s, &stop, 10))
CONVERTS(long, atol, strtol(s, &stop, 10))
CONVERTS(long long, atoll, strtoll(s, &stop, 10))
CONVERTS(double, atof, strtod(s, &stop))
