/* libc_format.c: printf and its like: the strings that a format has them read, and the text that they write.
 *
 * The format is walked as the standard has it, in a copy of the arguments: twice where it takes them by number
 * (%2$s), for the types and for the values. Where it is unknown the walk ends: what follows is not told. */
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "libc.h"
#include "libc_stdio.h"

extern int __printf_chk(int flag, const char *format, ...);
extern int __fprintf_chk(FILE *to, int flag, const char *format, ...);
extern int __dprintf_chk(int fd, int flag, const char *format, ...);
extern int __sprintf_chk(char *to, int flag, size_t room, const char *format, ...);
extern int __snprintf_chk(char *to, size_t most, int flag, size_t room, const char *format, ...);
extern int __asprintf_chk(char **to, int flag, const char *format, ...);
extern int __vprintf_chk(int flag, const char *format, va_list args);
extern int __vfprintf_chk(FILE *to, int flag, const char *format, va_list args);
extern int __vdprintf_chk(int fd, int flag, const char *format, va_list args);
extern int __vsnprintf_chk(char *to, size_t most, int flag, size_t room, const char *format, va_list args);
extern int __vsprintf_chk(char *to, int flag, size_t room, const char *format, va_list args);
extern int __vasprintf_chk(char **to, int flag, const char *format, va_list args);

enum size { INT, LONG, LONG_LONG, LONG_DOUBLE, SIZE, MAX, PTRDIFF, SHORT, CHAR };

static enum size read_size(const char **at)
{
	static const struct {
		char text[3];
		uint8_t size;
	} sizes[] = {{"ll", LONG_LONG}, {"l", LONG}, {"hh", CHAR}, {"h", SHORT}, {"L", LONG_DOUBLE},
	             {"q", LONG_LONG},  {"z", SIZE}, {"Z", SIZE},  {"j", MAX},   {"t", PTRDIFF}};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		if (strncmp(*at, sizes[i].text, strlen(sizes[i].text)) == 0) {
			*at += strlen(sizes[i].text);
			return sizes[i].size;
		}
	return INT;
}

/* How an argument is passed: what takes eight bytes in a register is one. */
enum type { AS_INT, AS_WORD, AS_DOUBLE, AS_LONG_DOUBLE };

enum { NUMBERED_MAX = 64 }; /* arguments of a format that takes them by number */

struct walk {
	va_list args;
	uintptr_t pc;
	enum { IN_ORDER, FINDING_TYPES, BY_NUMBER } way;
	bool took_one, is_numbered, is_lost;
	uint32_t count;              /* of numbered arguments */
	uint8_t types[NUMBERED_MAX]; /* what none takes is an int, as in libc */
	intptr_t values[NUMBERED_MAX];
};

static intptr_t next(struct walk *walk, enum type type)
{
	switch (type) {
	case AS_INT:
		return va_arg(walk->args, int);
	case AS_WORD:
		return va_arg(walk->args, intptr_t);
	case AS_DOUBLE:
		(void)va_arg(walk->args, double);
		return 0;
	case AS_LONG_DOUBLE:
		(void)va_arg(walk->args, long double);
		return 0;
	}
	return 0;
}

/* position: from 1 on; 0: the next one. 0 while only the types are looked for. */
static intptr_t argument(struct walk *walk, uint32_t position, enum type type)
{
	walk->took_one = true;
	if (walk->way == IN_ORDER)
		return next(walk, type);
	if (position - 1 >= NUMBERED_MAX) {
		walk->is_lost = true;
		return 0;
	}
	if (walk->way == BY_NUMBER)
		return walk->values[position - 1];
	walk->types[position - 1] = (uint8_t)type;
	walk->count = position > walk->count ? position : walk->count;
	return 0;
}

static int read_digits(const char **at)
{
	int number = 0;
	for (; **at >= '0' && **at <= '9'; ++*at)
		number = number < INT_MAX / 10 - 1 ? number * 10 + (**at - '0') : number;
	return number;
}

/* Of an argument: N$, or 0 where there is none. */
static uint32_t read_position(const char **at)
{
	const char *end = *at;
	int number = read_digits(&end);
	if (!number || *end != '$')
		return 0;
	*at = end + 1;
	return (uint32_t)number;
}

/* A width or precision: digits, or an argument. */
static int read_number(struct walk *walk, const char **at)
{
	if (**at != '*')
		return read_digits(at);
	++*at;
	uint32_t position = read_position(at);
	return (int)argument(walk, position, AS_INT);
}

static bool is_word(enum size size)
{
	/* L: of glibc, with integers. */
	return size == LONG || size == LONG_LONG || size == LONG_DOUBLE || size == SIZE || size == MAX || size == PTRDIFF;
}

static size_t bytes_counted(enum size size)
{
	switch (size) {
	case INT:
		return sizeof(int);
	case SHORT:
		return sizeof(short);
	case CHAR:
		return sizeof(char);
	default:
		return sizeof(long);
	}
}

static void string(const struct walk *walk, const void *s, enum size size, int precision)
{
	size_t most = precision < 0 ? SIZE_MAX : (size_t)precision, length;
	if (!s)
		return;
	if (size == LONG) {
		/* A precision is of bytes written, which are no fewer than the characters. */
		length = precision < 0 ? wcslen(s) + 1 : 0;
		race_libc_access(s, length * sizeof(wchar_t), RACE_READ, walk->pc);
		return;
	}
	length = strnlen(s, most);
	race_libc_access(s, length + (length < most), RACE_READ, walk->pc);
}

/* One conversion, behind its '%'. False: the rest can't be followed. */
static bool conversion(struct walk *walk, const char **at)
{
	uint32_t position = read_position(at);
	if (position && walk->way == IN_ORDER) {
		walk->is_numbered = true;
		return false;
	}
	*at += strspn(*at, "-+ #0'I");
	read_number(walk, at);
	int precision = -1;
	if (**at == '.') {
		++*at;
		precision = **at == '-' ? -1 : read_number(walk, at);
	}
	enum size size = read_size(at);
	char what = **at;
	if (!what)
		return false;
	++*at;
	if (strchr("diouxXbB", what))
		argument(walk, position, is_word(size) ? AS_WORD : AS_INT);
	else if (strchr("cC", what))
		argument(walk, position, AS_INT);
	else if (strchr("eEfFgGaA", what))
		argument(walk, position, size == LONG_DOUBLE || size == LONG_LONG ? AS_LONG_DOUBLE : AS_DOUBLE);
	else if (strchr("sS", what))
		string(walk, (const void *)argument(walk, position, AS_WORD), what == 'S' ? LONG : size, precision);
	else if (what == 'p')
		argument(walk, position, AS_WORD);
	else if (what == 'n')
		race_libc_access((void *)argument(walk, position, AS_WORD), bytes_counted(size), 0, walk->pc);
	else
		return strchr("m%", what);
	return !walk->is_lost;
}

/* False: not to the end. */
static bool walk_format(struct walk *walk, const char *format)
{
	for (const char *at = format; (at = strchr(at, '%'));) {
		at++;
		if (!conversion(walk, &at))
			return false;
	}
	return true;
}

/* All arguments are of the format's, so their types come first. */
static void walk_by_number(struct walk *walk, const char *format)
{
	walk->way = FINDING_TYPES;
	if (!walk_format(walk, format))
		return;
	for (uint32_t i = 0; i < walk->count; i++)
		walk->values[i] = next(walk, (enum type)walk->types[i]);
	walk->way = BY_NUMBER;
	walk_format(walk, format);
}

static void read_arguments(const char *format, va_list args, uintptr_t pc)
{
	struct walk walk = {.pc = pc, .way = IN_ORDER};
	race_libc_string(format, pc);
	va_copy(walk.args, args);
	if (!walk_format(&walk, format) && walk.is_numbered && !walk.took_one)
		walk_by_number(&walk, format);
	va_end(walk.args);
}

#define READS_ARGUMENTS() (race_watched() ? read_arguments(format, args, PC) : (void)0)

/* Whatever it writes goes the stream's own way; how much it is only the call itself knows. */
static void to_stream(FILE *to)
{
	race_stream_before_output(to, SIZE_MAX);
}

static void to_descriptor(int fd)
{
	shim_race_sent(fd);
}

static int wrote(int length, char *to, size_t room, uintptr_t pc)
{
	if (length < 0 || !room || !race_watched())
		return length;
	race_libc_access(to, (size_t)length < room ? (size_t)length + 1 : room, 0, pc);
	return length;
}

static int made(int length, char *const *to, uintptr_t pc)
{
	if (race_watched()) {
		race_libc_access(to, sizeof *to, 0, pc);
		if (length >= 0)
			race_libc_access(*to, (size_t)length + 1, 0, pc);
	}
	return length;
}

/* Both spellings: with a list of arguments, and with the arguments themselves. */
#define V(...) __VA_ARGS__
#define PRINTS(name, vname, last, params, before, call)                                                      \
	CALL(int, vname, (params, va_list args))                                                             \
	{                                                                                                    \
		READS_ARGUMENTS();                                                                           \
		before;                                                                                      \
		return call;                                                                                 \
	}                                                                                                    \
	CALL(int, name, (params, ...))                                                                       \
	{                                                                                                    \
		va_list args;                                                                                \
		va_start(args, last);                                                                        \
		READS_ARGUMENTS();                                                                           \
		before;                                                                                      \
		int length = call;                                                                           \
		va_end(args);                                                                                \
		return length;                                                                               \
	}

PRINTS(printf, vprintf, format, V(const char *format), to_stream(stdout), vprintf(format, args))
PRINTS(__printf_chk, __vprintf_chk, format, V(int flag, const char *format), to_stream(stdout),
       __vprintf_chk(flag, format, args))
PRINTS(fprintf, vfprintf, format, V(FILE *to, const char *format), to_stream(to), vfprintf(to, format, args))
PRINTS(__fprintf_chk, __vfprintf_chk, format, V(FILE *to, int flag, const char *format), to_stream(to),
       __vfprintf_chk(to, flag, format, args))
PRINTS(dprintf, vdprintf, format, V(int fd, const char *format), to_descriptor(fd),
       vdprintf(fd, format, args))
PRINTS(__dprintf_chk, __vdprintf_chk, format, V(int fd, int flag, const char *format), to_descriptor(fd),
       __vdprintf_chk(fd, flag, format, args))
PRINTS(sprintf, vsprintf, format, V(char *to, const char *format), (void)0,
       wrote(vsprintf(to, format, args), to, SIZE_MAX, PC))
PRINTS(__sprintf_chk, __vsprintf_chk, format, V(char *to, int flag, size_t room, const char *format), (void)0,
       wrote(__vsprintf_chk(to, flag, room, format, args), to, SIZE_MAX, PC))
PRINTS(snprintf, vsnprintf, format, V(char *to, size_t most, const char *format), (void)0,
       wrote(vsnprintf(to, most, format, args), to, most, PC))
PRINTS(__snprintf_chk, __vsnprintf_chk, format,
       V(char *to, size_t most, int flag, size_t room, const char *format), (void)0,
       wrote(__vsnprintf_chk(to, most, flag, room, format, args), to, most, PC))
PRINTS(asprintf, vasprintf, format, V(char **to, const char *format), (void)0,
       made(vasprintf(to, format, args), to, PC))
PRINTS(__asprintf_chk, __vasprintf_chk, format, V(char **to, int flag, const char *format), (void)0,
       made(__vasprintf_chk(to, flag, format, args), to, PC))
