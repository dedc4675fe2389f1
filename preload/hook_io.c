/* hook_io.c: calls by which threads hand each other something through the kernel. They matter to the race engine
 * only (what a thread did before it wrote to a pipe comes before what another does after reading from it); without
 * it each is the real call and a branch. None is an access: the buffers are others' affair. */
#include <stdarg.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "hook.h"
#include "race/race.h"

#define RECEIVING(type, name, params, arguments)             \
	SHIM_HOOK(type, name, params)                        \
	{                                                    \
		type result = SHIM_REAL(name) arguments;     \
		if (result >= 0)                             \
			shim_race_received(fd);              \
		return result;                               \
	}

#define SENDING(type, name, params, arguments)               \
	SHIM_HOOK(type, name, params)                        \
	{                                                    \
		shim_race_sent(fd);                          \
		return SHIM_REAL(name) arguments;            \
	}

/* With _FORTIFY_SOURCE the calls have the buffer's size too, and no prototype for others. */
extern ssize_t __read_chk(int fd, void *bytes, size_t count, size_t room);
extern ssize_t __pread_chk(int fd, void *bytes, size_t count, off_t at, size_t room);
extern ssize_t __pread64_chk(int fd, void *bytes, size_t count, off_t at, size_t room);
extern ssize_t __recv_chk(int fd, void *bytes, size_t count, size_t room, int flags);
extern ssize_t __recvfrom_chk(int fd, void *bytes, size_t count, size_t room, int flags, struct sockaddr *from, socklen_t *length);

RECEIVING(ssize_t, read, (int fd, void *bytes, size_t count), (fd, bytes, count))
RECEIVING(ssize_t, __read_chk, (int fd, void *bytes, size_t count, size_t room), (fd, bytes, count, room))
RECEIVING(ssize_t, readv, (int fd, const struct iovec *parts, int count), (fd, parts, count))
RECEIVING(ssize_t, pread, (int fd, void *bytes, size_t count, off_t at), (fd, bytes, count, at))
RECEIVING(ssize_t, pread64, (int fd, void *bytes, size_t count, off_t at), (fd, bytes, count, at))
RECEIVING(ssize_t, __pread_chk, (int fd, void *bytes, size_t count, off_t at, size_t room), (fd, bytes, count, at, room))
RECEIVING(ssize_t, __pread64_chk, (int fd, void *bytes, size_t count, off_t at, size_t room), (fd, bytes, count, at, room))
RECEIVING(ssize_t, preadv, (int fd, const struct iovec *parts, int count, off_t at), (fd, parts, count, at))
RECEIVING(ssize_t, preadv64, (int fd, const struct iovec *parts, int count, off_t at), (fd, parts, count, at))
RECEIVING(ssize_t, recv, (int fd, void *bytes, size_t count, int flags), (fd, bytes, count, flags))
RECEIVING(ssize_t, __recv_chk, (int fd, void *bytes, size_t count, size_t room, int flags), (fd, bytes, count, room, flags))
RECEIVING(ssize_t, recvfrom, (int fd, void *bytes, size_t count, int flags, struct sockaddr *from, socklen_t *length),
          (fd, bytes, count, flags, from, length))
RECEIVING(ssize_t, __recvfrom_chk, (int fd, void *bytes, size_t count, size_t room, int flags, struct sockaddr *from, socklen_t *length),
          (fd, bytes, count, room, flags, from, length))
RECEIVING(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))
RECEIVING(int, recvmmsg, (int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *limit),
          (fd, messages, count, flags, limit))
RECEIVING(int, eventfd_read, (int fd, eventfd_t *value), (fd, value))

/* Which descriptors the events are of the call does not say. */
#define WAITING(name, params, arguments)                     \
	SHIM_HOOK(int, name, params)                         \
	{                                                    \
		int result = SHIM_REAL(name) arguments;      \
		if (result >= 0)                             \
			shim_race_received(fd);              \
		if (result > 0)                              \
			shim_race_events();                  \
		return result;                               \
	}

WAITING(epoll_wait, (int fd, struct epoll_event *events, int room, int limit_ms), (fd, events, room, limit_ms))
WAITING(epoll_pwait, (int fd, struct epoll_event *events, int room, int limit_ms, const sigset_t *mask),
          (fd, events, room, limit_ms, mask))
WAITING(epoll_pwait2, (int fd, struct epoll_event *events, int room, const struct timespec *limit, const sigset_t *mask),
          (fd, events, room, limit, mask))

SENDING(ssize_t, write, (int fd, const void *bytes, size_t count), (fd, bytes, count))
SENDING(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))
SENDING(ssize_t, pwrite, (int fd, const void *bytes, size_t count, off_t at), (fd, bytes, count, at))
SENDING(ssize_t, pwrite64, (int fd, const void *bytes, size_t count, off_t at), (fd, bytes, count, at))
SENDING(ssize_t, pwritev, (int fd, const struct iovec *parts, int count, off_t at), (fd, parts, count, at))
SENDING(ssize_t, pwritev64, (int fd, const struct iovec *parts, int count, off_t at), (fd, parts, count, at))
SENDING(ssize_t, send, (int fd, const void *bytes, size_t count, int flags), (fd, bytes, count, flags))
SENDING(ssize_t, sendto, (int fd, const void *bytes, size_t count, int flags, const struct sockaddr *to, socklen_t length),
        (fd, bytes, count, flags, to, length))
SENDING(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
SENDING(int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned count, int flags), (fd, messages, count, flags))
SENDING(int, shutdown, (int fd, int how), (fd, how))
SENDING(int, eventfd_write, (int fd, eventfd_t value), (fd, value))
SENDING(int, epoll_ctl, (int fd, int operation, int which, struct epoll_event *event), (fd, operation, which, event))

/* ---- numbers of descriptors: who closed one is before who gets it next ---- */

#define OPENING(name, params, arguments)                     \
	SHIM_HOOK(int, name, params)                         \
	{                                                    \
		int fd = SHIM_REAL(name) arguments;          \
		if (fd >= 0)                                 \
			shim_race_opened(fd);                \
		return fd;                                   \
	}

#define OPENING_TWO(name, params, arguments)                 \
	SHIM_HOOK(int, name, params)                         \
	{                                                    \
		int result = SHIM_REAL(name) arguments;      \
		if (result == 0) {                           \
			shim_race_opened(fds[0]);            \
			shim_race_opened(fds[1]);            \
		}                                            \
		return result;                               \
	}

/* Without <fcntl.h>: a mode that the caller does not give is not looked at. */
extern int open(const char *path, int flags, mode_t mode);
extern int open64(const char *path, int flags, mode_t mode);
extern int openat(int folder, const char *path, int flags, mode_t mode);
extern int openat64(int folder, const char *path, int flags, mode_t mode);
extern int __open_2(const char *path, int flags);
extern int __open64_2(const char *path, int flags);

OPENING(open, (const char *path, int flags, mode_t mode), (path, flags, mode))
OPENING(open64, (const char *path, int flags, mode_t mode), (path, flags, mode))
OPENING(openat, (int folder, const char *path, int flags, mode_t mode), (folder, path, flags, mode))
OPENING(openat64, (int folder, const char *path, int flags, mode_t mode), (folder, path, flags, mode))
OPENING(__open_2, (const char *path, int flags), (path, flags))
OPENING(__open64_2, (const char *path, int flags), (path, flags))
OPENING(socket, (int family, int type, int protocol), (family, type, protocol))
OPENING(eventfd, (unsigned value, int flags), (value, flags))
OPENING(epoll_create, (int size), (size))
OPENING(epoll_create1, (int flags), (flags))
OPENING(timerfd_create, (int clock, int flags), (clock, flags))
OPENING(inotify_init1, (int flags), (flags))
OPENING(dup, (int old), (old))
OPENING_TWO(pipe, (int fds[2]), (fds))
OPENING_TWO(pipe2, (int fds[2], int flags), (fds, flags))
OPENING_TWO(socketpair, (int family, int type, int protocol, int fds[2]), (family, type, protocol, fds))

SHIM_HOOK(int, close, (int fd))
{
	shim_race_closing(fd);
	return SHIM_REAL(close)(fd);
}

SHIM_HOOK(int, dup2, (int old, int fd))
{
	shim_race_closing(fd);
	return SHIM_REAL(dup2)(old, fd);
}

SHIM_HOOK(int, dup3, (int old, int fd, int flags))
{
	shim_race_closing(fd);
	return SHIM_REAL(dup3)(old, fd, flags);
}

SHIM_HOOK(int, connect, (int fd, const struct sockaddr *to, socklen_t length))
{
	shim_race_connecting();
	return SHIM_REAL(connect)(fd, to, length);
}

#define ACCEPTING(name, params, arguments)                   \
	SHIM_HOOK(int, name, params)                         \
	{                                                    \
		int fd = SHIM_REAL(name) arguments;          \
		if (fd >= 0) {                               \
			shim_race_accepted();                \
			shim_race_opened(fd);                \
		}                                            \
		return fd;                                   \
	}
ACCEPTING(accept, (int listener, struct sockaddr *from, socklen_t *length), (listener, from, length))
ACCEPTING(accept4, (int listener, struct sockaddr *from, socklen_t *length, int flags), (listener, from, length, flags))

/* ---- signals that are sent, and waited for; their handlers are in hook_signal.c ---- */

SHIM_HOOK(int, kill, (pid_t pid, int number))
{
	shim_race_signalling(number);
	return SHIM_REAL(kill)(pid, number);
}

SHIM_HOOK(int, sigqueue, (pid_t pid, int number, const union sigval value))
{
	shim_race_signalling(number);
	return SHIM_REAL(sigqueue)(pid, number, value);
}

SHIM_HOOK(int, tgkill, (pid_t pid, pid_t thread, int number))
{
	shim_race_signalling(number);
	return SHIM_REAL(tgkill)(pid, thread, number);
}

SHIM_HOOK(int, pthread_kill, (pthread_t thread, int number))
{
	shim_race_signalling(number);
	return SHIM_REAL(pthread_kill)(thread, number);
}

SHIM_HOOK(int, pthread_sigqueue, (pthread_t thread, int number, const union sigval value))
{
	shim_race_signalling(number);
	return SHIM_REAL(pthread_sigqueue)(thread, number, value);
}

SHIM_HOOK(int, sigwait, (const sigset_t *set, int *number))
{
	int result = SHIM_REAL(sigwait)(set, number);
	if (result == 0)
		shim_race_signalled(*number);
	return result;
}

SHIM_HOOK(int, sigwaitinfo, (const sigset_t *set, siginfo_t *info))
{
	int number = SHIM_REAL(sigwaitinfo)(set, info);
	if (number > 0)
		shim_race_signalled(number);
	return number;
}

SHIM_HOOK(int, sigtimedwait, (const sigset_t *set, siginfo_t *info, const struct timespec *limit))
{
	int number = SHIM_REAL(sigtimedwait)(set, info, limit);
	if (number > 0)
		shim_race_signalled(number);
	return number;
}

/* ---- memory: what was at an address before is over ---- */

#define MAPPING(name)                                                                                         \
	SHIM_HOOK(void *, name, (void *wanted, size_t bytes, int protection, int flags, int fd, off_t at))    \
	{                                                                                                     \
		void *start = SHIM_REAL(name)(wanted, bytes, protection, flags, fd, at);                      \
		if (start != MAP_FAILED)                                                                      \
			shim_race_unmapped((uintptr_t)start, bytes);                                          \
		return start;                                                                                 \
	}
MAPPING(mmap)
MAPPING(mmap64)

SHIM_HOOK(void *, mremap, (void *old, size_t old_bytes, size_t bytes, int flags, ...))
{
	va_list list;
	va_start(list, flags);
	void *wanted = flags & MREMAP_FIXED ? va_arg(list, void *) : NULL;
	va_end(list);
	void *got = SHIM_REAL(mremap)(old, old_bytes, bytes, flags, wanted);
	if (got == MAP_FAILED)
		return got;
	if (got != old) {
		shim_race_unmapped((uintptr_t)old, old_bytes);
		shim_race_unmapped((uintptr_t)got, bytes);
	} else if (bytes > old_bytes) {
		shim_race_unmapped((uintptr_t)old + old_bytes, bytes - old_bytes);
	}
	return got;
}
