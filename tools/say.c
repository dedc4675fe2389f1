/* One writer for all of the command's own lines, so that each is one line whatever is in it. */
#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "progress.h"
#include "safe.h"

static const char *said_name = "detect";

void say_set_name(const char *name)
{
	said_name = name;
}

const char *say_name(void)
{
	return said_name;
}

static void say_v(const char *format, va_list arguments)
{
	char *text = must_vprintf(format, arguments);

	progress_erase();
	fprintf(stderr, "%s: ", said_name);
	safe_print(stderr, text);
	fputc('\n', stderr);
	free(text);
}

void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say_v(format, arguments);
	va_end(arguments);
}

void say_usage(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say_v(format, arguments);
	va_end(arguments);
	exit(STATUS_USAGE);
}

void say_out_of_memory(void)
{
	fprintf(stderr, "%s: out of memory\n", said_name);
	exit(STATUS_USAGE);
}
