/* facts_add.h: one function a type of record, for the table in facts_add.c.
 *
 * Memory: what is kept is copied. Threads: one. Failure: DT_ERR_CORRUPT, DT_ERR_NOMEM. */
#ifndef DT_FACTS_ADD_H
#define DT_FACTS_ADD_H

#include "facts_tables.h"

/* A new element of `table` with a new id; returns from the function when there is none. */
#define NEW(f, table, map, new_id, element)                                                                  \
	do {                                                                                                 \
		if (!(new_id) || (new_id) > DT_ID_MAX || dt_idmap_find(&(f)->map, (new_id)))                 \
			return DT_ERR_CORRUPT;                                                               \
		(element) = dt_vec_push(&(f)->table, (f)->alloc);                                            \
		if (!(element))                                                                              \
			return DT_ERR_NOMEM;                                                                 \
		if (!dt_idmap_add(&(f)->map, (f)->alloc, (new_id), (f)->table.count)) {                      \
			(f)->table.count--;                                                                  \
			return DT_ERR_NOMEM;                                                                 \
		}                                                                                            \
	} while (0)

/* `at`: the record, of `bytes` in all; `head`: as it was loaded, once. */
typedef enum dt_err dt_facts_record(struct dt_facts *facts, const void *at, struct dt_rec head, size_t bytes);

dt_facts_record dt_facts_add_incident;
dt_facts_record dt_facts_add_stat;
dt_facts_record dt_facts_add_race;
dt_facts_record dt_facts_add_interval;
dt_facts_record dt_facts_add_signal_set;
dt_facts_record dt_facts_add_shared;
dt_facts_record dt_facts_add_state;
dt_facts_record dt_facts_add_units;
dt_facts_record dt_facts_add_kin;

/* `bytes` from behind a record's struct, copied; NULL: no memory. */
char *dt_facts_copy(struct dt_facts *facts, const void *rest, size_t bytes);

#endif
