/* join.h: the facts of several processes as if they were threads of one: locks in shared memory are one lock
 * there, so that what no process shows alone can be found, a cycle of lock orders between two of them.
 *
 * Must-happen-before goes on across processes: what comes before a fork is before all that the child does,
 * what a process did is before its parent's wait for its end, and before the program that it becomes by exec.
 *
 * Memory: the join's own; the members' facts are the caller's and outlive it. Threads: one at a time.
 * Failure: DT_ERR_NOMEM; DT_ERR_TOO_LARGE when the members have more than DT_ID_MAX of a kind together. */
#ifndef DETECT_JOIN_H
#define DETECT_JOIN_H

#include <detect/check.h>

struct dt_join;

/* Whose id an id of the joined facts is. A lock of several members is of the first that has it. */
struct dt_join_origin {
	uint32_t member, id; /* member: index */
};

/* `members` are settled, in the order in which they began (their start_ns). */
enum dt_err dt_join_open(struct dt_join **out, struct dt_facts *const *members, uint32_t count,
                         struct dt_alloc *alloc);
void dt_join_close(struct dt_join *join);

struct dt_facts *dt_join_facts(struct dt_join *join);

/* {0, 0} for an id that is not there. */
struct dt_join_origin dt_join_thread(const struct dt_join *join, uint32_t id);
struct dt_join_origin dt_join_lock(const struct dt_join *join, uint32_t id);
struct dt_join_origin dt_join_stack(const struct dt_join *join, uint32_t id);

/* dt_analyse, of which only findings about threads of more than one member are passed on; their ids are the
 * joined facts'. What one member shows alone is left to its own analysis. */
enum dt_err dt_join_analyse(struct dt_join *join, const struct dt_check_options *options,
                            dt_finding_sink *sink, void *context, struct dt_analysis *result);

#endif
