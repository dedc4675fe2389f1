/* vec.h: growable arrays and an id map over struct dt_alloc. Failure: NULL or false, contents kept. */
#ifndef DT_VEC_H
#define DT_VEC_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <detect/alloc.h>

#define DT_VEC(type) \
	struct {     \
		type *at; \
		uint32_t count, room; \
	}

/* Room for one more element of `each` bytes. */
static inline bool dt_vec_reserve(struct dt_alloc *alloc, void **at, uint32_t count, uint32_t *room, size_t each)
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
#define dt_vec_push(vec, alloc)                                                                                 \
	(dt_vec_reserve(alloc, (void **)&(vec)->at, (vec)->count, &(vec)->room, sizeof *(vec)->at)              \
	     ? memset(&(vec)->at[(vec)->count++], 0, sizeof *(vec)->at)                                         \
	     : NULL)

#define dt_vec_fini(vec, alloc) \
	((vec)->at ? (void)(alloc)->resize(alloc, (vec)->at, (vec)->room * sizeof *(vec)->at, 0) : (void)0)

/* id -> index + 1; ids are hashed, so sparse ones cost nothing. */
struct dt_idmap {
	uint32_t *keys, *values;
	uint32_t size, count;
};

static inline uint32_t dt_idmap_find(const struct dt_idmap *map, uint32_t id)
{
	if (!map->size || !id)
		return 0;
	for (uint32_t i = id * 0x9e3779b1u >> 7;; i++) {
		uint32_t key = map->keys[i & (map->size - 1)];
		if (key == id)
			return map->values[i & (map->size - 1)];
		if (!key)
			return 0;
	}
}

static inline void dt_idmap_place(struct dt_idmap *map, uint32_t id, uint32_t value)
{
	uint32_t i = id * 0x9e3779b1u >> 7;
	while (map->keys[i & (map->size - 1)])
		i++;
	map->keys[i & (map->size - 1)] = id;
	map->values[i & (map->size - 1)] = value;
}

static inline bool dt_idmap_add(struct dt_idmap *map, struct dt_alloc *alloc, uint32_t id, uint32_t value)
{
	if (map->count * 2 >= map->size) {
		uint32_t size = map->size ? map->size * 2 : 64;
		struct dt_idmap bigger = {.size = size, .count = map->count};
		uint32_t *block = size > map->size ? alloc->resize(alloc, NULL, 0, (size_t)size * 8) : NULL;
		if (!block)
			return false;
		memset(block, 0, (size_t)size * 8);
		bigger.keys = block;
		bigger.values = block + size;
		for (uint32_t i = 0; i < map->size; i++)
			if (map->keys[i])
				dt_idmap_place(&bigger, map->keys[i], map->values[i]);
		if (map->keys)
			alloc->resize(alloc, map->keys, (size_t)map->size * 8, 0);
		*map = bigger;
	}
	dt_idmap_place(map, id, value);
	map->count++;
	return true;
}

static inline void dt_idmap_fini(struct dt_idmap *map, struct dt_alloc *alloc)
{
	if (map->keys)
		alloc->resize(alloc, map->keys, (size_t)map->size * 8, 0);
}

#endif
