/* What is so of the program. It is not run: its dynamic loader is asked, as ldd -r does, what it would load
 * with the shim in front and which symbols it would not find (ld.so(8), LD_TRACE_LOADED_OBJECTS). */
#include "doctor.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "model.h"
#include "probe.h"
#include "say.h"
#include "shim.h"

enum { SHOWN_MAX = 5 }; /* lines of the loader that say what is missing */

void doctor_check_program(struct doctor *doctor)
{
	struct program *program = &doctor->program;

	if (!doctor->program_name)
		return;
	program_find(program, doctor->program_name);
	if (program->status)
		doctor_add(doctor, DOCTOR_PROBLEM, program->mend, "%s", program->why);
	else if (!program->elf)
		doctor_add(doctor, DOCTOR_WARNING, "see that it can be read",
		           "%s: can't be read, so nothing more can be seen beforehand", program->path);
	else if (strcmp(program->elf, program->path) == 0)
		doctor_add(doctor, DOCTOR_OK, NULL, "%s: dynamically linked, without privileges",
		           program->path);
	else
		doctor_add(doctor, DOCTOR_OK, NULL, "%s: a script, run by %s", program->path, program->elf);
}

/* A copy of the environment with the loader's questions in it, to be freed with shim_environment_free. */
static char **asking_environment(const struct doctor *doctor)
{
	static const char *const questions[] = {"LD_TRACE_LOADED_OBJECTS=1", "LD_WARN=1", "LD_BIND_NOW=1"};
	const size_t more = sizeof(questions) / sizeof(*questions);
	struct shim_options options;
	size_t count = 0;

	shim_options_init(&options);
	char **environment = shim_environment(doctor->preload, &options);
	shim_options_close(&options);
	while (environment[count])
		count++;
	environment = must_realloc(environment, count + more + 1, sizeof(*environment));
	for (size_t i = 0; i < more; i++)
		environment[count++] = must_printf("%s", questions[i]);
	environment[count] = NULL;
	return environment;
}

static void add_missing(struct doctor *doctor, const struct probe *probe, const char *words,
                        enum doctor_verdict verdict, const char *mend)
{
	const char *at = probe->text;
	unsigned shown = 0;

	for (; (at = strstr(at, words)) && shown < SHOWN_MAX; shown++) {
		const char *begin = at;
		while (begin > probe->text && begin[-1] != '\n')
			begin--;
		begin += strspn(begin, "\t ");
		at += strcspn(at, "\n");
		doctor_add(doctor, verdict, mend, "%.*s", (int)(at - begin), begin);
	}
}

static void judge(struct doctor *doctor, const struct probe *probe)
{
	size_t before = doctor->line_count;
	char *loaded = probe_line(probe, model_base_name(doctor->preload));

	if (probe->error || probe->timed_out || WIFSIGNALED(probe->wait_status)) {
		doctor_add(doctor, DOCTOR_WARNING, NULL, "%s did not say what it would load",
		           doctor->program.loader);
		free(loaded);
		return;
	}
	add_missing(doctor, probe, "cannot be preloaded", DOCTOR_PROBLEM,
	            "see that the program's own C library is glibc 2.35 or later, for this kind of machine");
	add_missing(doctor, probe, "version `", DOCTOR_PROBLEM,
	            "run it on the system that it, or the shim, was built for");
	add_missing(doctor, probe, "=> not found", DOCTOR_PROBLEM,
	            "install the library, or name its folder in LD_LIBRARY_PATH");
	add_missing(
	    doctor, probe, "undefined symbol: ", DOCTOR_WARNING,
	    "the program may end when it calls it: install the version of the library that it was built "
	    "with");
	if (doctor->line_count == before && !loaded)
		doctor_add(doctor, DOCTOR_PROBLEM, "see whether its loader is patched to ignore LD_PRELOAD",
		           "%s does not load the shim", doctor->program.loader);
	else if (doctor->line_count == before)
		doctor_add(doctor, DOCTOR_OK, NULL, "%s loads the shim and finds all libraries and symbols",
		           doctor->program.loader);
	free(loaded);
}

void doctor_check_libraries(struct doctor *doctor)
{
	struct program *program = &doctor->program;
	char *argv[] = {program->loader, program->elf, NULL};
	struct probe probe;

	/* The path in the file may name anything; only what is a loader is run. */
	if (!doctor->preload ||
	    strncmp(model_base_name(program->loader), "ld-linux", strlen("ld-linux")) != 0)
		return;
	char **environment = asking_environment(doctor);
	probe_run(&probe, program->loader, argv, environment);
	judge(doctor, &probe);
	probe_close(&probe);
	shim_environment_free(environment);
}

void doctor_check_debug_information(struct doctor *doctor)
{
	const char *elf = doctor->program.elf;
	struct symbols_detail *detail = &doctor->detail;

	symbols_detail_read(detail, elf);
	if (detail->has_lines)
		doctor_add(doctor, DOCTOR_OK, NULL, "%s: functions, files and lines", elf);
	else if (detail->has_names)
		doctor_add(doctor, DOCTOR_WARNING,
		           "build it with -g, or install its -dbgsym package (or set DEBUGINFOD_URLS)",
		           "%s: none; reports name functions, but no lines and no members", elf);
	else
		doctor_add(doctor, DOCTOR_WARNING,
		           "build it with -g and do not strip it, or install its -dbgsym package (or set "
		           "DEBUGINFOD_URLS)",
		           "%s: none, and stripped; reports have addresses only", elf);
}

/* Locks that never pass through the C library, and runtimes that watch the same calls. */
void doctor_check_runtimes(struct doctor *doctor)
{
	const char *elf = doctor->program.elf;
	const struct symbols_detail *detail = &doctor->detail;
	size_t before = doctor->line_count;

	if (detail->is_go)
		doctor_add(
		    doctor, DOCTOR_WARNING,
		    "use Go's own tools for them: go build -race, runtime/pprof's mutex profile",
		    "%s: Go: its own locks are made of raw futexes and are not seen; those of C code are",
		    elf);
	if (detail->is_rust)
		doctor_add(
		    doctor, DOCTOR_WARNING,
		    "nothing is wrong with its C and C++ code; see parking_lot's deadlock_detection for the "
		    "rest",
		    "%s: Rust: std's locks are made of raw futexes and are not seen; those of C code are",
		    elf);
	if (detail->has_asan)
		doctor_add(doctor, DOCTOR_OK, NULL,
		           "%s: AddressSanitizer: detect run tells it not to mind the shim", elf);
	if (doctor->line_count == before)
		doctor_add(doctor, DOCTOR_OK, NULL, "none known that hides locks");
}
