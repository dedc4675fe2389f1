/* steer.h: the plan of an attempt for the shim (detect/steer_format.h), from a finding's cycle and a choice.
 *
 * Memory: none is kept. Threads: one. Failure: as errno says. */
#ifndef TOOLS_STEER_H
#define TOOLS_STEER_H

#include "model.h"

#define STEER_NAME "detect.steer" /* in the log folder */

/* Why the shim can't be steered along the finding's cycle; NULL: it can. */
const char *steer_why_not(const struct report_finding *finding);

/* Write the plan of attempt number `attempt`, from 0, to the file. Each attempt chooses otherwise at which
 * edges threads are held back, for how long, after how many passes, and how much of a stack must agree; the
 * same number chooses the same. */
bool steer_write(const char *path, const struct report_finding *finding, unsigned attempt);

#endif
