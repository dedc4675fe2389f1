/* libc_format.c: printf and its like: the strings that a format has them read, and the text that they write.
 *
 * The format is walked as the standard has it, in a copy of the arguments. Where it takes arguments by
 * number (%2$s) or is unknown, the walk ends: what follows is not told. */
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

struct walk {
	va_list args;
	uintptr_t pc;
};

/* A width or precision: digits, or an argument. -1: none of use. */
static int read_number(struct walk *walk, const char **at)
{
	int number = 0;
	if (**at == '*') {
		++*at;
		return va_arg(walk->args, int);
	}
	for (; **at >= '0' && **at <= '9'; ++*at)
		number = number < INT_MAX / 10 - 1 ? number * 10 + (**at - '0') : number;
	return number;
}

static void skip_integer(struct walk *walk, enum size size)
{
	switch (size) {
	case LONG:
		(void)va_arg(walk->args, long);
		break;
	case LONG_LONG:
	case LONG_DOUBLE: /* of glibc, with integers */
		(void)va_arg(walk->args, long long);
		break;
	case SIZE:
		(void)va_arg(walk->args, size_t);
		break;
	case MAX:
		(void)va_arg(walk->args, intmax_t);
		break;
	case PTRDIFF:
		(void)va_arg(walk->args, ptrdiff_t);
		break;
	default:
		(void)va_arg(walk->args, int);
	}
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

static void string(struct walk *walk, enum size size, int precision)
{
	const void *s = va_arg(walk->args, const void *);
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
	*at += strspn(*at, "-+ #0'I");
	read_number(walk, at);
	if (**at == '$')
		return false;
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
	switch (what) {
	case 'd':
	case 'i':
	case 'o':
	case 'u':
	case 'x':
	case 'X':
	case 'b':
	case 'B':
		skip_integer(walk, size);
		return true;
	case 'c':
	case 'C':
		(void)va_arg(walk->args, int);
		return true;
	case 'e':
	case 'E':
	case 'f':
	case 'F':
	case 'g':
	case 'G':
	case 'a':
	case 'A':
		if (size == LONG_DOUBLE || size == LONG_LONG)
			(void)va_arg(walk->args, long double);
		else
			(void)va_arg(walk->args, double);
		return true;
	case 's':
		string(walk, size, precision);
		return true;
	case 'S':
		string(walk, LONG, precision);
		return true;
	case 'p':
		(void)va_arg(walk->args, void *);
		return true;
	case 'n':
		race_libc_access(va_arg(walk->args, void *), bytes_counted(size), 0, walk->pc);
		return true;
	case 'm':
	case '%':
		return true;
	default:
		return false;
	}
}

static void read_arguments(const char *format, va_list args, uintptr_t pc)
{
	struct walk walk = {.pc = pc};
	race_libc_string(format, pc);
	va_copy(walk.args, args);
	for (const char *at = format; (at = strchr(at, '%'));) {
		at++;
		if (!conversion(&walk, &at))
			break;
	}
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
