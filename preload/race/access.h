/* access.h: an access, as the report needs it, and the ways in that are not the compiler's. */
#ifndef SHIM_RACE_ACCESS_H
#define SHIM_RACE_ACCESS_H

#include "engine.h"
#include "trace.h"

struct race_access {
	uintptr_t address;
	size_t bytes;
	uint32_t kind; /* RACE_READ, RACE_ATOMIC */
	uintptr_t pc;
	bool is_free;
};

void race_access_atomic(uintptr_t address, unsigned bytes_log, uint32_t kind, uintptr_t pc);
void race_access_freeing(struct race_hot *hot, uintptr_t address, size_t bytes, uintptr_t pc);

#endif
