/* pairmap.h: a map from a 64-bit key (a pair of 32-bit ids, or a hash) to a 32-bit value, by open
 * addressing. Key 0 is not a key.
 *
 * Memory: the map's own, from the allocator it is given; one owner, who calls dt_pairmap_fini.
 * Threads: one at a time. Failure: dt_pairmap_add answers false and the map is as it was. */
#ifndef DT_PAIRMAP_H
#define DT_PAIRMAP_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <detect/alloc.h>

struct dt_pairmap {
	uint64_t *keys;
	uint32_t *values;
	uint32_t size, count;
};

static inline uint64_t dt_pair(uint32_t a, uint32_t b)
{
	return (uint64_t)a << 32 | b;
}

/* A good spread of all bits, so that tables may mask (the finaliser of MurmurHash3). */
static inline uint64_t dt_hash64(uint64_t x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccdu;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53u;
	return x ^ x >> 33;
}

/* The slot of `key`, or the free slot where it belongs. The table is never full. */
static inline uint32_t dt_pairmap_slot(const struct dt_pairmap *map, uint64_t key)
{
	uint32_t i = (uint32_t)dt_hash64(key) & (map->size - 1);

	while (map->keys[i] && map->keys[i] != key)
		i = (i + 1) & (map->size - 1);
	return i;
}

/* Pointer to the value of `key` (valid until the next add), or NULL. */
static inline uint32_t *dt_pairmap_find(const struct dt_pairmap *map, uint64_t key)
{
	if (!map->size)
		return NULL;
	uint32_t slot = dt_pairmap_slot(map, key);
	return map->keys[slot] ? &map->values[slot] : NULL;
}

static inline void dt_pairmap_fini(struct dt_pairmap *map, struct dt_alloc *alloc)
{
	if (!map->size)
		return;
	alloc->resize(alloc, map->keys, map->size * sizeof *map->keys, 0);
	alloc->resize(alloc, map->values, map->size * sizeof *map->values, 0);
	memset(map, 0, sizeof *map);
}

static inline bool dt_pairmap_grow(struct dt_pairmap *map, struct dt_alloc *alloc)
{
	struct dt_pairmap bigger = {.size = map->size ? map->size * 2 : 64, .count = map->count};

	if (bigger.size <= map->size)
		return false;
	bigger.keys = alloc->resize(alloc, NULL, 0, bigger.size * sizeof *bigger.keys);
	bigger.values = alloc->resize(alloc, NULL, 0, bigger.size * sizeof *bigger.values);
	if (!bigger.keys || !bigger.values) {
		if (bigger.keys)
			alloc->resize(alloc, bigger.keys, bigger.size * sizeof *bigger.keys, 0);
		if (bigger.values)
			alloc->resize(alloc, bigger.values, bigger.size * sizeof *bigger.values, 0);
		return false;
	}
	memset(bigger.keys, 0, bigger.size * sizeof *bigger.keys);
	for (uint32_t i = 0; i < map->size; i++) {
		if (!map->keys[i])
			continue;
		uint32_t slot = dt_pairmap_slot(&bigger, map->keys[i]);
		bigger.keys[slot] = map->keys[i];
		bigger.values[slot] = map->values[i];
	}
	dt_pairmap_fini(map, alloc);
	*map = bigger;
	return true;
}

/* Adds `key`, which is not in the map. */
static inline bool dt_pairmap_add(struct dt_pairmap *map, struct dt_alloc *alloc, uint64_t key,
                                  uint32_t value)
{
	if (map->count * 2 >= map->size && !dt_pairmap_grow(map, alloc))
		return false;
	uint32_t slot = dt_pairmap_slot(map, key);
	map->keys[slot] = key;
	map->values[slot] = value;
	map->count++;
	return true;
}

#endif
