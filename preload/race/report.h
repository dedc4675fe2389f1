/* report.h: a race becomes a record of the log and, with `online`, lines on stderr.
 *
 * Threads: any; one reports at a time, the others wait. Each pair of places is reported once, each word of
 * memory once. Failure: what is not known of the earlier access is said so. */
#ifndef SHIM_RACE_REPORT_H
#define SHIM_RACE_REPORT_H

#include "access.h"

/* The calling thread's access to `word` races with the one that left `old`. */
void race_report(struct race_hot *hot, uintptr_t word, race_cell cell, race_cell old,
                 const struct race_access *access);
/* The same, ordered in this run only by who took a lock first. */
void race_report_predicted(struct race_hot *hot, uintptr_t word, race_cell cell, race_cell old,
                           const struct race_access *access);
/* What the memory at rec->address is. */
void race_find_place(struct dt_rec_race *rec);
/* A benign race, as the program says. */
void race_benign(uintptr_t start, size_t bytes);

#endif
