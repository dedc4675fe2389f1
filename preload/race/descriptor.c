/* descriptor.c: what the kernel hands from one thread to another: bytes through pipes, sockets, files and
 * events, numbers of descriptors, signals.
 *
 * Each such thing has an object: an address of a table that nobody reads or writes. Both ends of a pipe are
 * one file, so device and inode name it; both ends of a connection have the same pair of addresses, the other
 * way round. Other sockets are one object for all; what has no file of its own (events, timers) goes by its
 * number. Two things of one hash share an object, which adds an order and never a finding. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine.h"

enum kind { ALL_SOCKETS, BY_FILE, BY_PEERS, BY_NUMBER, NUMBER_ITSELF, SIGNAL, ANY_EVENT };

enum { OBJECTS = 1 << 16 };

static char objects[OBJECTS][8];

static const void *object_of(enum kind kind, uint64_t first, uint64_t second)
{
	uint64_t hash = ((first * 0x9e3779b97f4a7c15u ^ second) + kind) * 0xff51afd7ed558ccdu;
	return objects[hash >> 48];
}

static uint64_t hash_bytes(const void *bytes, size_t count, uint64_t hash)
{
	for (const unsigned char *at = bytes, *end = at + count; at < end; at++)
		hash = (hash ^ *at) * 0x100000001b3u;
	return hash;
}

/* 0: none, or of a family where the two ends can't be told. An IPv4 address may be written as an IPv6 one. */
static uint64_t hash_address(const struct sockaddr_storage *address)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	const struct sockaddr_in *four = (const void *)address;
	const struct sockaddr_in6 *six = (const void *)address;
	if (address->ss_family == AF_INET)
		return hash_bytes(&four->sin_addr, 4, four->sin_port) | 1;
	if (address->ss_family != AF_INET6)
		return 0;
	if (__builtin_memcmp(&six->sin6_addr, mapped, sizeof mapped) == 0)
		return hash_bytes((const char *)&six->sin6_addr + sizeof mapped, 4, six->sin6_port) | 1;
	return hash_bytes(&six->sin6_addr, 16, six->sin6_port) | 1;
}

static const void *socket_object(int fd)
{
	struct sockaddr_storage own = {0}, peer = {0};
	unsigned own_bytes = sizeof own, peer_bytes = sizeof peer;
	if (syscall(SYS_getsockname, fd, &own, &own_bytes) != 0 ||
	    syscall(SYS_getpeername, fd, &peer, &peer_bytes) != 0)
		return object_of(ALL_SOCKETS, 0, 0);
	uint64_t one = hash_address(&own), other = hash_address(&peer);
	return one && other ? object_of(BY_PEERS, one + other, one ^ other) : object_of(ALL_SOCKETS, 0, 0);
}

/* is_watched: an epoll instance may wait for it. */
static const void *descriptor_object(int fd, bool *is_watched)
{
	struct stat about;
	if (syscall(SYS_fstat, fd, &about) != 0)
		return NULL;
	*is_watched = !S_ISREG(about.st_mode);
	if (S_ISSOCK(about.st_mode))
		return socket_object(fd);
	return about.st_mode & S_IFMT ? object_of(BY_FILE, about.st_ino, about.st_dev)
	                              : object_of(BY_NUMBER, (uint64_t)fd, 0);
}

void shim_race_sent_now(int fd)
{
	int saved = errno;
	bool is_watched;
	const void *object = descriptor_object(fd, &is_watched);
	if (object) {
		shim_race_release_now(object, SHIM_RACE_JOIN, true);
		if (is_watched)
			shim_race_release_now(object_of(ANY_EVENT, 0, 0), SHIM_RACE_JOIN, true);
	}
	errno = saved;
}

void shim_race_received_now(int fd)
{
	int saved = errno;
	bool is_watched;
	const void *object = descriptor_object(fd, &is_watched);
	if (object)
		shim_race_acquire_now(object, true);
	errno = saved;
}

/* Which descriptors the events are of only the program can say, and it may never read from them. */
void shim_race_events_now(void)
{
	shim_race_acquire_now(object_of(ANY_EVENT, 0, 0), true);
}

void shim_race_connecting_now(void)
{
	shim_race_release_now(object_of(ALL_SOCKETS, 1, 0), SHIM_RACE_JOIN, true);
}

void shim_race_accepted_now(void)
{
	shim_race_acquire_now(object_of(ALL_SOCKETS, 1, 0), true);
}

void shim_race_closing_now(int fd)
{
	shim_race_sent_now(fd);
	shim_race_release_now(object_of(NUMBER_ITSELF, (uint64_t)fd, 0), SHIM_RACE_JOIN, true);
}

void shim_race_opened_now(int fd)
{
	shim_race_acquire_now(object_of(NUMBER_ITSELF, (uint64_t)fd, 0), true);
}

void shim_race_signalling_now(int number)
{
	shim_race_release_now(object_of(SIGNAL, (uint64_t)number, 0), SHIM_RACE_JOIN, true);
}

void shim_race_signalled_now(int number)
{
	shim_race_acquire_now(object_of(SIGNAL, (uint64_t)number, 0), true);
}

enum { ALL_IGNORED = RACE_IGNORE_READS | RACE_IGNORE_WRITES | RACE_IGNORE_SYNC, INTERRUPTED = 1u << 31 };

uint32_t shim_race_handler_now(int number)
{
	struct race_hot *hot = &race_hot;
	if (hot->stamp && hot->busy) {
		uint32_t was = hot->ignore;
		hot->ignore |= ALL_IGNORED;
		return was | INTERRUPTED;
	}
	shim_race_signalled_now(number);
	return 0;
}

void shim_race_handled_now(uint32_t was)
{
	race_hot.ignore = was & ~(uint32_t)INTERRUPTED;
}
