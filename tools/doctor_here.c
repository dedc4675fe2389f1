/* What is so on this machine for whatever program: read from where the kernel and the libraries say it. */
#include "doctor.h"

#include <gnu/libc-version.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim.h"
#include "symbols_detail.h"

enum { GLIBC_MAJOR = 2, GLIBC_MINOR = 35 };

/* Any library can be named. The shim has the name of its own variable in it. */
static bool looks_like_shim(const char *path)
{
	static const char mark[] = "DETECT_OPTIONS";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	bool found = false;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0) {
		void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		found = bytes != MAP_FAILED && memmem(bytes, (size_t)st.st_size, mark, sizeof(mark) - 1);
		if (bytes != MAP_FAILED)
			munmap(bytes, (size_t)st.st_size);
	}
	if (fd >= 0)
		close(fd);
	return found;
}

void doctor_check_shim(struct doctor *doctor)
{
	char *why;

	doctor->preload = shim_look(&why);
	if (doctor->preload && !looks_like_shim(doctor->preload)) {
		doctor_add(doctor, DOCTOR_PROBLEM, "unset DETECT_PRELOAD, or name libdetect_preload.so by it",
		           "%s: this is not the shim", doctor->preload);
		free(doctor->preload);
		doctor->preload = NULL;
	} else if (doctor->preload)
		doctor_add(doctor, DOCTOR_OK, NULL, "%s", doctor->preload);
	else
		doctor_add(
		    doctor, DOCTOR_PROBLEM,
		    "install libdetect_preload.so beside detect (../lib), or set DETECT_PRELOAD to its "
		    "path; it may have no space or colon",
		    "%s", why);
	free(why);
}

void doctor_check_c_library(struct doctor *doctor)
{
	const char *version = gnu_get_libc_version();
	unsigned major = 0, minor = 0;

	if (sscanf(version, "%u.%u", &major, &minor) == 2 &&
	    (major > GLIBC_MAJOR || (major == GLIBC_MAJOR && minor >= GLIBC_MINOR)))
		doctor_add(doctor, DOCTOR_OK, NULL, "glibc %s", version);
	else
		doctor_add(doctor, DOCTOR_PROBLEM,
		           "use a system with glibc 2.35 or later, for example a container",
		           "glibc %s; the shim needs %u.%u or later", version, GLIBC_MAJOR, GLIBC_MINOR);
}

void doctor_check_symbol_reader(struct doctor *doctor)
{
	doctor_add(doctor, DOCTOR_OK, NULL, "libdw %s reads function names and lines",
	           symbols_reader_version());
}

/* Value of a "Name:\tvalue" line of /proc/self/status; -1: none. */
static long own_status(const char *name)
{
	char line[256];
	long value = -1;
	FILE *status = fopen("/proc/self/status", "re");

	while (status && fgets(line, sizeof(line), status))
		if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
			value = strtol(line + strlen(name) + 1, NULL, 10);
	if (status)
		fclose(status);
	return value;
}

/* A seccomp filter can't be read; whether one is in the way is seen by trying (doctor_logs.c). */
void doctor_check_confinement(struct doctor *doctor)
{
	enum { SECCOMP_FILTER = 2 };

	if (getauxval(AT_SECURE))
		doctor_add(doctor, DOCTOR_PROBLEM,
		           "start detect without set-user-ID bits and file capabilities",
		           "detect itself runs with raised privileges: the loader drops LD_PRELOAD");
	if (own_status("Seccomp") < 0)
		doctor_add(doctor, DOCTOR_WARNING, "mount /proc in this container",
		           "/proc can't be read: detect ps and processes that still run can't be looked at");
	else if (own_status("Seccomp") == SECCOMP_FILTER)
		doctor_add(doctor, DOCTOR_OK, NULL,
		           "a seccomp filter is on; no ptrace, perf or privileges are needed");
	else
		doctor_add(doctor, DOCTOR_OK, NULL, "none; no ptrace, perf or privileges are needed");
}

static void check_limit(struct doctor *doctor, int resource, rlim_t least, enum doctor_verdict verdict,
                        const char *mend, const char *what)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)resource, &limit) == 0 && limit.rlim_cur < least)
		doctor_add(doctor, verdict, mend, "%s is limited to %ju MB", what,
		           (uintmax_t)limit.rlim_cur >> 20);
}

void doctor_check_limits(struct doctor *doctor)
{
	/* The shim's tables are sparse: addresses are reserved, memory is taken as it is used. */
	const rlim_t log_bytes = (rlim_t)256 << 20, log_least = (rlim_t)1 << 20, space = (rlim_t)4 << 30;
	size_t before = doctor->line_count;

	check_limit(doctor, RLIMIT_FSIZE, log_least, DOCTOR_PROBLEM, "raise it: ulimit -f unlimited",
	            "the size of a file");
	if (doctor->line_count == before)
		check_limit(
		    doctor, RLIMIT_FSIZE, log_bytes, DOCTOR_WARNING,
		    "raise it for long runs: ulimit -f unlimited; what does not fit in a log is dropped "
		    "and counted",
		    "the size of a file");
	check_limit(doctor, RLIMIT_AS, space, DOCTOR_WARNING,
	            "raise it: ulimit -v unlimited; the shim reserves addresses for tables that it mostly "
	            "never fills",
	            "the address space");
	if (doctor->line_count == before)
		doctor_add(doctor, DOCTOR_OK, NULL,
		           "files and address space are not limited below what is used");
}
