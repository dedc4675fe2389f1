"""What the kernel hands from one thread to another puts their accesses in order; what it doesn't, leaves them a race."""

import unittest

from race_case import COMPILERS, HEAD, RaceCase

SETUP = r"""
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#define CHECK(x) do { if (!(x)) { perror(#x); abort(); } } while (0)
ssize_t __read_chk(int, void *, size_t, size_t);
ssize_t __pread_chk(int, void *, size_t, off_t, size_t);
ssize_t __pread64_chk(int, void *, size_t, off_t, size_t);
ssize_t __recv_chk(int, void *, size_t, size_t, int);
ssize_t __recvfrom_chk(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *);
int __open_2(const char *, int);
int __open64_2(const char *, int);

static int v, n, p[2], full[2], pair[2], listener, client, server, other[2], event, epoll, file, again, unlocked;
static _Thread_local char bytes[8] = "1";
static pthread_t thread_b;
static atomic_int tid_b, handled;
static struct sockaddr_in address = {.sin_family = AF_INET};
static sigset_t set;

#define PART (&(struct iovec){bytes, 1})
#define MESSAGE ((struct msghdr){.msg_iov = PART, .msg_iovlen = 1})
#define TAKEN(x) for (int fd; (fd = (x)) != n;) close(fd)

static int connected(int *to)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
	CHECK((*to = accept(listener, NULL, NULL)) >= 0);
	return fd;
}
static int two(int call(int fds[2]))
{
	int fds[2];
	CHECK(call(fds) == 0);
	if (fds[0] != n) { close(fds[0]); close(fds[1]); }
	return fds[0];
}
static int pipe2_call(int fds[2]) { return pipe2(fds, 0); }
static int socketpair_call(int fds[2]) { return socketpair(AF_UNIX, SOCK_STREAM, 0, fds); }
static void handler(int number) { (void)number; v++; atomic_store_explicit(&handled, 1, memory_order_relaxed); }
static void wait_handled(void) { while (!atomic_load_explicit(&handled, memory_order_relaxed)) sched_yield(); }
static void accept_signal(int number)
{
	sigset_t one;
	sigemptyset(&one);
	sigaddset(&one, number);
	pthread_sigmask(SIG_UNBLOCK, &one, NULL);
}
static void known(void) { atomic_store_explicit(&tid_b, (int)syscall(SYS_gettid), memory_order_relaxed); }
static void wait_known(void) { while (!atomic_load_explicit(&tid_b, memory_order_relaxed)) sched_yield(); }
static char *page;
static void give_page_back(void) { page[0] = 1; syscall(SYS_munmap, page, 4096); }

static void setup(void)
{
	socklen_t length = sizeof address;
	char name[] = "/tmp/detect-test-XXXXXX";
	n = dup(0); /* the lowest number */
	CHECK(pipe(p) == 0 && pipe(full) == 0 && write(full[1], "12345678", 8) == 8);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 5) == 0);
	CHECK(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
	client = connected(&server);
	other[0] = connected(&other[1]);
	CHECK(write(other[0], "1", 1) == 1);
	event = eventfd(0, 0);
	epoll = epoll_create1(0);
	file = mkstemp(name);
	again = open(name, O_RDWR);
	unlocked = memfd_create("unlocked", 0);
	unlink(name);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
"""

WRITE, READ = "CHECK(write(p[1], bytes, 1) == 1);", "CHECK(read(p[0], bytes, 1) == 1);"
SEND, RECEIVE = "CHECK(send(client, bytes, 1, 0) == 1);", "CHECK(recv(server, bytes, 1, 0) == 1);"
PWRITE, PREAD = "CHECK(pwrite(file, bytes, 1, 0) == 1);", "while (pread(file, bytes, 1, 0) != 1) sched_yield();"
ADD = "CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, full[0], &(struct epoll_event){.events = EPOLLIN}) == 0);"
END = "CHECK(read(p[0], bytes, 1) == 0);"
KILL, WAIT = "CHECK(kill(getpid(), SIGUSR1) == 0);", "int number; CHECK(sigwait(&set, &number) == 0);"
CLOSE = "close(n);"
LOCKED, FREED = "(struct flock){.l_type = F_WRLCK}", "(struct flock){.l_type = F_UNLCK}"
MAP = "(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page);"


def sends(code):
    return "v = 1; " + code, READ + " v++;"


def polls(code):
    return "v = 1; " + ADD, f"struct epoll_event e; CHECK({code} == 1); v++;"


def locks(take, again, give):
    """The file's lock, by two open file descriptions."""
    return f"CHECK({take} == 0); v = 1; CHECK({give} == 0); step(0);", f"step(1); CHECK({again} == 0); v++;"


def opens(code):
    return "v = 1; " + CLOSE, f"TAKEN({code}); v++;"


# The function: what one thread does, what the other.
ORDERS = {
    "read": ("v = 1; " + WRITE, READ + " v++;"),
    "__read_chk": ("v = 1; " + WRITE, "CHECK(__read_chk(p[0], bytes, 1, 8) == 1); v++;"),
    "readv": ("v = 1; " + WRITE, "CHECK(readv(p[0], PART, 1) == 1); v++;"),
    "pread": ("v = 1; " + PWRITE, PREAD + " v++;"),
    "pread64": ("v = 1; " + PWRITE, "while (pread64(file, bytes, 1, 0) != 1) sched_yield(); v++;"),
    "__pread_chk": ("v = 1; " + PWRITE, "while (__pread_chk(file, bytes, 1, 0, 8) != 1) sched_yield(); v++;"),
    "__pread64_chk": ("v = 1; " + PWRITE, "while (__pread64_chk(file, bytes, 1, 0, 8) != 1) sched_yield(); v++;"),
    "preadv": ("v = 1; " + PWRITE, "while (preadv(file, PART, 1, 0) != 1) sched_yield(); v++;"),
    "preadv64": ("v = 1; " + PWRITE, "while (preadv64(file, PART, 1, 0) != 1) sched_yield(); v++;"),
    "recv": ("v = 1; " + SEND, RECEIVE + " v++;"),
    "__recv_chk": ("v = 1; " + SEND, "CHECK(__recv_chk(server, bytes, 1, 8, 0) == 1); v++;"),
    "recvfrom": ("v = 1; " + SEND, "CHECK(recvfrom(server, bytes, 1, 0, NULL, NULL) == 1); v++;"),
    "__recvfrom_chk": ("v = 1; " + SEND, "CHECK(__recvfrom_chk(server, bytes, 1, 8, 0, NULL, NULL) == 1); v++;"),
    "recvmsg": ("v = 1; " + SEND, "CHECK(recvmsg(server, &MESSAGE, 0) == 1); v++;"),
    "recvmmsg": ("v = 1; " + SEND, "struct mmsghdr m = {.msg_hdr = MESSAGE}; CHECK(recvmmsg(server, &m, 1, 0, NULL) == 1); v++;"),
    "eventfd_read": ("v = 1; CHECK(eventfd_write(event, 1) == 0);", "eventfd_t e; CHECK(eventfd_read(event, &e) == 0); v++;"),
    "eventfd_write": ("v = 1; CHECK(eventfd_write(event, 1) == 0);", "CHECK(read(event, bytes, 8) == 8); v++;"),
    "epoll_ctl": polls("epoll_wait(epoll, &e, 1, -1)"),
    "epoll_wait": polls("epoll_wait(epoll, &e, 1, -1)"),
    "epoll_pwait": polls("epoll_pwait(epoll, &e, 1, -1, NULL)"),
    "epoll_pwait2": polls("epoll_pwait2(epoll, &e, 1, NULL, NULL)"),
    "write": sends(WRITE),
    "writev": sends("CHECK(writev(p[1], PART, 1) == 1);"),
    "pwrite": ("v = 1; " + PWRITE, PREAD + " v++;"),
    "pwrite64": ("v = 1; CHECK(pwrite64(file, bytes, 1, 0) == 1);", PREAD + " v++;"),
    "pwritev": ("v = 1; CHECK(pwritev(file, PART, 1, 0) == 1);", PREAD + " v++;"),
    "pwritev64": ("v = 1; CHECK(pwritev64(file, PART, 1, 0) == 1);", PREAD + " v++;"),
    "send": ("v = 1; CHECK(send(pair[0], bytes, 1, 0) == 1);", "CHECK(read(pair[1], bytes, 1) == 1); v++;"),
    "sendto": ("v = 1; CHECK(sendto(client, bytes, 1, 0, NULL, 0) == 1);", RECEIVE + " v++;"),
    "sendmsg": ("v = 1; CHECK(sendmsg(client, &MESSAGE, 0) == 1);", RECEIVE + " v++;"),
    "sendmmsg": ("v = 1; struct mmsghdr m = {.msg_hdr = MESSAGE}; CHECK(sendmmsg(client, &m, 1, 0) == 1);", RECEIVE + " v++;"),
    "shutdown": ("v = 1; CHECK(shutdown(client, SHUT_WR) == 0);", "CHECK(recv(server, bytes, 1, 0) == 0); v++;"),
    "close": ("v = 1; close(p[1]);", END + " v++;"),
    "dup2": ("v = 1; dup2(0, p[1]);", END + " v++;"),
    "dup3": ("v = 1; dup3(0, p[1], O_CLOEXEC);", END + " v++;"),
    "open": opens('open("/dev/null", O_RDONLY)'),
    "open64": opens('open64("/dev/null", O_RDONLY)'),
    "openat": opens('openat(AT_FDCWD, "/dev/null", O_RDONLY)'),
    "openat64": opens('openat64(AT_FDCWD, "/dev/null", O_RDONLY)'),
    "__open_2": opens('__open_2("/dev/null", O_RDONLY)'),
    "__open64_2": opens('__open64_2("/dev/null", O_RDONLY)'),
    "socket": opens("socket(AF_UNIX, SOCK_STREAM, 0)"),
    "eventfd": opens("eventfd(0, 0)"),
    "epoll_create": opens("epoll_create(1)"),
    "epoll_create1": opens("epoll_create1(0)"),
    "timerfd_create": opens("timerfd_create(CLOCK_MONOTONIC, 0)"),
    "inotify_init1": opens("inotify_init1(0)"),
    "dup": opens("dup(0)"),
    "pipe": ("v = 1; " + CLOSE, "while (two(pipe) != n); v++;"),
    "pipe2": ("v = 1; " + CLOSE, "while (two(pipe2_call) != n); v++;"),
    "socketpair": ("v = 1; " + CLOSE, "while (two(socketpair_call) != n); v++;"),
    "connect": ("v = 1; CHECK(connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address) == 0);",
                "CHECK(accept(listener, NULL, NULL) >= 0); v++;"),
    "accept": ("v = 1; CHECK(connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address) == 0);",
               "CHECK(accept(listener, NULL, NULL) >= 0); v++;"),
    "accept4": ("v = 1; CHECK(connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address) == 0);",
                "CHECK(accept4(listener, NULL, NULL, 0) >= 0); v++;"),
    "kill": ("v = 1; " + KILL, WAIT + " v++;"),
    "sigqueue": ("v = 1; CHECK(sigqueue(getpid(), SIGUSR1, (union sigval){0}) == 0);", WAIT + " v++;"),
    "tgkill": ("wait_known(); v = 1; CHECK(tgkill(getpid(), tid_b, SIGUSR1) == 0);", "known(); " + WAIT + " v++;"),
    "pthread_kill": ("v = 1; CHECK(pthread_kill(thread_b, SIGUSR1) == 0);", WAIT + " v++;"),
    "pthread_sigqueue": ("v = 1; CHECK(pthread_sigqueue(thread_b, SIGUSR1, (union sigval){0}) == 0);", WAIT + " v++;"),
    "sigwait": ("v = 1; " + KILL, WAIT + " v++;"),
    "sigwaitinfo": ("v = 1; " + KILL, "CHECK(sigwaitinfo(&set, NULL) == SIGUSR1); v++;"),
    "sigtimedwait": ("v = 1; " + KILL, "CHECK(sigtimedwait(&set, NULL, &(struct timespec){20, 0}) == SIGUSR1); v++;"),
    "handler-of-sent": ("wait_known(); v = 1; CHECK(pthread_kill(thread_b, SIGUSR2) == 0);",
                        "signal(SIGUSR2, handler); accept_signal(SIGUSR2); known(); wait_handled();"),
    "sigaction": ("v = 1; sigaction(SIGUSR2, &(struct sigaction){.sa_handler = handler}, NULL); step(0);",
                  "step(1); accept_signal(SIGUSR2); raise(SIGUSR2); wait_handled();"),
    "signal": ("v = 1; signal(SIGUSR2, handler); step(0);", "step(1); accept_signal(SIGUSR2); raise(SIGUSR2); wait_handled();"),
    "flock": locks("flock(file, LOCK_EX)", "flock(again, LOCK_EX)", "flock(file, LOCK_UN)"),
    "flock-by-closing": locks("flock(file, LOCK_EX)", "flock(again, LOCK_SH)", "close(file)"),
    "flock-for-readers": locks("flock(file, LOCK_EX)", "flock(again, LOCK_SH)", "flock(file, LOCK_SH)"),
    "fcntl": locks(f"fcntl(file, F_OFD_SETLKW, &{LOCKED})", f"fcntl(again, F_OFD_SETLK, &{LOCKED})", f"fcntl(file, F_OFD_SETLK, &{FREED})"),
    "fcntl64": locks(f"fcntl64(file, F_OFD_SETLKW, &{LOCKED})", f"fcntl64(again, F_OFD_SETLK, &{LOCKED})", f"fcntl64(file, F_OFD_SETLK, &{FREED})"),
    "fcntl-number": opens("fcntl(0, F_DUPFD, 0)"),
    "fcntl64-number": opens("fcntl64(0, F_DUPFD_CLOEXEC, 0)"),
    "mmap": ("step(0); give_page_back(); step(1);", "step(2); CHECK(mmap" + MAP + " page[0] = 2;"),
    "mmap64": ("step(0); give_page_back(); step(1);", "step(2); CHECK(mmap64" + MAP + " page[0] = 2;"),
}

# What looks much the same and orders nothing.
NO_ORDERS = {
    "another-pipe": ("step(0); v = 1; " + WRITE + " step(1);", "step(2); CHECK(read(full[0], bytes, 1) == 1); v++;"),
    "another-connection": ("step(0); v = 1; " + SEND + " step(1);", "step(2); CHECK(recv(other[1], bytes, 1, 0) == 1); v++;"),
    "after-writing": ("step(0); " + WRITE + " v = 1; step(1);", "step(2); " + READ + " v++;"),
    "another-number": ("step(0); v = 1; close(event); step(1);", "step(2); close(n); CHECK(dup(0) == n); v++;"),
    "another-signal": ("step(0); v = 1; kill(getpid(), SIGUSR2); step(1);",
                       "step(2); raise(SIGUSR1); CHECK(sigtimedwait(&(sigset_t){{1 << (SIGUSR1 - 1)}}, NULL, &(struct timespec){20, 0}) == SIGUSR1); v++;"),
    # Locks of the process exclude none of its threads.
    "record-lock": (f"step(0); CHECK(fcntl(file, F_SETLKW, &{LOCKED}) == 0); v = 1; CHECK(fcntl(file, F_SETLK, &{FREED}) == 0); step(1);",
                    f"step(2); CHECK(fcntl(again, F_SETLKW, &{LOCKED}) == 0); v++;"),
    "lock-of-another-file": ("step(0); CHECK(flock(file, LOCK_EX) == 0); v = 1; CHECK(flock(file, LOCK_UN) == 0); step(1);",
                             "step(2); CHECK(flock(unlocked, LOCK_EX) == 0); v++;"),
    "the-same-memory": ("step(0); page[0] = 1; step(1);", "step(2); page[0] = 2;"),
}


def program():
    cases = {**ORDERS, **NO_ORDERS}
    functions = "".join(f"static void *a{i}(void *x) {{ (void)x; {a} return NULL; }}\n"
                        f"static void *b{i}(void *x) {{ (void)x; {b} return NULL; }}\n" for i, (a, b) in enumerate(cases.values()))
    rows = "".join(f'{{"{name}", a{i}, b{i}}},\n' for i, name in enumerate(cases))
    return HEAD + SETUP + functions + "static const struct { const char *name; void *(*a)(void *), *(*b)(void *); } rows[] = {\n" + rows + """};
int main(int argc, char **argv)
{
	pthread_t thread_a;
	CHECK(argc == 2);
	setup();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (strcmp(rows[i].name, argv[1]) != 0)
			continue;
		pthread_create(&thread_b, NULL, rows[i].b, NULL);
		pthread_create(&thread_a, NULL, rows[i].a, NULL);
		pthread_join(thread_a, NULL);
		pthread_join(thread_b, NULL);
		return 0;
	}
	return 2;
}
"""


class Kernel(RaceCase):
    def check(self, program, name, expected):
        done, races = self.findings(program, arguments=[name])
        self.assertEqual(done.returncode, 66 if expected else 0, done.stderr.decode())
        self.assertEqual({race["rule"] for race in races}, expected, done.stderr.decode())

    def test_orders(self):
        for compiler in COMPILERS:
            built = self.build("kernel", program(), compiler)
            for name in ORDERS:
                with self.subTest(name, compiler=compiler):
                    self.check(built, name, set())
            for name in NO_ORDERS:
                with self.subTest(name, compiler=compiler):
                    self.check(built, name, {"data-race"})


if __name__ == "__main__":
    unittest.main()
