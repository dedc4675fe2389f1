/* libc_stdio.c: the program's side of streams: what goes in and what comes out.
 *
 * A stream's descriptor is looked at only where the call may have reached the kernel: input that took more
 * than the buffer had, output that the buffer has no room for. */
#include <stdio.h>
#include <string.h>

#include "libc.h"
#include "libc_stdio.h"

extern size_t __fread_chk(void *to, size_t room, size_t bytes, size_t count, FILE *from);
extern char *__fgets_chk(char *to, size_t room, int bytes, FILE *from);
extern ssize_t __getdelim(char **to, size_t *room, int end, FILE *from);

void race_stream_before_output(FILE *to, size_t bytes)
{
	if (SHIM_LIKELY(!shim_race_on))
		return;
	const char *at = to->_IO_write_ptr, *end = to->_IO_write_end;
	if (!at || at >= end || (size_t)(end - at) <= bytes)
		shim_race_sent_now(to->_fileno);
}

static size_t buffered(const FILE *from)
{
	return from->_IO_read_ptr < from->_IO_read_end ? (size_t)(from->_IO_read_end - from->_IO_read_ptr)
	                                               : 0;
}

static void after_input(FILE *from, size_t had, size_t took)
{
	if (took > had || !took)
		shim_race_received(from->_fileno);
}

static size_t read_items(void *to, size_t bytes, size_t result, FILE *from, size_t had, uintptr_t pc)
{
	after_input(from, had, bytes * result);
	if (race_watched())
		race_libc_access(to, bytes * result, 0, pc);
	return result;
}

#define FREADS(name)                                                                                         \
	CALL(size_t, name, (void *to, size_t bytes, size_t count, FILE *from))                               \
	{                                                                                                    \
		size_t had = buffered(from);                                                                 \
		return read_items(to, bytes, name(to, bytes, count, from), from, had, PC);                   \
	}

FREADS(fread)
FREADS(fread_unlocked)

CALL(size_t, __fread_chk, (void *to, size_t room, size_t bytes, size_t count, FILE *from))
{
	size_t had = buffered(from);
	return read_items(to, bytes, __fread_chk(to, room, bytes, count, from), from, had, PC);
}

#define FWRITES(name)                                                                                        \
	CALL(size_t, name, (const void *from, size_t bytes, size_t count, FILE *to))                         \
	{                                                                                                    \
		READS(from, bytes *count);                                                                   \
		race_stream_before_output(to, bytes *count);                                                 \
		return name(from, bytes, count, to);                                                         \
	}

FWRITES(fwrite)
FWRITES(fwrite_unlocked)

static char *got_line(char *line, FILE *from, size_t had, uintptr_t pc)
{
	size_t length = line ? strlen(line) : 0;
	after_input(from, had, length);
	if (line && race_watched())
		race_libc_access(line, length + 1, 0, pc);
	return line;
}

CALL(char *, fgets, (char *to, int bytes, FILE *from))
{
	size_t had = buffered(from);
	return got_line(fgets(to, bytes, from), from, had, PC);
}

CALL(char *, __fgets_chk, (char *to, size_t room, int bytes, FILE *from))
{
	size_t had = buffered(from);
	return got_line(__fgets_chk(to, room, bytes, from), from, had, PC);
}

static ssize_t got_record(char *const *to, const size_t *room, ssize_t length, FILE *from, size_t had,
                          uintptr_t pc)
{
	after_input(from, had, length > 0 ? (size_t)length : 0);
	if (!race_watched())
		return length;
	/* The block may be another. */
	race_libc_access(to, sizeof *to, 0, pc);
	race_libc_access(room, sizeof *room, 0, pc);
	if (length > 0)
		race_libc_access(*to, (size_t)length + 1, 0, pc);
	return length;
}

CALL(ssize_t, getline, (char **to, size_t *room, FILE *from))
{
	size_t had = buffered(from);
	return got_record(to, room, getline(to, room, from), from, had, PC);
}

CALL(ssize_t, getdelim, (char **to, size_t *room, int end, FILE *from))
{
	size_t had = buffered(from);
	return got_record(to, room, getdelim(to, room, end, from), from, had, PC);
}

/* What getline is in a header of glibc, when it optimises. */
CALL(ssize_t, __getdelim, (char **to, size_t *room, int end, FILE *from))
{
	size_t had = buffered(from);
	return got_record(to, room, __getdelim(to, room, end, from), from, had, PC);
}

CALL(int, fputs, (const char *s, FILE *to))
{
	READS_STRING(s);
	race_stream_before_output(to, shim_race_on ? strlen(s) : 0);
	return fputs(s, to);
}

CALL(int, puts, (const char *s))
{
	READS_STRING(s);
	race_stream_before_output(stdout, shim_race_on ? strlen(s) + 1 : 0);
	return puts(s);
}

CALL(int, fputc, (int c, FILE *to))
{
	race_stream_before_output(to, 1);
	return fputc(c, to);
}

CALL(int, putc, (int c, FILE *to))
{
	race_stream_before_output(to, 1);
	return putc(c, to);
}

static int got_char(int c, FILE *from, size_t had)
{
	after_input(from, had, c == EOF ? 0 : 1);
	return c;
}

CALL(int, fgetc, (FILE * from))
{
	size_t had = buffered(from);
	return got_char(fgetc(from), from, had);
}

CALL(int, getc, (FILE * from))
{
	size_t had = buffered(from);
	return got_char(getc(from), from, had);
}

CALL(int, fflush, (FILE * to))
{
	if (to)
		shim_race_sent(to->_fileno);
	return fflush(to);
}

CALL(int, fclose, (FILE * stream))
{
	shim_race_sent(stream->_fileno);
	return fclose(stream);
}
