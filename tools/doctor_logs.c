/* Where logs go, and the one test that stands for many: detect runs itself under the shim for a moment and
 * looks for the log. It tells a shim that the loader refuses, a filter that kills, a wrapper that strips
 * LD_PRELOAD, and a folder that is full apart by what came out. */
#include "doctor.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <detect/log_format.h>

#include "probe.h"
#include "shim.h"

#define SPACE_LOW ((uintmax_t)64 << 20)

/* The folder that logs would be made in: to be freed. `run` makes --output itself, but not what is above. */
static char *folder_of_logs(const struct doctor *doctor)
{
	const char *parent = getenv("TMPDIR"), *slash;
	struct stat st;

	if (!doctor->output)
		return must_printf("%s", parent && *parent ? parent : "/tmp");
	if (stat(doctor->output, &st) == 0 || errno != ENOENT)
		return must_printf("%s", doctor->output);
	size_t length = strlen(doctor->output);
	while (length > 1 && doctor->output[length - 1] == '/')
		length--;
	slash = memrchr(doctor->output, '/', length);
	if (!slash)
		return must_printf(".");
	return must_printf("%.*s", slash == doctor->output ? 1 : (int)(slash - doctor->output),
	                   doctor->output);
}

static void check_space(struct doctor *doctor, const char *folder)
{
	struct statvfs fs;
	uintmax_t left = UINTMAX_MAX;

	if (statvfs(folder, &fs) == 0)
		left = (uintmax_t)fs.f_bavail * fs.f_frsize;
	if (left == 0)
		doctor_add(doctor, DOCTOR_PROBLEM,
		           "make room, or name another folder with --output=DIR or TMPDIR", "%s: full",
		           folder);
	else if (left < SPACE_LOW)
		doctor_add(doctor, DOCTOR_WARNING,
		           "make room, or name another folder with --output=DIR or TMPDIR; what does not fit "
		           "in a log "
		           "is dropped and counted",
		           "%s: %ju MB are left", folder, left >> 20);
	else
		doctor_add(doctor, DOCTOR_OK, NULL, "%s", folder);
}

void doctor_check_log_folder(struct doctor *doctor)
{
	char *folder = folder_of_logs(doctor), *made = must_printf("%s/detect-doctor-XXXXXX", folder);
	char *real = mkdtemp(made) ? realpath(made, NULL) : NULL;

	if (real) {
		doctor->log_folder = real;
		check_space(doctor, folder);
	} else {
		doctor_add(doctor, DOCTOR_PROBLEM,
		           "name a folder that can be written to, with --output=DIR or TMPDIR", "%s: %s",
		           folder, strerror(errno));
	}
	free(made);
	free(folder);
}

/* Remove what the probe left; true when a log was among it. */
static bool take_logs(const char *path)
{
	DIR *folder = opendir(path);
	bool found = false;

	for (struct dirent *entry; folder && (entry = readdir(folder));) {
		if (entry->d_name[0] == '.')
			continue;
		found |= strstr(entry->d_name, DT_LOG_SUFFIX) != NULL;
		unlinkat(dirfd(folder), entry->d_name, 0);
	}
	if (folder)
		closedir(folder);
	return found;
}

/* What to do about the loader's "object ... cannot be preloaded (why)". */
static const char *loader_mend(const char *line)
{
	static const struct {
		const char *words, *mend;
	} rows[] = {
	    {"GLIBC_", "build the shim on this system, or on one with an older C library"},
	    {"wrong ELF class", "DETECT_PRELOAD names a library for another kind of machine; leave it unset"},
	    {"failed to map", "its folder is mounted noexec: copy the shim elsewhere and set DETECT_PRELOAD"},
	    {"Operation not permitted",
	     "its folder is mounted noexec: copy the shim elsewhere and set DETECT_PRELOAD"},
	    {"ermission denied", "let everyone read the shim and its folders (chmod a+rX)"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strstr(line, rows[i].words))
			return rows[i].mend;
	return "install the shim again, and see that DETECT_PRELOAD names it";
}

static void judge(struct doctor *doctor, const struct probe *probe, bool log)
{
	char *loader = probe_line(probe, "cannot be preloaded"), *ours = probe_line(probe, "libdetect: ");

	if (!loader)
		loader = probe_line(probe, "GLIBC_");
	if (probe->error)
		doctor_add(doctor, DOCTOR_PROBLEM, "see that processes can be started here",
		           "detect can't start itself: %s", strerror(probe->error));
	else if (loader)
		doctor_add(doctor, DOCTOR_PROBLEM, loader_mend(loader), "%s", loader);
	else if (probe->timed_out)
		doctor_add(doctor, DOCTOR_PROBLEM, "report this, with the name of the system",
		           "a program under the shim did not end");
	else if (WIFSIGNALED(probe->wait_status))
		doctor_add(
		    doctor, DOCTOR_PROBLEM,
		    "let the sandbox allow mmap, madvise, openat, ftruncate, futex and readlink (Docker: "
		    "--security-opt seccomp=unconfined)",
		    "a program under the shim was ended by signal %d", WTERMSIG(probe->wait_status));
	else if (!log && ours)
		doctor_add(doctor, DOCTOR_PROBLEM,
		           "name a folder with room for logs, with --output=DIR or TMPDIR", "%s", ours);
	else if (!log)
		doctor_add(
		    doctor, DOCTOR_PROBLEM,
		    "look for an AppArmor or SELinux rule or a wrapper that clears the environment at exec",
		    "a program under the shim left no log: LD_PRELOAD is stripped here");
	else if (ours)
		doctor_add(doctor, DOCTOR_WARNING, "mend DETECT_OPTIONS, or unset it", "%s", ours);
	else
		doctor_add(doctor, DOCTOR_OK, NULL, "a program under the shim ran, and left its log");
	free(loader);
	free(ours);
}

void doctor_check_preloading(struct doctor *doctor)
{
	char self[PATH_MAX] = "", *argv[] = {self, (char[]){"--version"}, NULL};
	struct shim_options options;
	struct probe probe;

	if (!doctor->preload || !doctor->log_folder)
		return; /* said already */
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return;
	shim_options_init(&options);
	shim_options_set(&options, "log_dir", doctor->log_folder);
	shim_options_set(&options, "children", "yes");
	char **environment = shim_environment(doctor->preload, &options);
	probe_run(&probe, self, argv, environment);
	judge(doctor, &probe, take_logs(doctor->log_folder));
	probe_close(&probe);
	shim_environment_free(environment);
	shim_options_close(&options);
}
