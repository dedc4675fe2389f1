/* shim.h: where the shim lies, and the environment that loads and directs it.
 * Threads: one. Failure: a line and status 2. */
#ifndef TOOLS_SHIM_H
#define TOOLS_SHIM_H

#include <stddef.h>

/* Absolute path of libdetect_preload.so: DETECT_PRELOAD, else beside `detect`: in its folder, or in
 * ../lib* as built and as installed. To be freed. */
char *shim_find(void);

/* The same, but NULL with the line in *why, to be freed, when there is none that can be used. */
char *shim_look(char **why);

/* DETECT_OPTIONS being written: "name=value:…", starting from what the user has set. */
struct shim_options {
	char *text;
};
void shim_options_init(struct shim_options *options);
void shim_options_close(struct shim_options *options);
/* `name` is a row of <detect/options.def>; the last value of a name counts. */
void shim_options_set(struct shim_options *options, const char *name, const char *value);

/* A copy of the environment with LD_PRELOAD (`preload` before what is there) and DETECT_OPTIONS, and what
 * sanitizers' runtimes need to bear a preloaded library.
 * To be freed with shim_environment_free. */
char **shim_environment(const char *preload, const struct shim_options *options);
void shim_environment_free(char **environment);

#endif
