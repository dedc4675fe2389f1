/* signal_names.c: signals by name, the same in the shim and in reports. By Linux's numbers on the machines that
 * logs come from; the C library's own names need a lock or memory in some versions. */
#include <detect/finding.h>

#define RT(n) [34 + (n)] = "SIGRTMIN+" #n

static const char *const names[DT_SIGNAL_MAX + 1] = {
    [1] = "SIGHUP",   [2] = "SIGINT",     [3] = "SIGQUIT",  [4] = "SIGILL",   [5] = "SIGTRAP",  [6] = "SIGABRT",
    [7] = "SIGBUS",   [8] = "SIGFPE",     [9] = "SIGKILL",  [10] = "SIGUSR1", [11] = "SIGSEGV", [12] = "SIGUSR2",
    [13] = "SIGPIPE", [14] = "SIGALRM",   [15] = "SIGTERM", [17] = "SIGCHLD", [18] = "SIGCONT", [19] = "SIGSTOP",
    [20] = "SIGTSTP", [21] = "SIGTTIN",   [22] = "SIGTTOU", [23] = "SIGURG",  [24] = "SIGXCPU", [25] = "SIGXFSZ",
    [27] = "SIGPROF", [26] = "SIGVTALRM", [28] = "SIGWINCH", [29] = "SIGIO",  [30] = "SIGPWR",  [31] = "SIGSYS",
    [16] = "SIGSTKFLT", [34] = "SIGRTMIN", RT(1), RT(2), RT(3), RT(4), RT(5), RT(6), RT(7), RT(8), RT(9), RT(10),
    RT(11), RT(12), RT(13), RT(14), RT(15), RT(16), RT(17), RT(18), RT(19), RT(20), RT(21), RT(22), RT(23), RT(24),
    RT(25), RT(26), RT(27), RT(28), RT(29), RT(30),
};

const char *dt_signal_name(uint32_t signal)
{
	return signal <= DT_SIGNAL_MAX && names[signal] ? names[signal] : "a signal";
}
