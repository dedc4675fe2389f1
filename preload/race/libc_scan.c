/* libc_scan.c: scanf and its like: what they have written, found behind the call by its format.
 *
 * All arguments are pointers, and as many conversions as the call says were made in the order of the format;
 * only these are looked at, so that an invalid format or one that did not match ends the walk where the call
 * ended. What was surely written is told: strings as long as they are now, %Nc as far as no end of the input
 * can have cut it, %n where nothing but conversions that were made and white space is before it. <stdio.h>
 * gives the plain names to those of C99, so it is not included. */
#include <ctype.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

#include <bits/types/struct_FILE.h>

#include "libc.h"

typedef struct _IO_FILE FILE;
extern FILE *stdin;

enum { ARGUMENTS_MAX = 4096 }; /* of libc (NL_ARGMAX) */

struct spec {
	uint32_t position; /* 0: the next one */
	size_t width;      /* 0: none */
	size_t bytes;      /* of a number, by the modifier for integers */
	bool skips, allocates, is_long, is_long_double;
	char what;
};

static size_t read_number(const char **at)
{
	size_t number = 0;
	for (; isdigit((unsigned char)**at); ++*at)
		number = number < INT32_MAX / 10 ? number * 10 + (size_t)(**at - '0') : INT32_MAX;
	return number;
}

static void read_size(const char **at, struct spec *spec)
{
	spec->bytes = sizeof(int);
	for (; **at && strchr("hlLqjzt", **at); ++*at)
		if (**at == 'h')
			spec->bytes /= 2;
		else {
			spec->bytes = sizeof(long);
			spec->is_long = spec->is_long || **at == 'l';
			spec->is_long_double = spec->is_long_double || **at == 'L' || **at == 'q';
		}
}

/* Behind the set of %[...]; the first bracket may be of the set. NULL: it has no end. */
static const char *skip_set(const char *at)
{
	at += *at == '^';
	at = strchr(at + (*at == ']'), ']');
	return at ? at + 1 : NULL;
}

/* One conversion, behind its '%'. False: libc does not take it either. gnu: %as allocates. */
static bool read_spec(const char **at, struct spec *spec, bool gnu)
{
	*spec = (struct spec){0};
	size_t number = read_number(at);
	if (number && **at == '$') {
		spec->position = (uint32_t)number;
		++*at;
		number = 0;
	}
	for (; **at && strchr("*'I", **at); ++*at)
		spec->skips = spec->skips || **at == '*';
	if (!number)
		number = read_number(at);
	spec->width = number;
	if (**at == 'm' || (gnu && **at == 'a' && (*at)[1] && strchr("sS[", (*at)[1]))) {
		spec->allocates = true;
		++*at;
	}
	read_size(at, spec);
	spec->what = **at;
	if (!spec->what)
		return false;
	++*at;
	if (spec->what == '[')
		*at = skip_set(*at);
	return *at && strchr("diouxXeEfFgGaAcCsS[pn%", spec->what);
}

struct scan {
	va_list args, all;
	uintptr_t pc;
	int made; /* conversions that are still to come, of those that were made */
};

static void *argument(struct scan *scan, const struct spec *spec)
{
	if (!spec->position)
		return va_arg(scan->args, void *);
	va_list list;
	void *found = NULL;
	if (spec->position > ARGUMENTS_MAX)
		return NULL;
	va_copy(list, scan->all);
	for (uint32_t i = 0; i < spec->position; i++)
		found = va_arg(list, void *);
	va_end(list);
	return found;
}

/* Characters of a %Nc: the last may have met the end of the input behind the first. */
static size_t characters(const struct scan *scan, const struct spec *spec)
{
	return spec->width > 1 && scan->made > 0 ? spec->width : 1;
}

static void wrote_text(const struct scan *scan, const struct spec *spec, const void *to)
{
	bool wide = spec->is_long || spec->what == 'C' || spec->what == 'S';
	size_t count;
	if (spec->what == 'c' || spec->what == 'C')
		count = characters(scan, spec);
	else
		count = (wide ? wcslen(to) : strlen(to)) + 1;
	race_libc_access(to, count * (wide ? sizeof(wchar_t) : 1), 0, scan->pc);
}

static void wrote_value(const struct scan *scan, const struct spec *spec, const void *to)
{
	size_t bytes = spec->bytes;
	if (strchr("eEfFgGaA", spec->what))
		bytes = spec->is_long_double ? sizeof(long double)
		        : spec->is_long      ? sizeof(double)
		                             : sizeof(float);
	else if (spec->what == 'p')
		bytes = sizeof(void *);
	race_libc_access(to, bytes, 0, scan->pc);
}

static void wrote(const struct scan *scan, const struct spec *spec, void *to)
{
	if (!to)
		return;
	if (!strchr("cCsS[", spec->what)) {
		wrote_value(scan, spec, to);
		return;
	}
	if (spec->allocates) {
		race_libc_access(to, sizeof(void *), 0, scan->pc);
		to = *(void **)to;
	}
	if (to)
		wrote_text(scan, spec, to);
}

static void walk(struct scan *scan, const char *at, bool gnu)
{
	/* Nothing that can have failed since a conversion that was made. */
	bool sure = true;
	while (*at && (scan->made > 0 || sure)) {
		if (*at != '%') {
			sure = sure && isspace((unsigned char)*at);
			at++;
			continue;
		}
		struct spec spec;
		at++;
		if (!read_spec(&at, &spec, gnu))
			return;
		if (spec.what == '%' || spec.skips) {
			sure = false;
			continue;
		}
		if (spec.what != 'n') {
			if (scan->made-- <= 0)
				return;
			sure = true;
		}
		void *to = argument(scan, &spec);
		if (spec.what != 'n' || sure || scan->made > 0)
			wrote(scan, &spec, to);
	}
}

static int scanned(int result, const char *format, va_list args, bool gnu, uintptr_t pc)
{
	if (!race_watched())
		return result;
	race_libc_string(format, pc);
	if (result <= 0)
		return result;
	struct scan scan = {.pc = pc, .made = result};
	va_copy(scan.args, args);
	va_copy(scan.all, args);
	walk(&scan, format, gnu);
	va_end(scan.args);
	va_end(scan.all);
	return result;
}

/* Whether the stream's buffer had it all is not asked: an order more never makes a finding. */
static int came(int result, const FILE *from)
{
	shim_race_received(from->_fileno);
	return result;
}

/* Both spellings: with a list of arguments, and with the arguments themselves. The list is used up by the
 * call. */
#define V(...) __VA_ARGS__
#define SCANS(name, vname, gnu, params, before, call)                                                        \
	extern int name(params, ...);                                                                        \
	extern int vname(params, va_list args);                                                              \
	CALL(int, vname, (params, va_list args))                                                             \
	{                                                                                                    \
		va_list again;                                                                               \
		before;                                                                                      \
		va_copy(again, args);                                                                        \
		int result = scanned(call, format, again, gnu, PC);                                          \
		va_end(again);                                                                               \
		return result;                                                                               \
	}                                                                                                    \
	CALL(int, name, (params, ...))                                                                       \
	{                                                                                                    \
		va_list args, again;                                                                         \
		before;                                                                                      \
		va_start(args, format);                                                                      \
		va_copy(again, args);                                                                        \
		int result = scanned(call, format, again, gnu, PC);                                          \
		va_end(again);                                                                               \
		va_end(args);                                                                                \
		return result;                                                                               \
	}

#define TEXT V(const char *text, const char *format)
#define STREAM V(FILE *from, const char *format)
SCANS(sscanf, vsscanf, true, TEXT, READS_STRING(text), vsscanf(text, format, args))
SCANS(__isoc99_sscanf, __isoc99_vsscanf, false, TEXT, READS_STRING(text),
      __isoc99_vsscanf(text, format, args))
SCANS(fscanf, vfscanf, true, STREAM, (void)0, came(vfscanf(from, format, args), from))
SCANS(__isoc99_fscanf, __isoc99_vfscanf, false, STREAM, (void)0,
      came(__isoc99_vfscanf(from, format, args), from))
SCANS(scanf, vscanf, true, const char *format, (void)0, came(vscanf(format, args), stdin))
SCANS(__isoc99_scanf, __isoc99_vscanf, false, const char *format, (void)0,
      came(__isoc99_vscanf(format, args), stdin))
