/* between.h: what only several processes together show: lock orders through the locks they share.
 *
 * Each log is noted when it is read, for what it shares and whom it forked. In the end those that share two
 * locks at least are read again and joined (detect/join.h), with the parents that put them in order.
 * Memory: the facts of a group of such processes at once; findings go into the report's arena. Threads: one.
 * Failure: a group that is too large is left out, with a notice. */
#ifndef TOOLS_BETWEEN_H
#define TOOLS_BETWEEN_H

#include "logs.h"
#include "report.h"
#include "symbols.h"

struct between;

struct between *between_open(void);
void between_close(struct between *between);

/* The next log, in the order of the report's processes. */
void between_note(struct between *between, const struct dt_facts *facts);

/* Add what is found between the logs, which are those that were noted. */
void between_find(struct between *between, struct report_builder *builder, const struct log_set *logs,
                  struct symbols *symbols);

#endif
