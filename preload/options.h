/* options.h: what DETECT_OPTIONS asks for. Read once, before the first log is opened; a value lives
 * in a fixed buffer of the shim. A key or value that makes no sense is said once and left out. */
#ifndef SHIM_OPTIONS_H
#define SHIM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct shim_options {
#define STRING const char *
#define BOOL bool
#define UINT uint32_t
#define ENUM uint32_t
#define DT_OPTION(name, type, fallback, help) type name;
#include <detect/options.def>
#undef STRING
#undef BOOL
#undef UINT
#undef ENUM
};
extern struct shim_options shim_options;

/* As in options.def. */
enum shim_on_deadlock {
	SHIM_ON_DEADLOCK_REPORT, SHIM_ON_DEADLOCK_EXIT, SHIM_ON_DEADLOCK_ABORT, SHIM_ON_DEADLOCK_BREAK
};

void shim_options_read(void);

#endif
