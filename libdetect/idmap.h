/* idmap.h: a map from an id of a log (1 to DT_ID_MAX) to a number that is not 0.
 *
 * Two levels of arrays, not a hash: ids are dense or nearly so, look-ups are the engine's most
 * frequent step, and no choice of ids makes one slow. The memory is what the ids span, a page of 2 KiB
 * for each 512 of them that has one; the most, for ids strewn on purpose, is 64 MiB.
 *
 * Memory: the map's own, from the allocator that each call is given; freed by dt_idmap_fini. All
 * zero is the empty map. Threads: the owner's. Failure: dt_idmap_add answers false and the map is
 * as it was. */
#ifndef DT_IDMAP_H
#define DT_IDMAP_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <detect/alloc.h>
#include <detect/log_format.h>

enum { DT_IDMAP_PAGE = 512 };

struct dt_idmap {
	uint32_t **pages;
	uint32_t page_count;
};

/* 0: not in the map. */
static inline uint32_t dt_idmap_find(const struct dt_idmap *map, uint32_t id)
{
	uint32_t page = id / DT_IDMAP_PAGE;

	return page < map->page_count && map->pages[page] ? map->pages[page][id % DT_IDMAP_PAGE] : 0;
}

static inline bool dt_idmap_reach(struct dt_idmap *map, struct dt_alloc *alloc, uint32_t page)
{
	uint32_t count = map->page_count ? map->page_count : 4;

	while (count <= page)
		count *= 2;
	if (count == map->page_count)
		return true;
	uint32_t **pages =
	    alloc->resize(alloc, map->pages, map->page_count * sizeof *pages, count * sizeof *pages);
	if (!pages)
		return false;
	memset(pages + map->page_count, 0, (count - map->page_count) * sizeof *pages);
	map->pages = pages;
	map->page_count = count;
	return true;
}

/* Adds `id`, or changes its value. */
static inline bool dt_idmap_add(struct dt_idmap *map, struct dt_alloc *alloc, uint32_t id, uint32_t value)
{
	uint32_t page = id / DT_IDMAP_PAGE;

	if (!id || id > DT_ID_MAX || !dt_idmap_reach(map, alloc, page))
		return false;
	if (!map->pages[page]) {
		const size_t bytes = DT_IDMAP_PAGE * sizeof(uint32_t);
		uint32_t *fresh = alloc->resize(alloc, NULL, 0, bytes);
		if (!fresh)
			return false;
		map->pages[page] = memset(fresh, 0, bytes);
	}
	map->pages[page][id % DT_IDMAP_PAGE] = value;
	return true;
}

static inline void dt_idmap_fini(struct dt_idmap *map, struct dt_alloc *alloc)
{
	for (uint32_t i = 0; i < map->page_count; i++)
		if (map->pages[i])
			alloc->resize(alloc, map->pages[i], DT_IDMAP_PAGE * sizeof(uint32_t), 0);
	if (map->pages)
		alloc->resize(alloc, map->pages, map->page_count * sizeof *map->pages, 0);
}

#endif
