/* libc_system.c: what the system is asked for: files' attributes, paths, names. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "libc.h"

extern char *__getcwd_chk(char *to, size_t bytes, size_t room);
extern char *__realpath_chk(const char *path, char *to, size_t room);
extern int __gethostname_chk(char *to, size_t bytes, size_t room);
extern ssize_t __readlink_chk(const char *path, char *to, size_t bytes, size_t room);
extern ssize_t __readlinkat_chk(int fd, const char *path, char *to, size_t bytes, size_t room);

#define STATS(name, type)                                                                                    \
	CALL(int, name, (const char *path, struct type *to))                                                 \
	{                                                                                                    \
		READS_STRING(path);                                                                          \
		int result = name(path, to);                                                                 \
		if (result == 0)                                                                             \
			WRITES(to, sizeof *to);                                                              \
		return result;                                                                               \
	}
#define STATS_OPEN(name, type)                                                                               \
	CALL(int, name, (int fd, struct type *to))                                                           \
	{                                                                                                    \
		int result = name(fd, to);                                                                   \
		if (result == 0)                                                                             \
			WRITES(to, sizeof *to);                                                              \
		return result;                                                                               \
	}
#define STATS_AT(name, type)                                                                                 \
	CALL(int, name, (int fd, const char *path, struct type *to, int flags))                              \
	{                                                                                                    \
		READS_STRING(path);                                                                          \
		int result = name(fd, path, to, flags);                                                      \
		if (result == 0)                                                                             \
			WRITES(to, sizeof *to);                                                              \
		return result;                                                                               \
	}

STATS(stat, stat)
STATS(stat64, stat64)
STATS(lstat, stat)
STATS(lstat64, stat64)
STATS_OPEN(fstat, stat)
STATS_OPEN(fstat64, stat64)
STATS_AT(fstatat, stat)
STATS_AT(fstatat64, stat64)

static char *given(char *text, uintptr_t pc)
{
	if (text && race_watched())
		race_libc_access(text, strlen(text) + 1, 0, pc);
	return text;
}

CALL(char *, getcwd, (char *to, size_t bytes))
{
	return given(getcwd(to, bytes), PC);
}

CALL(char *, __getcwd_chk, (char *to, size_t bytes, size_t room))
{
	return given(__getcwd_chk(to, bytes, room), PC);
}

CALL(char *, realpath, (const char *path, char *to))
{
	READS_STRING(path);
	return given(realpath(path, to), PC);
}

CALL(char *, __realpath_chk, (const char *path, char *to, size_t room))
{
	READS_STRING(path);
	return given(__realpath_chk(path, to, room), PC);
}

CALL(int, gethostname, (char *to, size_t bytes))
{
	int result = gethostname(to, bytes);
	if (result == 0)
		WRITES(to, strnlen(to, bytes - 1) + 1);
	return result;
}

CALL(int, __gethostname_chk, (char *to, size_t bytes, size_t room))
{
	int result = __gethostname_chk(to, bytes, room);
	if (result == 0)
		WRITES(to, strnlen(to, bytes - 1) + 1);
	return result;
}

#define LINKS(name, params, call)                                                                            \
	CALL(ssize_t, name, params)                                                                          \
	{                                                                                                    \
		READS_STRING(path);                                                                          \
		ssize_t length = call;                                                                       \
		if (length > 0)                                                                              \
			WRITES(to, (size_t)length);                                                          \
		return length;                                                                               \
	}

LINKS(readlink, (const char *path, char *to, size_t bytes), readlink(path, to, bytes))
LINKS(__readlink_chk, (const char *path, char *to, size_t bytes, size_t room),
      __readlink_chk(path, to, bytes, room))
LINKS(readlinkat, (int fd, const char *path, char *to, size_t bytes), readlinkat(fd, path, to, bytes))
LINKS(__readlinkat_chk, (int fd, const char *path, char *to, size_t bytes, size_t room),
      __readlinkat_chk(fd, path, to, bytes, room))

CALL(int, uname, (struct utsname * to))
{
	int result = uname(to);
	if (result == 0)
		WRITES(to, sizeof *to);
	return result;
}
