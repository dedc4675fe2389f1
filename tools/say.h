/* say.h: the lines `detect` itself says on stderr, each one line with the command before it.
 *
 * Threads: one. Text from outside is escaped (safe.h). */
#ifndef TOOLS_SAY_H
#define TOOLS_SAY_H

/* Exit statuses of the contract. */
enum {
	STATUS_OK = 0,
	STATUS_USAGE = 2,
	STATUS_FINDINGS = 66,
	STATUS_CANNOT_EXECUTE = 126,
	STATUS_NOT_FOUND = 127
};

/* What stands before each line: "detect", "detect run". Kept, not copied. */
void say_set_name(const char *name);
const char *say_name(void);

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Say it and end with STATUS_USAGE. */
_Noreturn void say_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void say_out_of_memory(void);

#endif
