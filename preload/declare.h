/* declare.h: what threads say of themselves (<detect/annotate.h>: detect_claim).
 *
 * Memory: in the thread's block, where others may read it. Threads: written by its own; a reader that comes
 * in between finds a claim that was never made, and finds another set when it looks again. Failure: of too
 * many, the first are forgotten. */
#ifndef SHIM_DECLARE_H
#define SHIM_DECLARE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { SHIM_CLAIMS = 8 };

struct shim_claim {
	const void *_Atomic resource; /* NULL: none */
	_Atomic uint32_t units;
};

struct shim_claims {
	struct shim_claim at[SHIM_CLAIMS];
	uint32_t next; /* to be forgotten */
};

static inline bool shim_claims_any(const struct shim_claims *claims)
{
	for (uint32_t i = 0; i < SHIM_CLAIMS; i++)
		if (atomic_load_explicit(&claims->at[i].resource, memory_order_relaxed))
			return true;
	return false;
}

#endif
