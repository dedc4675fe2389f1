/* libc_poll.c: waits for descriptors: their lists and results, and the order that what is ready gives. */
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "libc.h"

extern int __poll_chk(struct pollfd *list, nfds_t count, int timeout_ms, size_t room);
extern int __ppoll_chk(struct pollfd *list, nfds_t count, const struct timespec *timeout,
                       const sigset_t *mask, size_t room);

static int polled(int result, const struct pollfd *list, nfds_t count, uintptr_t pc)
{
	if (result < 0 || !race_watched())
		return result;
	for (nfds_t i = 0; i < count; i++) {
		if (list[i].revents)
			shim_race_received(list[i].fd);
		race_libc_access(&list[i].revents, sizeof list[i].revents, 0, pc);
	}
	return result;
}

CALL(int, poll, (struct pollfd * list, nfds_t count, int timeout_ms))
{
	READS(list, count * sizeof *list);
	return polled(poll(list, count, timeout_ms), list, count, PC);
}

CALL(int, __poll_chk, (struct pollfd * list, nfds_t count, int timeout_ms, size_t room))
{
	READS(list, count * sizeof *list);
	return polled(__poll_chk(list, count, timeout_ms, room), list, count, PC);
}

CALL(int, ppoll, (struct pollfd * list, nfds_t count, const struct timespec *timeout, const sigset_t *mask))
{
	READS(list, count * sizeof *list);
	READS(timeout, sizeof *timeout);
	return polled(ppoll(list, count, timeout, mask), list, count, PC);
}

CALL(int, __ppoll_chk,
     (struct pollfd * list, nfds_t count, const struct timespec *timeout, const sigset_t *mask, size_t room))
{
	READS(list, count * sizeof *list);
	READS(timeout, sizeof *timeout);
	return polled(__ppoll_chk(list, count, timeout, mask, room), list, count, PC);
}

/* The part of a set that the kernel looks at: whole words. */
static size_t set_bytes(int count)
{
	return count > 0 ? ((size_t)count + NFDBITS - 1) / NFDBITS * sizeof(fd_mask) : 0;
}

static void sets(int count, fd_set *const *set, uint32_t kind, uintptr_t pc)
{
	for (int i = 0; i < 3; i++)
		race_libc_access(set[i], set_bytes(count), kind, pc);
}

static int selected(int result, int count, fd_set *const *set, uintptr_t pc)
{
	if (result < 0 || !race_watched())
		return result;
	for (int fd = 0; set[0] && fd < count; fd++)
		if (__FDS_BITS(set[0])[fd / NFDBITS] & (fd_mask)1 << fd % NFDBITS)
			shim_race_received(fd);
	sets(count, set, 0, pc);
	return result;
}

CALL(int, select, (int count, fd_set *to_read, fd_set *to_write, fd_set *odd, struct timeval *timeout))
{
	fd_set *const set[] = {to_read, to_write, odd};
	if (race_watched())
		sets(count, set, RACE_READ, PC);
	READS(timeout, sizeof *timeout);
	int result = selected(select(count, to_read, to_write, odd, timeout), count, set, PC);
	WRITES(timeout, sizeof *timeout);
	return result;
}

CALL(int, pselect,
     (int count, fd_set *to_read, fd_set *to_write, fd_set *odd, const struct timespec *timeout,
      const sigset_t *mask))
{
	fd_set *const set[] = {to_read, to_write, odd};
	if (race_watched())
		sets(count, set, RACE_READ, PC);
	READS(timeout, sizeof *timeout);
	return selected(pselect(count, to_read, to_write, odd, timeout, mask), count, set, PC);
}

static int waited(int result, const struct epoll_event *events, uintptr_t pc)
{
	if (result > 0 && race_watched())
		race_libc_access(events, (size_t)result * sizeof *events, 0, pc);
	return result;
}

CALL(int, epoll_wait, (int fd, struct epoll_event *events, int most, int timeout_ms))
{
	return waited(epoll_wait(fd, events, most, timeout_ms), events, PC);
}

CALL(int, epoll_pwait, (int fd, struct epoll_event *events, int most, int timeout_ms, const sigset_t *mask))
{
	return waited(epoll_pwait(fd, events, most, timeout_ms, mask), events, PC);
}

/* What is given with a descriptor comes with its events. */
CALL(int, epoll_ctl, (int fd, int operation, int which, struct epoll_event *event))
{
	READS(event, operation == EPOLL_CTL_DEL ? 0 : sizeof *event);
	return epoll_ctl(fd, operation, which, event);
}
