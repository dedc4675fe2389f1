/* notices.h: what limits the report of one process, said plainly. */
#ifndef TOOLS_NOTICES_H
#define TOOLS_NOTICES_H

#include <detect/facts.h>

#include "arena.h"

/* Calls `add` with each line; `who` is the process, as "bank (pid 71)". */
void notices_of_facts(const struct dt_facts *facts, const char *who, struct arena *arena,
                      void (*add)(void *context, const char *notice), void *context);

/* The same for each bound that its analysis hit (enum dt_bound). */
void notices_of_bounds(uint32_t bounds, const char *who, struct arena *arena,
                       void (*add)(void *context, const char *notice), void *context);

#endif
