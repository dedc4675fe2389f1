/* sections.h: what sections need, by the claims file of --claims=LOG and by what is learned as the program
 * runs; and which resource a lock is.
 *
 * Threads: finding is lock-free; adding and widening is done by one thread at a time (avoid.c's lock).
 * Memory: tables that the child of a fork finds empty, and the file's read-only mapping. Failure: a full
 * table answers 0: no resource, no section. */
#ifndef SHIM_SECTIONS_H
#define SHIM_SECTIONS_H

#include <stdbool.h>

#include <detect/avoid.h>

#include "shim.h"

struct shim_section {
	uint32_t count;
	bool said; /* that its claims were too small */
	struct {
		uint32_t resource, units;
	} needs[DT_AVOID_NEEDS];
};

struct shim_resource {
	uint32_t total;
	bool coarse; /* claims_format.h: DT_CLAIMS_COARSE */
};

bool shim_sections_open(void);
void shim_sections_forked(void);
/* There are claims of earlier runs. */
bool shim_sections_given(void);

/* The resource that a lock is; 0: none. Fills *about when not NULL. `find` looks only at what is known. */
uint32_t shim_resource_find(const void *lock, uint32_t kind);
uint32_t shim_resource_get(const void *lock, uint32_t kind);
const struct shim_resource *shim_resource_at(uint32_t resource);

/* The section that begins with an acquisition. *known false: nobody has asked yet. 0: it needs no more than
 * one unit, as far as is known. */
uint32_t shim_section_find(const struct shim_held *first, bool *known);
/* Look it up in the claims. */
uint32_t shim_section_load(const struct shim_held *first);
/* The same, made when there is none. */
uint32_t shim_section_make(const struct shim_held *first);
struct shim_section *shim_section_at(uint32_t section);
/* It needs so many units. False: no room. */
bool shim_section_widen(uint32_t section, uint32_t resource, uint32_t units);

#endif
