/* region.h: memory of the shim: anonymous mappings, zeroed, never from the program's malloc. */
#ifndef SHIM_REGION_H
#define SHIM_REGION_H

#include <stdbool.h>
#include <stddef.h>

/* Map `bytes`, touched only as used. wipe: the child of a fork finds zeros. NULL: no memory. */
void *shim_region_map(size_t bytes, bool wipe);
/* The same for a table that is soon touched all over: on huge pages where its size allows, since a
 * miss of the TLB for every look-up costs more than the look-up. */
void *shim_region_map_dense(size_t bytes, bool wipe);
/* The same for one that may stay small: on small pages, until shim_region_enlarge_pages asks for huge ones from byte
 * `from` (rounded up to the next) to `end`. touched: all of that is in use already, and is moved at once. */
void *shim_region_map_growing(size_t bytes, bool wipe);
void shim_region_enlarge_pages(void *region, size_t from, size_t end, bool touched);
/* Between two pages that can't be touched, so that the kernel joins it with no other: found by `detect ps` by how
 * it begins. Not wiped. */
void *shim_region_map_apart(size_t bytes);
void shim_region_unmap(void *region, size_t bytes);

/* All that is mapped now. */
size_t shim_region_bytes(void);

#endif
