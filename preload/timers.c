/* timers.c: the kernel is asked. /proc/self/timers has a line "signal: NUMBER/VALUE" for each timer of
 * timer_create. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "objects.h"
#include "timers.h"

enum { LIST_BYTES = 4096 };

static bool alarm_may(void)
{
	struct itimerval now = {0};

	return syscall(SYS_getitimer, ITIMER_REAL, &now) == 0 &&
	       (now.it_value.tv_sec || now.it_value.tv_usec) && shim_has_handler(SIGALRM);
}

static int number_at(const char *text)
{
	int number = 0;

	for (; *text >= '0' && *text <= '9' && number < 1000; text++)
		number = number * 10 + (*text - '0');
	return number;
}

static bool timer_may(void)
{
	static const char label[] = "\nsignal: ";
	char list[LIST_BYTES];
	int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/timers", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	long got = syscall(SYS_read, fd, list, sizeof list - 1);
	syscall(SYS_close, fd);
	list[got > 0 ? got : 0] = '\0';
	for (const char *at = list; (at = strstr(at, label));) {
		at += sizeof label - 1;
		if (shim_has_handler(number_at(at)))
			return true;
	}
	return false;
}

bool shim_timer_may_run_handler(void)
{
	return alarm_may() || timer_may();
}
