"""What libc does to the program's memory: for each call of the table a part that it touches and a part beside it, by
both compilers; the order that streams and waits give; and what is not the program's."""

import os
import re
import subprocess

from race_case import COMPILERS, HEAD, RaceCase

PROTOTYPES = """
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <time.h>
#include <wchar.h>
extern void *__memcpy_chk(void *, const void *, size_t, size_t), *__memmove_chk(void *, const void *, size_t, size_t);
extern void *__mempcpy_chk(void *, const void *, size_t, size_t), *__memset_chk(void *, int, size_t, size_t);
extern void __explicit_bzero_chk(void *, size_t, size_t);
extern char *__strcpy_chk(char *, const char *, size_t), *__stpcpy_chk(char *, const char *, size_t), *__strcat_chk(char *, const char *, size_t);
extern char *__strncpy_chk(char *, const char *, size_t, size_t), *__stpncpy_chk(char *, const char *, size_t, size_t);
extern char *__strncat_chk(char *, const char *, size_t, size_t);
extern ssize_t __read_chk(int, void *, size_t, size_t), __pread_chk(int, void *, size_t, off_t, size_t), __pread64_chk(int, void *, size_t, off_t, size_t);
extern ssize_t __recv_chk(int, void *, size_t, size_t, int);
extern ssize_t __recvfrom_chk(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *);
extern int __poll_chk(struct pollfd *, nfds_t, int, size_t), __ppoll_chk(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *, size_t);
extern size_t __fread_chk(void *, size_t, size_t, size_t, FILE *);
extern char *__fgets_chk(char *, size_t, int, FILE *), *__getcwd_chk(char *, size_t, size_t), *__realpath_chk(const char *, char *, size_t);
extern int __gethostname_chk(char *, size_t, size_t);
extern ssize_t __readlink_chk(const char *, char *, size_t, size_t), __readlinkat_chk(int, const char *, char *, size_t, size_t);
extern int __printf_chk(int, const char *, ...), __fprintf_chk(FILE *, int, const char *, ...), __dprintf_chk(int, int, const char *, ...);
extern int __sprintf_chk(char *, int, size_t, const char *, ...), __snprintf_chk(char *, size_t, int, size_t, const char *, ...);
extern int __asprintf_chk(char **, int, const char *, ...), __vprintf_chk(int, const char *, va_list), __vfprintf_chk(FILE *, int, const char *, va_list);
extern int __vdprintf_chk(int, int, const char *, va_list), __vsprintf_chk(char *, int, size_t, const char *, va_list);
extern int __vsnprintf_chk(char *, size_t, int, size_t, const char *, va_list), __vasprintf_chk(char **, int, const char *, va_list);
extern int old_sscanf(const char *, const char *, ...) __asm__("sscanf"), old_vsscanf(const char *, const char *, va_list) __asm__("vsscanf");
extern int old_fscanf(FILE *, const char *, ...) __asm__("fscanf"), old_vfscanf(FILE *, const char *, va_list) __asm__("vfscanf");
extern int old_scanf(const char *, ...) __asm__("scanf"), old_vscanf(const char *, va_list) __asm__("vscanf");
"""

# A case has its own zone, filled before its threads begin. What is kept or asked through HIDDEN no detector sees.
ZONE = r"""
#define HIDDEN __attribute__((no_sanitize("thread"), noinline))
struct zone {
	char a[64] __attribute__((aligned(16))), b[4096] __attribute__((aligned(8)));
	char *p; long gap; size_t n; long gap2;
	int fd[2], pad[2];
	FILE *in, *out;
	long v, w;
	void *kept;
};
HIDDEN static void use(long v) { __asm__ volatile("" : : "r"(v)); }
HIDDEN static size_t length(struct zone *z) { size_t n = 0; while (z->b[n]) n++; return n; }
HIDDEN static void keep(struct zone *z, void *p) { z->kept = p; }
HIDDEN static char *kept(struct zone *z) { return z->kept; }
HIDDEN static int end(struct zone *z, int i) { return z->fd[i]; }
HIDDEN static FILE *in(struct zone *z) { return z->in; }
HIDDEN static FILE *out(struct zone *z) { return z->out; }
HIDDEN static void fill(struct zone *z) { strcpy(z->a, "hello, world"); z->p = z->a; z->n = sizeof z->b; }
HIDDEN static void check(int ok, const char *what) { if (!ok) { perror(what); abort(); } }
static void pipes(struct zone *z) { check(pipe(z->fd) == 0, "pipe"); }
static void streams(struct zone *z) { pipes(z); z->in = fdopen(z->fd[0], "r"); z->out = fdopen(z->fd[1], "w"); }
static void lines(struct zone *z) { streams(z); check(write(z->fd[1], "12345\n6789\n", 11) == 11, "write"); }
static void full(struct zone *z) { pipes(z); check(write(z->fd[1], "0123456789", 10) == 10, "write"); }
static void pair(struct zone *z) { check(socketpair(AF_UNIX, SOCK_STREAM, 0, z->fd) == 0, "socketpair"); }
static void filled(struct zone *z) { pair(z); check(write(z->fd[1], "0123456789", 10) == 10, "write"); }
static void file(struct zone *z) { z->fd[0] = z->fd[1] = open("file", O_CREAT | O_RDWR, 0600); check(pwrite(z->fd[0], "0123456789", 10, 0) == 10, "pwrite"); }
static void event(struct zone *z) { z->fd[0] = z->fd[1] = eventfd(0, 0); }
static void watched(struct zone *z) { full(z); int e = epoll_create1(0); struct epoll_event one = {EPOLLIN, {NULL}}; epoll_ctl(e, EPOLL_CTL_ADD, z->fd[0], &one); z->fd[1] = e; }
static void none(struct zone *z) { (void)z; }
static void nowhere(struct zone *z) { z->out = fopen("/dev/null", "w"); z->fd[1] = open("/dev/null", O_WRONLY); }
static void datagrams(struct zone *z) { struct sockaddr_un to = {AF_UNIX, "datagrams"}; unlink(to.sun_path);
	z->fd[0] = socket(AF_UNIX, SOCK_DGRAM, 0); z->fd[1] = socket(AF_UNIX, SOCK_DGRAM, 0);
	check(bind(z->fd[0], (struct sockaddr *)&to, sizeof to) == 0, "bind"); memcpy(z->b, &to, sizeof to); }
static void sent(struct zone *z) { datagrams(z); struct sockaddr_un from = {AF_UNIX, "sender"}; unlink(from.sun_path);
	check(bind(z->fd[1], (struct sockaddr *)&from, sizeof from) == 0, "bind");
	check(sendto(z->fd[1], "0123456789", 10, 0, (struct sockaddr *)z->b, sizeof from) == 10, "sendto"); }
static void listening(struct zone *z) { struct sockaddr_un to = {AF_UNIX, "listening"}; unlink(to.sun_path);
	z->fd[0] = socket(AF_UNIX, SOCK_STREAM, 0); z->fd[1] = socket(AF_UNIX, SOCK_STREAM, 0);
	check(bind(z->fd[0], (struct sockaddr *)&to, sizeof to) == 0 && listen(z->fd[0], 5) == 0, "listen"); memcpy(z->b, &to, sizeof to); }
static void connected(struct zone *z) { listening(z); check(connect(z->fd[1], (struct sockaddr *)z->b, sizeof(struct sockaddr_un)) == 0, "connect"); }
#define R(x) do { volatile char seen = *(volatile char *)&(x); (void)seen; } while (0)
#define W(x) (*(volatile char *)&(x) = 1)
static int by_char(const void *a, const void *b) { return *(const char *)a - *(const char *)b; }
static int by_char_r(const void *a, const void *b, void *with) { (void)with; return by_char(a, b); }
#define LISTED(name, last, params, call) static int name(params, ...) { va_list args; va_start(args, last); int result = call; va_end(args); return result; }
#define V(...) __VA_ARGS__
LISTED(v_printf, f, const char *f, vprintf(f, args))
LISTED(v_printf_chk, f, const char *f, __vprintf_chk(1, f, args))
LISTED(v_fprintf, f, V(FILE *to, const char *f), vfprintf(to, f, args))
LISTED(v_fprintf_chk, f, V(FILE *to, const char *f), __vfprintf_chk(to, 1, f, args))
LISTED(v_dprintf, f, V(int to, const char *f), vdprintf(to, f, args))
LISTED(v_dprintf_chk, f, V(int to, const char *f), __vdprintf_chk(to, 1, f, args))
LISTED(v_sprintf, f, V(char *to, const char *f), vsprintf(to, f, args))
LISTED(v_sprintf_chk, f, V(char *to, const char *f), __vsprintf_chk(to, 1, 64, f, args))
LISTED(v_snprintf, f, V(char *to, size_t n, const char *f), vsnprintf(to, n, f, args))
LISTED(v_snprintf_chk, f, V(char *to, size_t n, const char *f), __vsnprintf_chk(to, n, 1, 64, f, args))
LISTED(v_asprintf, f, V(char **to, const char *f), vasprintf(to, f, args))
LISTED(v_asprintf_chk, f, V(char **to, const char *f), __vasprintf_chk(to, 1, f, args))
LISTED(v_sscanf, f, V(const char *from, const char *f), vsscanf(from, f, args))
LISTED(v_fscanf, f, V(FILE *from, const char *f), vfscanf(from, f, args))
LISTED(v_scanf, f, const char *f, vscanf(f, args))
LISTED(old_v_sscanf, f, V(const char *from, const char *f), old_vsscanf(from, f, args))
LISTED(old_v_fscanf, f, V(FILE *from, const char *f), old_vfscanf(from, f, args))
LISTED(old_v_scanf, f, const char *f, old_vscanf(f, args))
extern void a_load(size_t, const void *, void *, int) __asm__("__atomic_load");
extern void a_store(size_t, void *, const void *, int) __asm__("__atomic_store");
extern void a_exchange(size_t, void *, const void *, void *, int) __asm__("__atomic_exchange");
extern bool a_compare(size_t, void *, void *, const void *, int, int) __asm__("__atomic_compare_exchange");
typedef unsigned __int128 word16;
extern word16 a_load_16(const void *, int) __asm__("__atomic_load_16");
extern void a_store_16(void *, word16, int) __asm__("__atomic_store_16");
extern bool a_compare_16(void *, void *, word16, int, int) __asm__("__atomic_compare_exchange_16");
#define A_UPDATE(name) extern word16 a_##name##_16(void *, word16, int) __asm__("__atomic_" #name "_16");
A_UPDATE(exchange) A_UPDATE(fetch_add) A_UPDATE(fetch_sub) A_UPDATE(fetch_and) A_UPDATE(fetch_or) A_UPDATE(fetch_xor) A_UPDATE(fetch_nand)
#define T ((struct tm *)z->b)
#define WA ((wchar_t *)z->b)
#define WB ((wchar_t *)(z->b + 512))
#define TS ((struct timespec *)z->b)
#define IOV {z->b, 4}, {z->b + 16, 4}
#define EV ((struct epoll_event *)z->b)
#define PFD ((struct pollfd *)z->b)
"""

# (call, what makes its zone, what one thread does, what of another races with it, what does not)
ROWS = []


def row(name, call, hit, miss, setup="none"):
    # A result that is not used may have a compiler leave the call out.
    used = [re.sub(r"\(void\)!([^;]+)", r"use((long)\1)", text) for text in (call, hit, miss)]
    ROWS.append((name, setup, *used))


def fortified(name, call, hit, miss, setup="none", room="64"):
    """The plain name and the one with the target's size as last argument."""
    row(name, f"{name}({call})", hit, miss, setup)
    row(f"__{name}_chk", f"__{name}_chk({call}, {room})", hit, miss, setup)


for _name in ("memcpy", "memmove", "mempcpy"):
    fortified(_name, "z->b, z->a, 5", "R(z->b[4])", "R(z->b[5])")
    fortified(_name, "z->b, z->a, 5", "W(z->a[4])", "W(z->a[5])")
row("bcopy", "bcopy(z->a, z->b, 5)", "R(z->b[4])", "R(z->b[5])")
row("bcopy", "bcopy(z->a, z->b, 5)", "W(z->a[4])", "W(z->a[5]); R(z->a[0])")
fortified("memset", "z->b, 1, 9", "R(z->b[8])", "R(z->b[9])")
row("bzero", "bzero(z->b, 9)", "R(z->b[8])", "R(z->b[9])")
fortified("explicit_bzero", "z->b, 9", "R(z->b[8])", "R(z->b[9])")
row("memccpy", "memccpy(z->b, z->a, ',', 60)", "R(z->b[5])", "R(z->b[6])")
row("memccpy", "memccpy(z->b, z->a, '!', 4)", "W(z->a[3])", "W(z->a[4])")
for _name in ("memcmp", "bcmp"):
    row(_name, f"(void)!{_name}(z->a, z->b, 8)", "W(z->a[7])", "W(z->a[8]); R(z->a[0])")
    row(_name, f"(void)!{_name}(z->a, z->b, 8)", "W(z->b[7])", "W(z->b[8])")
row("memchr", "(void)!memchr(z->a, ',', 64)", "W(z->a[5])", "W(z->a[6])")
row("memchr", "(void)!memchr(z->a, '!', 20)", "W(z->a[19])", "W(z->a[20])")
row("rawmemchr", "(void)!rawmemchr(z->a, ',')", "W(z->a[5])", "W(z->a[6])")
row("memrchr", "(void)!memrchr(z->a, ',', 20)", "W(z->a[5])", "W(z->a[4]); W(z->a[20])")
row("memmem", "(void)!memmem(z->a, 64, \"lo\", 2)", "W(z->a[4])", "W(z->a[5])")
row("memmem", "(void)!memmem(z->a, 20, z->b, 3)", "W(z->b[2])", "W(z->b[3])")
row("strlen", "(void)!strlen(z->a)", "W(z->a[12])", "W(z->a[13])")
row("strnlen", "(void)!strnlen(z->a, 5)", "W(z->a[4])", "W(z->a[5])")
row("strnlen", "(void)!strnlen(z->a, 50)", "W(z->a[12])", "W(z->a[13])")
for _name in ("strcpy", "stpcpy"):
    fortified(_name, "z->b, z->a", "R(z->b[12])", "R(z->b[13])")
    fortified(_name, "z->b, z->a", "W(z->a[12])", "W(z->a[13])")
for _name in ("strncpy", "stpncpy"):
    fortified(_name, "z->b, z->a, 20", "R(z->b[19])", "R(z->b[20])")
    fortified(_name, "z->b, z->a, 5", "W(z->a[4])", "W(z->a[5])")
fortified("strcat", "z->b, z->a", "R(z->b[12])", "R(z->b[13])")
fortified("strcat", "z->a, z->b", "W(z->a[11])", "W(z->a[13])")
fortified("strncat", "z->b, z->a, 5", "R(z->b[5])", "R(z->b[6])")
fortified("strncat", "z->b, z->a, 5", "W(z->a[4])", "W(z->a[5])")
for _name, _other, _last in (("strcmp", "hexlo", ""), ("strcasecmp", "HExlo", ""), ("strncmp", "hexlo", ", 9"), ("strncasecmp", "HExlo", ", 9")):
    row(_name, f"(void)!{_name}(z->a, \"{_other}\"{_last})", "W(z->a[2])", "W(z->a[3])")
    row(_name, f"(void)!{_name}(\"{_other}\", z->a{_last})", "W(z->a[2])", "W(z->a[3])")
row("strncmp", "(void)!strncmp(z->a, \"hello\", 3)", "W(z->a[2])", "W(z->a[3])")
row("strcoll", "(void)!strcoll(z->a, \"x\")", "W(z->a[12])", "W(z->a[13])")
row("strchr", "(void)!strchr(z->a, ',')", "W(z->a[5])", "W(z->a[6])")
row("strchr", "(void)!strchr(z->a, '!')", "W(z->a[12])", "W(z->a[13])")
row("strchrnul", "(void)!strchrnul(z->a, ',')", "W(z->a[5])", "W(z->a[6])")
row("strrchr", "(void)!strrchr(z->a, ',')", "W(z->a[12])", "W(z->a[13])")
row("strstr", "(void)!strstr(z->a, \"lo\")", "W(z->a[4])", "W(z->a[5])")
row("strstr", "(void)!strstr(\"hello\", z->a)", "W(z->a[12])", "W(z->a[13])")
row("strcasestr", "(void)!strcasestr(z->a, \"LO\")", "W(z->a[4])", "W(z->a[5])")
row("strpbrk", "(void)!strpbrk(z->a, \",.\")", "W(z->a[5])", "W(z->a[6])")
row("strspn", "(void)!strspn(z->a, \"hel\")", "W(z->a[4])", "W(z->a[5])")
row("strcspn", "(void)!strcspn(z->a, \",.\")", "W(z->a[5])", "W(z->a[6])")
row("strtok", "strtok(z->a, \",\")", "W(z->a[4])", "W(z->a[6])")
row("strtok", "strtok(z->a, \",\")", "R(z->a[5])", "R(z->a[4]); W(z->a[6])")
row("strtok", "strtok(z->a, \"l\"); strtok(NULL, \"l\")", "R(z->a[10])", "R(z->a[9]); R(z->a[3]); W(z->a[11])")
row("strtok", "strtok(z->a, \"l\"); strtok(NULL, \"l\"); strtok(NULL, \"l\")", "W(z->a[12])", "R(z->a[12]); W(z->a[13])")
row("strtok", "strtok(z->a, \"hello, world\")", "W(z->a[12])", "R(z->a[12]); W(z->a[13])")
row("strtok_r", "char *s; strtok_r(z->a, \",\", &s)", "R(z->a[5])", "R(z->a[4]); W(z->a[6])")
row("strtok_r", "char *s; strtok_r(z->a, \",\", &s)", "W(z->a[4])", "W(z->a[6])")
row("strtok_r", "strtok_r(z->a, \",\", &z->p)", "R(z->p)", "R(z->gap)")
row("strsep", "char *s = z->a; strsep(&s, \",\")", "R(z->a[5])", "R(z->a[4]); W(z->a[6])")
row("strsep", "strsep(&z->p, \",\")", "R(z->p)", "R(z->gap)")
row("strdup", "keep(z, strdup(z->a))", "R(kept(z)[12])", "R(kept(z)[13])")
row("strdup", "keep(z, strdup(z->a))", "W(z->a[12])", "W(z->a[13])")
row("strndup", "keep(z, strndup(z->a, 5))", "R(kept(z)[5])", "R(kept(z)[6])")
row("strndup", "keep(z, strndup(z->a, 5))", "W(z->a[4])", "W(z->a[5])")
for _name, _base in (("strtol", ", 10"), ("strtoul", ", 10"), ("strtoll", ", 10"), ("strtoull", ", 10"), ("strtod", ""), ("strtof", "")):
    row(_name, f"(void)!{_name}(\"123 \", &z->p{_base})", "R(z->p)", "R(z->gap)")
    row(_name, f"(void)!{_name}(z->b, NULL{_base})", "W(z->b[3])", "W(z->b[4])", "digits")
for _name in ("atoi", "atol", "atoll", "atof"):
    row(_name, f"(void)!{_name}(z->b)", "W(z->b[3])", "W(z->b[4])", "digits")
ZONE += 'static void digits(struct zone *z) { memcpy(z->b, "123 45", 6); }\n'

# Descriptors: what came, and what goes.
fortified("read", "end(z, 0), z->b, 64", "R(z->b[9])", "R(z->b[10])", "full")
for _name in ("pread", "pread64"):
    fortified(_name, "end(z, 0), z->b, 64, 2", "R(z->b[7])", "R(z->b[8])", "file")
row("recv", "recv(end(z, 0), z->b, 64, 0)", "R(z->b[9])", "R(z->b[10])", "filled")
row("__recv_chk", "__recv_chk(end(z, 0), z->b, 64, 64, 0)", "R(z->b[9])", "R(z->b[10])", "filled")
for _name, _room in (("recvfrom", ""), ("__recvfrom_chk", " 64,")):
    _call = f"socklen_t n = 16; {_name}(end(z, 0), z->b, 64,{_room} 0, (struct sockaddr *)(z->b + 128), &n)"
    row(_name, _call, "R(z->b[9])", "R(z->b[10])", "sent")
    row(_name, _call, "R(z->b[130])", "R(z->b[144])", "sent")
    row(_name, _call.replace("&n", "(socklen_t *)&z->n"), "R(z->n)", "R(z->gap2)", "sent")
row("recvmsg", "struct iovec part[] = {IOV}; struct msghdr m = {.msg_iov = part, .msg_iovlen = 2}; recvmsg(end(z, 0), &m, 0)",
    "R(z->b[19])", "R(z->b[4]); R(z->b[20])", "filled")
row("recvmsg", "struct iovec part = {z->a, 4}; *(struct msghdr *)z->b = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1}; recvmsg(end(z, 0), (struct msghdr *)z->b, 0)",
    "R(z->a[3])", "R(z->a[4])", "filled")
row("readv", "struct iovec part[] = {IOV}; readv(end(z, 0), part, 2)", "R(z->b[19])", "R(z->b[4]); R(z->b[20])", "full")
for _name in ("preadv", "preadv64"):
    row(_name, f"struct iovec part[] = {{IOV}}; {_name}(end(z, 0), part, 2, 4)", "R(z->b[17])", "R(z->b[4]); R(z->b[18])", "file")
row("write", "(void)!write(end(z, 1), z->a, 5)", "W(z->a[4])", "W(z->a[5]); R(z->a[0])", "pipes")
for _name in ("pwrite", "pwrite64"):
    row(_name, f"(void)!{_name}(end(z, 1), z->a, 5, 0)", "W(z->a[4])", "W(z->a[5]); R(z->a[0])", "file")
row("send", "send(end(z, 1), z->a, 5, 0)", "W(z->a[4])", "W(z->a[5])", "pair")
_to = "(struct sockaddr *)z->b, sizeof(struct sockaddr_un)"
row("sendto", f"sendto(end(z, 1), z->a, 5, 0, {_to})", "W(z->a[4])", "W(z->a[5])", "datagrams")
row("sendto", f"sendto(end(z, 1), z->a, 5, 0, {_to})", "W(z->b[sizeof(struct sockaddr_un) - 1])", "W(z->b[sizeof(struct sockaddr_un)])", "datagrams")
row("sendmsg", "struct iovec part[] = {IOV}; struct msghdr m = {.msg_iov = part, .msg_iovlen = 2}; sendmsg(end(z, 1), &m, 0)",
    "W(z->b[19])", "W(z->b[4]); W(z->b[20])", "pair")
row("writev", "struct iovec part[] = {IOV}; (void)!writev(end(z, 1), part, 2)", "W(z->b[19])", "W(z->b[4]); W(z->b[20])", "pipes")
for _name in ("pwritev", "pwritev64"):
    row(_name, f"struct iovec part[] = {{IOV}}; (void)!{_name}(end(z, 1), part, 2, 0)", "W(z->b[19])", "W(z->b[4]); W(z->b[20])", "file")
row("connect", f"connect(end(z, 1), {_to})", "W(z->b[5])", "W(z->b[sizeof(struct sockaddr_un)])", "listening")
for _name, _flags in (("accept", ""), ("accept4", ", 0")):
    row(_name, f"*(socklen_t *)z->a = 64; {_name}(end(z, 0), (struct sockaddr *)(z->b + 512), (socklen_t *)z->a{_flags})",
        "R(z->b[513])", "R(z->b[512 + sizeof(struct sockaddr_un)])", "connected")
row("eventfd_read", "eventfd_read(end(z, 0), (eventfd_t *)z->b)", "R(z->b[7])", "R(z->b[8])", "counted")
ZONE += "static void counted(struct zone *z) { event(z); eventfd_write(z->fd[1], 1); }\n"
row("pipe", "(void)!pipe((int *)z->b)", "R(z->b[7])", "R(z->b[8])")
row("pipe2", "(void)!pipe2((int *)z->b, O_CLOEXEC)", "R(z->b[7])", "R(z->b[8])")
row("socketpair", "socketpair(AF_UNIX, SOCK_STREAM, 0, (int *)z->b)", "R(z->b[7])", "R(z->b[8])")
row("getrandom", "(void)!getrandom(z->b, 10, 0)", "R(z->b[9])", "R(z->b[10])")
row("getentropy", "(void)!getentropy(z->b, 10)", "R(z->b[9])", "R(z->b[10])")

# Waits.
ZONE += "static void listed(struct zone *z) { full(z); PFD->fd = z->fd[0]; PFD->events = POLLIN; FD_SET(z->fd[0], (fd_set *)(z->b + 512)); }\n"
ZONE += "static void noted(struct zone *z) { pipes(z); EV->events = EPOLLIN; z->fd[1] = epoll_create1(0); }\n"
for _call in ("poll(PFD, 1, 0)", "__poll_chk(PFD, 1, 0, 64)", "ppoll(PFD, 1, &(struct timespec){0}, NULL)",
              "__ppoll_chk(PFD, 1, &(struct timespec){0}, NULL, 64)"):
    row(_call.split("(")[0], _call, "R(PFD->revents)", "R(PFD->events); W(PFD[1])", "listed")
    row(_call.split("(")[0], _call, "W(PFD->events)", "W(PFD[1])", "listed")
for _name, _limit in (("select", "&(struct timeval){0}"), ("pselect", "&(struct timespec){0}, NULL")):
    row(_name, f"{_name}(64, (fd_set *)(z->b + 512), NULL, NULL, {_limit})", "R(z->b[519])", "R(z->b[520])", "listed")
for _name, _mask in (("epoll_wait", ""), ("epoll_pwait", ", NULL")):
    row(_name, f"{_name}(end(z, 1), EV, 4, 0{_mask})", "R(z->b[11])", "R(z->b[12])", "watched")
row("epoll_ctl", "epoll_ctl(end(z, 1), EPOLL_CTL_ADD, end(z, 0), EV)", "W(z->b[11])", "W(z->b[12])", "noted")

# Streams.
for _name in ("fread", "fread_unlocked"):
    row(_name, f"(void)!{_name}(z->b, 3, 2, in(z))", "R(z->b[5])", "R(z->b[6])", "lines")
row("__fread_chk", "(void)!__fread_chk(z->b, 64, 3, 2, in(z))", "R(z->b[5])", "R(z->b[6])", "lines")
row("fgets", "(void)!fgets(z->b, 64, in(z))", "R(z->b[6])", "R(z->b[7])", "lines")
row("__fgets_chk", "(void)!__fgets_chk(z->b, 64, 64, in(z))", "R(z->b[6])", "R(z->b[7])", "lines")
for _name, _until in (("getline", ""), ("getdelim", ", '\\n'"), ("__getdelim", ", '\\n'")):
    _call = f"(void)!{_name}(&z->p, &z->n{_until}, in(z))"
    row(_name, _call, "R(z->b[6])", "R(z->b[7])", "line_room")
    row(_name, _call, "R(z->n)", "R(z->gap)", "line_room")
ZONE += "static void line_room(struct zone *z) { lines(z); z->p = z->b; }\n"
for _name in ("fwrite", "fwrite_unlocked"):
    row(_name, f"{_name}(z->a, 5, 1, out(z))", "W(z->a[4])", "W(z->a[5])", "nowhere")
row("fputs", "fputs(z->a, out(z))", "W(z->a[12])", "W(z->a[13])", "nowhere")
row("puts", "puts(z->a)", "W(z->a[12])", "W(z->a[13])")

# libatomic.
row("__atomic_load", "a_load(24, z->a, z->b, 5)", "W(z->a[23])", "W(z->a[24]); R(z->a[23])")
row("__atomic_load", "a_load(24, z->a, z->b, 5)", "R(z->b[23])", "R(z->b[24])")
row("__atomic_store", "a_store(24, z->a, z->b, 5)", "R(z->a[23])", "R(z->a[24])")
row("__atomic_store", "a_store(24, z->a, z->b, 5)", "W(z->b[23])", "W(z->b[24])")
row("__atomic_exchange", "a_exchange(24, z->a, z->b, z->b + 64, 5)", "R(z->a[23])", "R(z->a[24])")
row("__atomic_exchange", "a_exchange(24, z->a, z->b, z->b + 64, 5)", "R(z->b[87])", "R(z->b[88])")
row("__atomic_compare_exchange", "(void)!a_compare(24, z->a, z->b, z->b + 64, 5, 5)", "R(z->b[23])", "R(z->b[87])")
row("__atomic_load_16", "use((long)a_load_16(z->a, 5))", "W(z->a[15])", "W(z->a[16]); R(z->a[15])")
row("__atomic_store_16", "a_store_16(z->a, 7, 5)", "R(z->a[15])", "R(z->a[16])")
row("__atomic_compare_exchange_16", "(void)!a_compare_16(z->a, z->b, 7, 5, 5)", "R(z->b[15])", "R(z->b[16])")
for _name in ("exchange", "fetch_add", "fetch_sub", "fetch_and", "fetch_or", "fetch_xor", "fetch_nand"):
    row(f"__atomic_{_name}_16", f"use((long)a_{_name}_16(z->a, 7, 5))", "R(z->a[15])", "R(z->a[16])")

# Formats.
for _call in ("printf(", "__printf_chk(1, ", "v_printf(", "v_printf_chk(", "fprintf(out(z), ", "__fprintf_chk(out(z), 1, ",
              "v_fprintf(out(z), ", "v_fprintf_chk(out(z), ", "dprintf(end(z, 1), ", "__dprintf_chk(end(z, 1), 1, ",
              "v_dprintf(end(z, 1), ", "v_dprintf_chk(end(z, 1), "):
    _name = _call.split("(")[0]
    _name = "__v" + _name[2:] if _name.startswith("v_") and "chk" in _name else _name.replace("v_", "v")
    row(_name, _call + r'"%d %s\n", 1, z->a)', "W(z->a[12])", "W(z->a[13])", "nowhere")
for _call in ("sprintf(z->b, ", "__sprintf_chk(z->b, 1, 64, ", "v_sprintf(z->b, ", "v_sprintf_chk(z->b, ", "snprintf(z->b, 64, ",
              "__snprintf_chk(z->b, 64, 1, 64, ", "v_snprintf(z->b, 64, ", "v_snprintf_chk(z->b, 64, "):
    _name = _call.split("(")[0]
    _name = "__v" + _name[2:] if _name.startswith("v_") and "chk" in _name else _name.replace("v_", "v")
    row(_name, _call + '"<%s>", "text")', "R(z->b[6])", "R(z->b[7])")
    row(_name, _call + '"%-3d%5.2f%Lg%c%.3s%*d%p%hhd%zu%s", 1, 2.5, 1.0L, 65, "abcdef", 3, 4, (void *)0, 5, sizeof 1, z->a)', "W(z->a[12])", "W(z->a[13])")
    row(_name, _call + '"%.*s", 5, z->a)', "W(z->a[4])", "W(z->a[5])")
    row(_name, _call + '"%3$Lg %2$.*4$s %1$*4$d%5$hhd", 1, z->a, 1.0L, 5, 2)', "W(z->a[4])", "W(z->a[5])")
    row(_name, _call + '"%2$s%1$g%2$s", 2.5, z->a)', "W(z->a[12])", "W(z->a[13])")
row("snprintf", 'snprintf(z->b, 4, "%s", "long text")', "R(z->b[3])", "R(z->b[4])")
row("snprintf", 'snprintf(z->b, 64, "%d%n", 4, (int *)z->a)', "R(z->a[3])", "R(z->a[4])")
for _call in ("asprintf(&z->p, ", "__asprintf_chk(&z->p, 1, ", "v_asprintf(&z->p, ", "v_asprintf_chk(&z->p, "):
    _name = _call.split("(")[0]
    _name = "__v" + _name[2:] if _name.startswith("v_") and "chk" in _name else _name.replace("v_", "v")
    row(_name, "(void)!" + _call + '"<%s>", "text")', "R(z->p)", "R(z->gap)")

# Scanned. The header gives the plain names to those of C99.
SCANNED = [  # text, format and arguments, what races with it, what does not
    ("123 x", '"%d", (int *)z->b', "R(z->b[3])", "R(z->b[4])"),
    ("1 2 3", '"%hhd %hd%n %ld", z->b, (short *)(z->b + 8), (int *)(z->b + 16), (long *)(z->b + 24)', "R(z->b[19])", "R(z->b[1]); R(z->b[10]); R(z->b[20])"),
    ("1 2 3", '"%hhd %hd%n %ld", z->b, (short *)(z->b + 8), (int *)(z->b + 16), (long *)(z->b + 24)', "R(z->b[31])", "R(z->b[32])"),
    ("1.5 2.5 3", '"%f%lf%d", (float *)z->b, (double *)(z->b + 8), (int *)(z->b + 16)', "R(z->b[15])", "R(z->b[4]); R(z->b[20])"),
    ("1.5 2", '"%Lf%d", (long double *)z->b, (int *)(z->b + 16)', "R(z->b[15])", "R(z->b[20])"),
    ("1 2 3", '"%*d %2$d %1$d", (int *)z->b, (int *)(z->b + 8)', "R(z->b[11])", "R(z->b[4]); R(z->b[12])"),
    ("hello world", '"%7s", z->b', "R(z->b[5])", "R(z->b[6])"),
    ("ab]c", '"%[]ab]%c", z->b, z->b + 16', "R(z->b[16])", "R(z->b[4]); R(z->b[17])"),
    ("abcdef 1", '"%6c%d", z->b, (int *)(z->b + 16)', "R(z->b[5])", "R(z->b[6])"),
    ("ab", '"%999999999999999999999c", z->b', "R(z->b[0])", "R(z->b[2])"),
    ("ab", '"%ls", (wchar_t *)z->b', "R(z->b[11])", "R(z->b[12])"),
    ("hello", '"%ms", &z->p', "R(z->p)", "R(z->gap)"),
    ("1 x", '"%d%d", (int *)z->b, (int *)(z->b + 8)', "R(z->b[3])", "R(z->b[8])"),
    ("1 x", '"%d y%n%k", (int *)z->b, (int *)(z->b + 8)', "R(z->b[3])", "R(z->b[8])"),
]
for _prefix, _old in (("__isoc99_", ""), ("", "old_")):
    for _text, _rest, _hit, _miss in SCANNED:
        row(f"{_prefix}sscanf", f'{_old}sscanf("{_text}", {_rest})', _hit, _miss)
    row(f"{_prefix}sscanf", f'{_old}sscanf(z->a, "%*s")', "W(z->a[12])", "W(z->a[13])")
    row(f"{_prefix}vsscanf", f'{_old}v_sscanf("12 ab", "%d %s", (int *)z->b, z->b + 8)', "R(z->b[10])", "R(z->b[4]); R(z->b[11])")
    for _v, _call in (("", f"{_old}"), ("v", f"{_old}v_")):
        row(f"{_prefix}{_v}fscanf", f'{_call}fscanf(in(z), "%d", (int *)z->b)', "R(z->b[3])", "R(z->b[4])", "lines")
        row(f"{_prefix}{_v}scanf", f'{_call}scanf("%d", (int *)z->b)', "R(z->b[3])", "R(z->b[4])", "from_input")
        row(f"{_prefix}{_v}fscanf", f"z->v = 1; (void)!write(end(z, 1), \"1234567\\n\", 8)", "R(z->v)", f'{_call}fscanf(in(z), "%d", &(int){{0}}); R(z->v)', "streams")
row("sscanf", 'old_sscanf("hello", "%as", &z->p)', "R(z->p)", "R(z->gap)")
ZONE += "static void from_input(struct zone *z) { full(z); stdin = fdopen(z->fd[0], \"r\"); close(z->fd[1]); z->fd[1] = 0; }\n"

# Wide characters.
ZONE += "static void wide(struct zone *z) { wcscpy(WA, L\"hello, world\"); }\n"
row("wcslen", "(void)!wcslen(WA)", "W(WA[12])", "W(WA[13])", "wide")
row("wcsnlen", "(void)!wcsnlen(WA, 5)", "W(WA[4])", "W(WA[5])", "wide")
row("wcscpy", "wcscpy(WB, WA)", "R(WB[12])", "R(WB[13])", "wide")
row("wcscpy", "wcscpy(WB, WA)", "W(WA[12])", "W(WA[13])", "wide")
row("wcsncpy", "wcsncpy(WB, WA, 20)", "R(WB[19])", "R(WB[20])", "wide")
row("wcsncpy", "wcsncpy(WB, WA, 5)", "W(WA[4])", "W(WA[5])", "wide")
row("wcscat", "wcscat(WA, L\"ab\")", "R(WA[14])", "R(WA[15])", "wide")
row("wcscat", "wcscat(WB, WA)", "W(WA[12])", "W(WA[13])", "wide")
for _name in ("wmemcpy", "wmemmove"):
    row(_name, f"{_name}(WB, WA, 5)", "R(WB[4])", "R(WB[5])", "wide")
    row(_name, f"{_name}(WB, WA, 5)", "W(WA[4])", "W(WA[5])", "wide")
row("wmemset", "wmemset(WA, L'x', 5)", "R(WA[4])", "R(WA[5])", "wide")
row("wmemcmp", "(void)!wmemcmp(WA, WB, 5)", "W(WB[4])", "W(WB[5])", "wide")
row("mbstowcs", "(void)!mbstowcs(WB, \"abc\", 20)", "R(WB[3])", "R(WB[4])")
row("mbstowcs", "(void)!mbstowcs(WB, \"abc\", 2)", "R(WB[1])", "R(WB[2])")
row("wcstombs", "(void)!wcstombs(z->a, WA, 5)", "R(z->a[4])", "R(z->a[5])", "wide")

# Times.
row("time", "time((time_t *)z->b)", "R(z->b[7])", "R(z->b[8])")
row("gettimeofday", "gettimeofday((struct timeval *)z->b, NULL)", "R(z->b[15])", "R(z->b[16])")
row("clock_gettime", "clock_gettime(CLOCK_MONOTONIC, TS)", "R(z->b[15])", "R(z->b[16])")
row("clock_getres", "clock_getres(CLOCK_MONOTONIC, TS)", "R(z->b[15])", "R(z->b[16])")
row("timespec_get", "timespec_get(TS, TIME_UTC)", "R(z->b[15])", "R(z->b[16])")
row("nanosleep", "nanosleep(TS, NULL)", "W(z->b[15])", "W(z->b[16]); R(z->b[0])")
row("clock_nanosleep", "clock_nanosleep(CLOCK_MONOTONIC, 0, TS, NULL)", "W(z->b[15])", "W(z->b[16]); R(z->b[0])")
# All of libc's own: a word that was told of once is not told of again.
for _name, _at in (("localtime", 4), ("gmtime", 16)):
    row(_name, f"keep(z, {_name}((time_t *)(z->b + 512)))", f"R(kept(z)[{_at}])", "R(z->b[0])")
    row(_name, f"{_name}((time_t *)(z->b + 512))", "W(z->b[519])", "W(z->b[520])")
    row(_name + "_r", f"{_name}_r((time_t *)(z->b + 512), T)", "R(T->tm_yday)", "R(T[1])")
    row(_name + "_r", f"{_name}_r((time_t *)(z->b + 512), T)", "W(z->b[519])", "W(z->b[520])")
row("ctime", "keep(z, ctime((time_t *)z->b))", "R(kept(z)[3])", "R(z->b[3])")
row("ctime_r", "ctime_r((time_t *)(z->b + 64), z->b)", "R(z->b[25])", "R(z->b[26])")
row("asctime", "keep(z, asctime(T))", "R(kept(z)[16])", "R(z->b[3])", "first_day")
row("asctime_r", "asctime_r(T, z->b + 512)", "R(z->b[512 + 25])", "R(z->b[512 + 26])", "first_day")
ZONE += "static void first_day(struct zone *z) { T->tm_mday = 1; }\n"
row("mktime", "mktime(T)", "R(T->tm_yday)", "R(T[1])", "first_day")
row("timegm", "timegm(T)", "R(T->tm_yday)", "R(T[1])", "first_day")
row("strftime", "(void)!strftime(z->b + 512, 64, \"%Y\", T)", "R(z->b[512 + 4])", "R(z->b[512 + 5])", "first_day")
row("strftime", "(void)!strftime(z->b + 512, 64, \"%Y\", T)", "W(T->tm_year)", "W(T[1])", "first_day")

# The system.
for _name, _type in (("stat", "stat"), ("stat64", "stat64"), ("lstat", "stat"), ("lstat64", "stat64")):
    row(_name, f"(void)!{_name}(\"/\", (struct {_type} *)z->b)", f"R(z->b[sizeof(struct {_type}) - 1])", f"R(z->b[sizeof(struct {_type})])")
for _name, _type in (("fstat", "stat"), ("fstat64", "stat64")):
    row(_name, f"{_name}(end(z, 0), (struct {_type} *)z->b)", f"R(z->b[sizeof(struct {_type}) - 1])", f"R(z->b[sizeof(struct {_type})])", "pipes")
for _name, _type in (("fstatat", "stat"), ("fstatat64", "stat64")):
    row(_name, f"(void)!{_name}(AT_FDCWD, \"/\", (struct {_type} *)z->b, 0)", f"R(z->b[sizeof(struct {_type}) - 1])", f"R(z->b[sizeof(struct {_type})])")
fortified("getcwd", "z->b, 4096", "R(z->b[1])", "R(z->b[length(z) + 1])", room="4096")
row("realpath", "(void)!realpath(\"/usr/..\", z->b)", "R(z->b[1])", "R(z->b[2])")
row("__realpath_chk", "(void)!__realpath_chk(\"/usr/..\", z->b, 4096)", "R(z->b[1])", "R(z->b[2])")
fortified("gethostname", "z->b, 1024", "R(z->b[0])", "R(z->b[length(z) + 1])", room="1024")
for _name in ("readlink(", "__readlink_chk(", "readlinkat(AT_FDCWD, ", "__readlinkat_chk(AT_FDCWD, "):
    row(_name.split("(")[0], f"(void)!{_name}\"/proc/self/exe\", z->b, 4{', 64' if 'chk' in _name else ''})", "R(z->b[3])", "R(z->b[4])")
row("uname", "uname((struct utsname *)z->b)", "R(z->b[sizeof(struct utsname) - 1])", "R(z->b[sizeof(struct utsname)])")
row("qsort", "qsort(z->a, 12, 1, by_char)", "R(z->a[11])", "R(z->a[12])")
row("qsort_r", "qsort_r(z->a, 12, 1, by_char_r, NULL)", "R(z->a[11])", "R(z->a[12])")
row("bsearch", "(void)!bsearch(\"z\", z->a, 12, 1, by_char)", "W(z->a[6])", "R(z->a[6])")

# Order: what was done before one call was done before the other returned. The other thread of a hit doesn't call.
READ = "(void)!read(end(z, 0), (char[8]){0}, 8)"
WRITE = "(void)!write(end(z, 1), \"1234567\\n\", 8)"
for _setup in ("pipes", "pair"):
    row("write", f"z->v = 1; {WRITE}", "R(z->v)", f"{READ}; R(z->v)", _setup)
row("write", "z->v = 1; (void)!write(end(z, 1), &(uint64_t){1}, 8)", "R(z->v)", f"{READ}; R(z->v)", "event")
ORDER = {
    "pipes": (WRITE, ["(void)!readv(end(z, 0), &(struct iovec){(char[8]){0}, 8}, 1)", "poll(&(struct pollfd){end(z, 0), POLLIN, 0}, 1, -1)",
                      "fd_set s; FD_ZERO(&s); FD_SET(end(z, 0), &s); select(end(z, 0) + 1, &s, NULL, NULL, NULL)"]),
    "pair": (WRITE, ["recv(end(z, 0), (char[8]){0}, 8, 0)"]),
    "event": ("eventfd_write(end(z, 1), 1)", ["eventfd_read(end(z, 0), &(eventfd_t){0})"]),
    "streams": (WRITE, ["(void)!fgets((char[9]){0}, 9, in(z))", "fgetc(in(z))", "getc(in(z))", "(void)!fread((char[8]){0}, 8, 1, in(z))",
                        "char *l = NULL; size_t n = 0; (void)!getline(&l, &n, in(z)); free(l)"]),
}
for _setup, (_release, _acquires) in ORDER.items():
    for _acquire in _acquires:
        _named = re.search(r"(\w+)\((?:end|in|&\(struct pollfd|&l|\(char\[)", _acquire).group(1)
        row(_named, f"z->v = 1; {_release}", "R(z->v)", f"{_acquire}; R(z->v)", _setup)
for _release in ("close(end(z, 1))", "(void)!writev(end(z, 1), &(struct iovec){(char[8]){0}, 8}, 1)", 'dprintf(end(z, 1), "12345678")'):
    row(re.search(r"(\w+)\(end", _release).group(1), f"z->v = 1; {_release}", "R(z->v)", f"{READ}; R(z->v)", "pipes")
for _release in ("shutdown(end(z, 1), SHUT_WR)", "send(end(z, 1), \"12345678\", 8, 0)", "sendmsg(end(z, 1), &(struct msghdr){.msg_iov = &(struct iovec){(char[8]){0}, 8}, .msg_iovlen = 1}, 0)"):
    row(_release.split("(")[0], f"z->v = 1; {_release}", "R(z->v)", f"{READ}; R(z->v)", "pair")
row("eventfd_write", "z->v = 1; eventfd_write(end(z, 1), 1)", "R(z->v)", f"{READ}; R(z->v)", "event")
ZONE += "static void unbuffered(struct zone *z) { streams(z); setvbuf(z->out, NULL, _IONBF, 0); }\n"
for _release, _setup in (("fputc('x', out(z))", "unbuffered"), ("putc('x', out(z))", "unbuffered"), ("fputs(\"x\", out(z))", "unbuffered"),
                         ("fwrite(\"x\", 1, 1, out(z))", "unbuffered"), ("fprintf(out(z), \"x\")", "unbuffered"),
                         ("fputs(\"x\", out(z)); z->w = 2; fflush(out(z))", "streams"), ("fputs(\"x\", out(z)); z->w = 2; fclose(out(z))", "streams")):
    row(re.findall(r"(\w+)\(", _release)[-2], f"z->v = z->w = 1; {_release}", "R(z->w)", f"{READ}; R(z->v); R(z->w)", _setup)
row("connect", f"z->v = 1; connect(end(z, 1), {_to})", "R(z->v)", "accept(end(z, 0), NULL, NULL); R(z->v)", "listening")
row("epoll_wait", f"z->v = 1; {WRITE.replace('end(z, 1)', 'z->pad[0]')}", "R(z->v)", "struct epoll_event e; epoll_wait(end(z, 1), &e, 1, -1); R(z->v)", "empty_watched")
ZONE += "static void empty_watched(struct zone *z) { pipes(z); z->pad[0] = z->fd[1]; z->fd[1] = epoll_create1(0); struct epoll_event one = {EPOLLIN, {NULL}}; epoll_ctl(z->fd[1], EPOLL_CTL_ADD, z->fd[0], &one); }\n"
row("epoll_ctl", "z->v = 1; epoll_ctl(end(z, 1), EPOLL_CTL_ADD, end(z, 0), &(struct epoll_event){EPOLLIN, {NULL}})",
    "R(z->v)", "struct epoll_event e; epoll_wait(end(z, 1), &e, 1, -1); R(z->v)", "unwatched")
ZONE += "static void unwatched(struct zone *z) { full(z); z->fd[1] = epoll_create1(0); }\n"


def program():
    """Every row twice: call_N with hit_N, and call_N with miss_N, one pair of threads after the other."""
    lines, cases = [HEAD.replace("#define _GNU_SOURCE", "#define _GNU_SOURCE\n#define _LARGEFILE64_SOURCE") + PROTOTYPES + ZONE], []
    for i, (_, setup, call, hit, miss) in enumerate(ROWS):
        for kind, other in (("hit", hit), ("miss", miss)):
            lines.append(f"static void *call_{kind}_{i}(void *x) {{ struct zone *z = x; step(0); {call}; step(1); return NULL; }}")
            lines.append(f"static void *{kind}_{i}(void *x) {{ struct zone *z = x; step(2); {other}; return NULL; }}")
            cases.append(f"{{{setup}, call_{kind}_{i}, {kind}_{i}}},")
    lines.append("static const struct { void (*setup)(struct zone *); void *(*a)(void *), *(*b)(void *); } cases[] = {" + "\n".join(cases) + "};")
    lines.append("""
HIDDEN static void again(void) { steps = 0; }
int main(void)
{
	static struct zone zones[sizeof cases / sizeof *cases];
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		pthread_t t[2];
		again();
		fill(&zones[i]);
		cases[i].setup(&zones[i]);
		pthread_create(&t[0], NULL, cases[i].a, &zones[i]);
		pthread_create(&t[1], NULL, cases[i].b, &zones[i]);
		pthread_join(t[0], NULL);
		pthread_join(t[1], NULL);
		for (int e = 0; e < 2; e++)
			if (zones[i].fd[e] > 2)
				close(zones[i].fd[e]);
	}
	return 0;
}
""")
    return "\n".join(lines)


class Table(RaceCase):
    def calls(self):
        done = self.detect("cc", "--libc-calls")
        self.assertEqual(done.returncode, 0)
        return [line.split()[0] for line in done.stdout.decode().splitlines()]

    def test_one_list(self):
        """What the linker is told, what the shim has, and what is tested is the same."""
        calls = self.calls()
        self.assertEqual(len(calls), len(set(calls)))
        nm = subprocess.run(["nm", "-D", "--defined-only", os.environ["DETECT_PRELOAD"]], stdout=subprocess.PIPE, check=True, text=True)
        wrappers = {line.split()[-1][len("__wrap_"):] for line in nm.stdout.splitlines() if line.split()[-1].startswith("__wrap_")}
        self.assertEqual(wrappers, set(calls))
        flags = self.detect("cc", "--link-flags").stdout.decode()
        self.assertEqual(re.findall(r"--wrap=(\w+)", flags), calls)
        self.assertEqual(set(calls) - {name for name, *_ in ROWS}, set(), "in the table, and no case here")


# What a library does with the program's memory, and who else is to blame: nobody, or two of the library's callers.
LIBRARY = """
#include <string.h>
#include <unistd.h>
void library_copy(char *to, const char *from, size_t bytes) { memcpy(to, from, bytes); __asm__ volatile(""); /* no tail call */ }
void library_write(int fd, const char *from, size_t bytes) { (void)!write(fd, from, bytes); }
"""
CALLER = HEAD + """
void library_copy(char *, const char *, size_t);
static char v[64], w[64];
static void *a(void *x) { step(0); library_copy(v, w, 64); step(1); return x; }
static void *b(void *x) { step(2); library_copy(w, v, 64); return x; }
int main(void) { run(a, b); return 0; }
"""


class Whose(RaceCase):
    def with_library(self, compiler, instrumented, static=False, level="-O0"):
        source, library = self.write("library.c", LIBRARY), self.folder / ("library.o" if static else "libours.so")
        command = [compiler, level, "-fno-builtin", "-g", "-fPIC", "-c" if static else "-shared", source, "-o", library]
        if instrumented:
            done = self.detect("cc", *command[1:], env={"CC": compiler})
        else:
            done = subprocess.run(command, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 0, done.stderr)
        program = self.build("caller", CALLER, compiler, flags=("-Wl,--no-as-needed", library, f"-Wl,-rpath,{self.folder}"))
        return self.findings(program)[1]

    def test_a_library_that_is_not_instrumented(self):
        for compiler in COMPILERS:
            self.assertEqual(self.with_library(compiler, False), [], compiler)

    def test_what_is_linked_statically(self):
        """The linker has redirected its calls, too."""
        for compiler in COMPILERS:
            for level in ("-O0", "-O2"):
                with self.subTest(compiler=compiler, level=level):
                    self.assertEqual(self.with_library(compiler, False, True, level), [])
                    race, *_ = self.with_library(compiler, True, True, level)
                    self.assertIn("library_copy", [frame["function"] for frame in race["events"][-1]["stack"][:1]])

    def test_a_library_that_is(self):
        for compiler in COMPILERS:
            race, *_ = self.with_library(compiler, True)
            stacks = [[frame["function"] for frame in event["stack"]] for event in race["events"] if event["what"] in ("read", "write")]
            self.assertEqual(sorted(stack[:2] for stack in stacks), [["library_copy", "a"], ["library_copy", "b"]], compiler)

    def test_the_program_s_own_of_that_name(self):
        """With other parameters, in another file: taken as it is, also where instrumented code asks for it."""
        own = self.write("named.c", "int getline(char *to, int most) { to[0] = (char)most; return 1; }\n"
                         "double connect(double a, int b, double c, int d, int e) { return a + b + c + d + e; }\n")
        text = HEAD.replace("#define _GNU_SOURCE", "").replace("#include <stdio.h>", "").replace("#include <threads.h>", "") + """
int getline(char *to, int most);
double connect(double a, int b, double c, int d, int e);
int main(void) { char line[4]; return getline(line, 3) == 1 && line[0] == 3 && connect(1, 2, 3.5, 4, 5) == 15.5 ? 7 : 1; }
"""
        for compiler in COMPILERS:
            program = self.build("own", text, compiler, flags=("-w", "-fno-builtin", own))
            done = subprocess.run([program], stderr=subprocess.PIPE, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (7, b""), compiler)

    def test_sorting_is_on_the_stack(self):
        text = HEAD + """
static int seen, v[8] = {5, 3, 1};
static int compare(const void *a, const void *b) { seen++; return *(const int *)a - *(const int *)b; }
static void *a(void *x) { step(0); qsort(v, 3, sizeof *v, compare); step(1); return x; }
static void *b(void *x) { step(2); seen++; return x; }
int main(void) { run(a, b); return v[0] != 1; }
"""
        for compiler in COMPILERS:
            races = self.findings(self.build("sorts", text, compiler))[1]
            (race,) = [race for race in races if race["memory"]["name"] == "seen"]
            past = next(e["stack"] for e in race["events"] if e["what"] == "write" and e["stack"][0]["function"] == "compare")
            functions = [frame["function"] for frame in past]
            self.assertIn("a", functions)
            line = next(frame["line"] for frame in past if frame["function"] == "a")
            self.assertIn("qsort(v", text.splitlines()[line - 1])

    def test_errno_and_results_are_kept(self):
        text = HEAD + """
#include <errno.h>
static void *a(void *x)
{
	char to[8];
	errno = 0;
	if (read(-1, to, 8) != -1 || errno != EBADF)
		abort();
	errno = ERANGE;
	if (strlen("abc") != 3 || snprintf(to, 4, "%s", "abcdef") != 6 || strcmp(to, "abc") || errno != ERANGE)
		abort();
	if (write(1, NULL, 8) != -1 || errno != EFAULT)
		abort();
	return x;
}
int main(void) { pthread_t t; pthread_create(&t, NULL, a, NULL); pthread_join(t, NULL); a(NULL); return 0; }
"""
        for compiler in COMPILERS:
            program = self.build("errno", text, compiler, flags=("-fno-builtin", "-w"))
            for options in ("", "races=no"):
                with open(os.devnull, "wb") as nowhere, open(self.folder / "out", "wb") as out:
                    done = subprocess.run([program], stdout=out, stderr=nowhere, timeout=60, env={**os.environ, "DETECT_OPTIONS": options})
                self.assertEqual(done.returncode, 0, (compiler, options))

    def test_scanning_gives_what_libc_gives(self):
        """Also where the format is no format, has no end, asks for the impossible or numbers what is not there."""
        forms = ["%d%", "%[", "%[^", "%]", "%y", "%lc%y", "%s%n", "%99999999999999999999s", "%2147483647c", "%0$d", "%2$d%1$d",
                 "%*", "%l", "%mc", "%ms%m[a]", "%a", "%hhhhd", "%d%d%d%d", "x%n", "%*s%n", "% d", "%'d", "%Id"]
        body = "".join(f'try("{text}", "{form}");\n' for form in forms for text in ("", "12 ab 3", "ab", "x"))
        text = HEAD + """
#include <errno.h>
static void try(const char *text, const char *format)
{
	static _Alignas(16) char to[4][64];
	memset(to, 0, sizeof to);
	errno = ERANGE;
	int result = sscanf(text, format, to[0], to[1], to[2], to[3]);
	printf("%s %s: %d %d\\n", text, format, result, errno);
}
static void *a(void *x) { BODY return x; }
int main(void) { pthread_t t; pthread_create(&t, NULL, a, NULL); pthread_join(t, NULL); return 0; }
""".replace("BODY", body)
        for compiler in COMPILERS:
            program, plain = self.build("scans", text, compiler, flags=("-w",)), self.folder / "plain"
            include = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../libdetect/include")
            subprocess.run([compiler, "-w", "-I", include, self.folder / "scans.c", "-o", plain, "-pthread"], check=True)
            watched, bare = (subprocess.run([it], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60) for it in (program, plain))
            self.assertEqual(watched.returncode, 0, watched.stderr)
            self.assertEqual((watched.returncode, watched.stdout), (bare.returncode, bare.stdout), compiler)

    def test_cancelled_in_read(self):
        """A cancelled wait leaves nothing behind: what the cleanup handler and the next thread do is watched."""
        text = HEAD + """
static int ends[2], v;
static void clean(void *x) { (void)x; v++; }
static void *a(void *x) { char c; pthread_cleanup_push(clean, NULL); step(0); (void)!read(ends[0], &c, 1); pthread_cleanup_pop(0); return x; }
int main(void)
{
	pthread_t t;
	(void)!pipe(ends);
	pthread_create(&t, NULL, a, NULL);
	step(1);
	pthread_cancel(t);
	RACE
	pthread_join(t, NULL);
	v++;
	return 0;
}
"""
        for compiler in COMPILERS:
            for race in ("v++;", ""):
                races = self.findings(self.build("cancel", text.replace("RACE", race), compiler, flags=("-w",)))[1]
                self.assertEqual(bool(races), bool(race), (compiler, race))


def add_compiler(compiler):
    def test(self):
        binary = self.build("calls", program(), compiler, flags=("-O0", "-fno-builtin", "-w"))
        done, races = self.findings(binary)
        seen = {}
        for race in races:
            for function in {frame["function"] for event in race["events"] for frame in event.get("stack", [])}:
                if match := re.fullmatch(r"(?:call_)?(hit|miss)_(\d+)", function or ""):
                    seen.setdefault(match.group(1), set()).add(int(match.group(2)))
        missed = sorted(set(range(len(ROWS))) - seen.get("hit", set()))
        self.assertEqual([ROWS[i] for i in missed], [], f"not found{done.stderr.decode()[-2000:]}")
        self.assertEqual([ROWS[i] for i in sorted(seen.get("miss", set()))], [], "found where there is none")
        self.assertEqual(self.findings(binary, "races=no", status=0)[1], [])

    setattr(Table, f"test_twins_{compiler}", test)


for _compiler in COMPILERS:
    add_compiler(_compiler)
