/* claims_before.h: what earlier runs have seen threads want, put to the facts of another run: --claims for
 * unsafe states.
 *
 * An acquisition is known again by the locks and stacks down to it, a lock by its name (claims_names.h).
 * Where several locks of a run have one name nobody can say which is meant: what is wanted of those is left
 * out. Memory: its own, until closed. Threads: one. Failure: a log that can't be read is as empty; out of
 * memory ends the command. */
#ifndef TOOLS_CLAIMS_BEFORE_H
#define TOOLS_CLAIMS_BEFORE_H

#include <detect/facts.h>

#include "logs.h"

struct claims_before *claims_before_open(const struct log_set *logs);
void claims_before_close(struct claims_before *before);

/* Add to the facts what is known of their acquisitions. */
void claims_before_add(struct claims_before *before, struct dt_facts *facts);

/* A line when none of the locks of the facts that were added to is known from the earlier runs, else NULL. */
const char *claims_before_notice(const struct claims_before *before);

#endif
