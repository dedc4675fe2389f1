/* libc_io.c: reads and writes of descriptors.
 *
 * What a write reads is told before it, as nothing orders it any more once another thread has the data; a
 * call that is asked to write much may take little of it, and is asked again for the rest: so no more than
 * ASKED_MAX of it is told. */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "libc.h"

enum { ASKED_MAX = 256 * 1024 };

extern ssize_t __read_chk(int fd, void *to, size_t bytes, size_t room);
extern ssize_t __pread_chk(int fd, void *to, size_t bytes, off_t at, size_t room);
extern ssize_t __pread64_chk(int fd, void *to, size_t bytes, off64_t at, size_t room);
extern ssize_t __recv_chk(int fd, void *to, size_t bytes, size_t room, int flags);
extern ssize_t __recvfrom_chk(int fd, void *to, size_t bytes, size_t room, int flags, struct sockaddr *from,
                              socklen_t *from_bytes);

static size_t asked(size_t bytes)
{
	return bytes < ASKED_MAX ? bytes : ASKED_MAX;
}

/* The parts of a vector, as far as `bytes` go. */
static void parts(const struct iovec *part, size_t count, size_t bytes, uint32_t kind, uintptr_t pc)
{
	for (size_t i = 0; i < count && bytes; i++) {
		size_t here = part[i].iov_len < bytes ? part[i].iov_len : bytes;
		race_libc_access(part[i].iov_base, here, kind, pc);
		bytes -= here;
	}
}

static void vector(const struct iovec *part, size_t count, size_t bytes, uint32_t kind, uintptr_t pc)
{
	if (!part || !race_watched())
		return;
	race_libc_access(part, count * sizeof *part, RACE_READ, pc);
	parts(part, count, bytes, kind, pc);
}

static size_t vector_count(int count)
{
	return count > 0 && count <= IOV_MAX ? (size_t)count : 0;
}

static ssize_t got(void *to, ssize_t result, uintptr_t pc)
{
	if (result > 0 && race_watched())
		race_libc_access(to, (size_t)result, 0, pc);
	return result;
}

static ssize_t got_vector(const struct iovec *part, int count, ssize_t result, uintptr_t pc)
{
	if (result > 0)
		vector(part, vector_count(count), (size_t)result, 0, pc);
	return result;
}

#define GETS(name, params, call)                                                                             \
	CALL(ssize_t, name, params)                                                                          \
	{                                                                                                    \
		return got(to, call, PC);                                                                    \
	}

GETS(read, (int fd, void *to, size_t bytes), read(fd, to, bytes))
GETS(__read_chk, (int fd, void *to, size_t bytes, size_t room), __read_chk(fd, to, bytes, room))
GETS(pread, (int fd, void *to, size_t bytes, off_t at), pread(fd, to, bytes, at))
GETS(pread64, (int fd, void *to, size_t bytes, off64_t at), pread64(fd, to, bytes, at))
GETS(__pread_chk, (int fd, void *to, size_t bytes, off_t at, size_t room),
     __pread_chk(fd, to, bytes, at, room))
GETS(__pread64_chk, (int fd, void *to, size_t bytes, off64_t at, size_t room),
     __pread64_chk(fd, to, bytes, at, room))

/* MSG_TRUNC has it say more than was written. */
static ssize_t got_message(void *to, size_t bytes, ssize_t result, uintptr_t pc)
{
	got(to, result > (ssize_t)bytes ? (ssize_t)bytes : result, pc);
	return result;
}

CALL(ssize_t, recv, (int fd, void *to, size_t bytes, int flags))
{
	return got_message(to, bytes, recv(fd, to, bytes, flags), PC);
}

CALL(ssize_t, __recv_chk, (int fd, void *to, size_t bytes, size_t room, int flags))
{
	return got_message(to, bytes, __recv_chk(fd, to, bytes, room, flags), PC);
}

/* An address that the kernel gives: as much of it as there was room for. */
static void got_address(const struct sockaddr *address, socklen_t room, const socklen_t *bytes, uintptr_t pc)
{
	if (!address || !bytes || !race_watched())
		return;
	race_libc_access(address, *bytes < room ? *bytes : room, 0, pc);
	race_libc_access(bytes, sizeof *bytes, 0, pc);
}

static socklen_t room_of(const socklen_t *bytes)
{
	return bytes ? *bytes : 0;
}

CALL(ssize_t, recvfrom,
     (int fd, void *to, size_t bytes, int flags, struct sockaddr *from, socklen_t *from_bytes))
{
	socklen_t from_room = room_of(from_bytes);
	ssize_t result = recvfrom(fd, to, bytes, flags, from, from_bytes);
	if (result >= 0)
		got_address(from, from_room, from_bytes, PC);
	return got_message(to, bytes, result, PC);
}

CALL(ssize_t, __recvfrom_chk,
     (int fd, void *to, size_t bytes, size_t room, int flags, struct sockaddr *from, socklen_t *from_bytes))
{
	socklen_t from_room = room_of(from_bytes);
	ssize_t result = __recvfrom_chk(fd, to, bytes, room, flags, from, from_bytes);
	if (result >= 0)
		got_address(from, from_room, from_bytes, PC);
	return got_message(to, bytes, result, PC);
}

CALL(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags))
{
	socklen_t name_room = message->msg_name ? message->msg_namelen : 0;
	ssize_t result = recvmsg(fd, message, flags);
	if (result < 0)
		return result;
	got_vector(message->msg_iov, (int)message->msg_iovlen, result, PC);
	WRITES(message, sizeof *message);
	WRITES(message->msg_name, message->msg_namelen < name_room ? message->msg_namelen : name_room);
	WRITES(message->msg_control, message->msg_controllen);
	return result;
}

CALL(ssize_t, readv, (int fd, const struct iovec *part, int count))
{
	return got_vector(part, count, readv(fd, part, count), PC);
}

CALL(ssize_t, preadv, (int fd, const struct iovec *part, int count, off_t at))
{
	return got_vector(part, count, preadv(fd, part, count, at), PC);
}

CALL(ssize_t, preadv64, (int fd, const struct iovec *part, int count, off64_t at))
{
	return got_vector(part, count, preadv64(fd, part, count, at), PC);
}

#define PUTS(name, params, call)                                                                             \
	CALL(ssize_t, name, params)                                                                          \
	{                                                                                                    \
		READS(from, asked(bytes));                                                                   \
		return call;                                                                                 \
	}

PUTS(write, (int fd, const void *from, size_t bytes), write(fd, from, bytes))
PUTS(pwrite, (int fd, const void *from, size_t bytes, off_t at), pwrite(fd, from, bytes, at))
PUTS(pwrite64, (int fd, const void *from, size_t bytes, off64_t at), pwrite64(fd, from, bytes, at))
PUTS(send, (int fd, const void *from, size_t bytes, int flags), send(fd, from, bytes, flags))

CALL(ssize_t, sendto,
     (int fd, const void *from, size_t bytes, int flags, const struct sockaddr *to, socklen_t to_bytes))
{
	READS(from, asked(bytes));
	READS(to, to_bytes);
	return sendto(fd, from, bytes, flags, to, to_bytes);
}

CALL(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags))
{
	READS(message, sizeof *message);
	READS(message->msg_name, message->msg_namelen);
	READS(message->msg_control, message->msg_controllen);
	vector(message->msg_iov, message->msg_iovlen, ASKED_MAX, RACE_READ, PC);
	return sendmsg(fd, message, flags);
}

static void put_vector(const struct iovec *part, int count, uintptr_t pc)
{
	vector(part, vector_count(count), ASKED_MAX, RACE_READ, pc);
}

CALL(ssize_t, writev, (int fd, const struct iovec *part, int count))
{
	put_vector(part, count, PC);
	return writev(fd, part, count);
}

CALL(ssize_t, pwritev, (int fd, const struct iovec *part, int count, off_t at))
{
	put_vector(part, count, PC);
	return pwritev(fd, part, count, at);
}

CALL(ssize_t, pwritev64, (int fd, const struct iovec *part, int count, off64_t at))
{
	put_vector(part, count, PC);
	return pwritev64(fd, part, count, at);
}

CALL(int, connect, (int fd, const struct sockaddr *to, socklen_t bytes))
{
	READS(to, bytes);
	return connect(fd, to, bytes);
}

CALL(int, accept, (int fd, struct sockaddr *from, socklen_t *bytes))
{
	socklen_t room = room_of(bytes);
	int result = accept(fd, from, bytes);
	if (result >= 0)
		got_address(from, room, bytes, PC);
	return result;
}

CALL(int, accept4, (int fd, struct sockaddr *from, socklen_t *bytes, int flags))
{
	socklen_t room = room_of(bytes);
	int result = accept4(fd, from, bytes, flags);
	if (result >= 0)
		got_address(from, room, bytes, PC);
	return result;
}

CALL(int, eventfd_read, (int fd, eventfd_t *value))
{
	int result = eventfd_read(fd, value);
	if (result == 0)
		WRITES(value, sizeof *value);
	return result;
}

static int made_pair(int result, const int *fds, uintptr_t pc)
{
	if (result == 0 && race_watched())
		race_libc_access(fds, 2 * sizeof *fds, 0, pc);
	return result;
}

CALL(int, pipe, (int *fds))
{
	return made_pair(pipe(fds), fds, PC);
}

CALL(int, pipe2, (int *fds, int flags))
{
	return made_pair(pipe2(fds, flags), fds, PC);
}

CALL(int, socketpair, (int domain, int type, int protocol, int *fds))
{
	return made_pair(socketpair(domain, type, protocol, fds), fds, PC);
}

CALL(ssize_t, getrandom, (void *to, size_t bytes, unsigned flags))
{
	ssize_t result = getrandom(to, bytes, flags);
	if (result > 0)
		WRITES(to, (size_t)result);
	return result;
}

CALL(int, getentropy, (void *to, size_t bytes))
{
	int result = getentropy(to, bytes);
	if (result == 0)
		WRITES(to, bytes);
	return result;
}
