/* hook_file_lock.c: locks of files that exclude threads of one process too: flock, and the record locks of open
 * file descriptions. What one holder did comes before what the next does, as if it had been sent through the file
 * (closing gives such a lock back, and does that). The older record locks (F_SETLK, lockf) belong to the whole
 * process: they order none of its threads.
 *
 * Also the numbers of descriptors that fcntl gives out. They matter to the race engine only; without it each is the
 * real call and a branch. */
#include <fcntl.h>
#include <sys/file.h>

#include "hook.h"
#include "race/race.h"

/* Giving back and taking another mode both let others in; the new mode may wait for others' end. */
SHIM_HOOK(int, flock, (int fd, int operation))
{
	shim_race_sent(fd);
	int result = SHIM_REAL(flock)(fd, operation);
	if (result == 0 && !(operation & LOCK_UN))
		shim_race_received(fd);
	return result;
}

static void before(int fd, int command)
{
	if (command == F_OFD_SETLK || command == F_OFD_SETLKW)
		shim_race_sent(fd);
}

static int behind(int result, int fd, int command, const void *argument)
{
	if (result < 0)
		return result;
	if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
		shim_race_opened(result);
	else if (command == F_OFD_SETLK || command == F_OFD_SETLKW)
		if (((const struct flock *)argument)->l_type != F_UNLCK)
			shim_race_received(fd);
	return result;
}

/* The argument is a number or a pointer, and one register either way. */
#define FCNTL(name)                                                                                     \
	extern int shim_##name(int fd, int command, void *argument) __asm__(#name);                     \
	static int (*shim_real_##name)(int, int, void *);                                               \
	SHIM_HOOK_ROW(name, NULL)                                                                       \
	SHIM_EXPORT int shim_##name(int fd, int command, void *argument)                                \
	{                                                                                               \
		before(fd, command);                                                                    \
		return behind(SHIM_REAL(name)(fd, command, argument), fd, command, argument);           \
	}

FCNTL(fcntl)
FCNTL(fcntl64)
