/* claims.h: what sections of a program needed in earlier runs, worked out from their logs and written as the file that
 * the shim reads (detect/claims_format.h).
 *
 * Memory: its own, freed before it returns. Threads: one. Failure: a line for `say`, to be freed; out of memory ends
 * the command. */
#ifndef TOOLS_CLAIMS_H
#define TOOLS_CLAIMS_H

#include <stdbool.h>
#include <stdint.h>

#include "logs.h"

struct claims_summary {
	uint32_t resources, sections; /* sections that need more than one unit */
};

/* cycles: only locks on lock-order cycles. NULL: written. */
char *claims_write(const struct log_set *logs, bool cycles, const char *path, struct claims_summary *summary);

#endif
