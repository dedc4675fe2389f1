/* shared.c: /proc/self/maps, line by line. Anonymous shared memory has an inode there too (of the kernel's
 * own tmpfs), the same in every process that inherited it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hash.h"
#include "region.h"
#include "shared.h"

enum { BUFFER_BYTES = 64 * 1024 };

static const char *number(const char *at, unsigned base, uint64_t *value)
{
	*value = 0;
	for (;; at++) {
		unsigned digit = *at >= '0' && *at <= '9'   ? (unsigned)(*at - '0')
		                 : *at >= 'a' && *at <= 'f' ? (unsigned)(*at - 'a' + 10)
		                                            : 99;
		if (digit >= base)
			return at;
		*value = *value * base + digit;
	}
}

/* START-END PERMS OFFSET MAJOR:MINOR INODE PATH */
static bool look(const char *line, uintptr_t address, struct shim_shared *place, bool *found)
{
	uint64_t start, end = 0, offset, major, minor, inode;
	const char *at = number(line, 16, &start);
	at = *at == '-' ? number(at + 1, 16, &end) : at;
	if (*at != ' ' || address < start || address >= end)
		return false;
	*found = at[4] == 's';
	at = number(at + 6, 16, &offset);
	at = number(at + 1, 16, &major);
	at = number(at + 1, 16, &minor);
	number(at + 1, 10, &inode);
	*place = (struct shim_shared){major << 32 | minor, inode, offset + (address - start)};
	return true;
}

static bool search(int fd, char *buffer, uintptr_t address, struct shim_shared *place)
{
	size_t kept = 0;
	long got;
	bool found = false;
	while ((got = syscall(SYS_read, fd, buffer + kept, BUFFER_BYTES - 1 - kept)) > 0) {
		size_t have = kept + (size_t)got;
		char *line = buffer, *end;
		buffer[have] = '\0';
		for (; (end = memchr(line, '\n', have - (size_t)(line - buffer))); line = end + 1) {
			*end = '\0';
			if (look(line, address, place, &found))
				return found;
		}
		kept = have - (size_t)(line - buffer);
		if (kept == BUFFER_BYTES - 1)
			return false;
		memmove(buffer, line, kept);
	}
	return false;
}

bool shim_shared_place(const void *address, struct shim_shared *place)
{
	int saved = errno;
	bool found = false;
	int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
	char *buffer = fd < 0 ? NULL : shim_region_map(BUFFER_BYTES, false);
	if (buffer) {
		found = search(fd, buffer, (uintptr_t)address, place);
		shim_region_unmap(buffer, BUFFER_BYTES);
	}
	if (fd >= 0)
		syscall(SYS_close, fd);
	errno = saved;
	return found;
}

uint64_t shim_shared_key(const void *address)
{
	struct shim_shared place;
	if (!shim_shared_place(address, &place))
		return 0;
	return shim_hash64(shim_hash64(shim_hash64(place.device + 1) ^ place.inode) + place.offset) | 1;
}
