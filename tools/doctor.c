/* The table of checks, and the lines they make. */
#include "doctor.h"

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

const struct doctor_check doctor_checks[] = {
    {"shim", false, doctor_check_shim},
    {"c-library", false, doctor_check_c_library},
    {"symbol-reader", false, doctor_check_symbol_reader},
    {"confinement", false, doctor_check_confinement},
    {"limits", false, doctor_check_limits},
    {"log-folder", false, doctor_check_log_folder},
    {"preloading", false, doctor_check_preloading},
    {"program", false, doctor_check_program},
    {"libraries", true, doctor_check_libraries},
    {"debug-information", true, doctor_check_debug_information},
    {"runtimes", true, doctor_check_runtimes},
};
const size_t doctor_check_count = sizeof(doctor_checks) / sizeof(*doctor_checks);

void doctor_run(struct doctor *doctor)
{
	for (size_t i = 0; i < doctor_check_count; i++) {
		const struct doctor_check *check = &doctor_checks[i];

		if (check->of_program && !doctor->program.elf)
			continue;
		doctor->check = check->name;
		check->run(doctor);
	}
}

void doctor_close(struct doctor *doctor)
{
	if (doctor->log_folder)
		rmdir(doctor->log_folder);
	free(doctor->log_folder);
	free(doctor->preload);
	free(doctor->lines);
	program_close(&doctor->program);
	arena_free(doctor->arena);
	*doctor = (struct doctor){0};
}

void doctor_add(struct doctor *doctor, enum doctor_verdict verdict, const char *mend, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	char *text = must_vprintf(format, arguments);
	va_end(arguments);
	doctor->lines = must_realloc(doctor->lines, doctor->line_count + 1, sizeof(*doctor->lines));
	doctor->lines[doctor->line_count++] = (struct doctor_line){
	    .check = doctor->check,
	    .verdict = verdict,
	    .text = arena_copy(doctor->arena, text),
	    .mend = mend,
	};
	free(text);
}
