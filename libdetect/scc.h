/* scc.h: the strongly connected components of a graph that is all there.
 *
 * Memory: the caller's arrays; scratch from the allocator is given back. Threads: any.
 * Failure: DT_ERR_NOMEM. */
#ifndef DT_SCC_H
#define DT_SCC_H

#include <stdint.h>

#include <detect/alloc.h>
#include <detect/err.h>

/* The edges of vertex v lead to target[first[v]] .. target[first[v + 1] - 1]; first has count + 1
 * entries. component[v] becomes the number of v's component, from 1 in the order of their smallest
 * vertices, or 0 when v is alone in its component (whatever self-loops it has). *components is
 * their number. O(vertices + edges), no recursion. */
enum dt_err dt_scc(struct dt_alloc *alloc, uint32_t count, const uint32_t *first, const uint32_t *target,
                   uint32_t *component, uint32_t *components);

#endif
