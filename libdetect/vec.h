/* vec.h: arrays that grow, for the engine's tables.
 *
 * Memory: from the allocator that each call is given, always the same one for one array; freed by
 * dt_vec_fini. Pointers to elements are valid until the next push. Threads: the owner's.
 * Failure: dt_vec_push answers NULL and the array is as it was. */
#ifndef DT_VEC_H
#define DT_VEC_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <detect/alloc.h>

#define DT_VEC(type)                                                                                         \
	struct {                                                                                             \
		type *at;                                                                                    \
		uint32_t count, room;                                                                        \
	}

/* Room for one more element of `each` bytes. */
static inline bool dt_vec_reserve(struct dt_alloc *alloc, void **at, uint32_t count, uint32_t *room,
                                  size_t each)
{
	if (count < *room)
		return true;
	uint32_t more = *room ? *room * 2 : 16;
	if (more <= *room || (size_t)more > SIZE_MAX / each)
		return false;
	void *block = alloc->resize(alloc, *at, *room * each, more * each);
	if (!block)
		return false;
	*at = block;
	*room = more;
	return true;
}

/* Pointer to a new zeroed last element, or NULL. */
#define dt_vec_push(vec, alloc)                                                                              \
	(dt_vec_reserve(alloc, (void **)&(vec)->at, (vec)->count, &(vec)->room, sizeof *(vec)->at)           \
	     ? memset(&(vec)->at[(vec)->count++], 0, sizeof *(vec)->at)                                      \
	     : NULL)

#define dt_vec_fini(vec, alloc)                                                                              \
	((vec)->at ? (void)(alloc)->resize(alloc, (vec)->at, (vec)->room * sizeof *(vec)->at, 0) : (void)0)

#endif
