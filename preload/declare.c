/* declare.c: a program declares what a thread takes at most. */
#include "declare.h"

#include <detect/annotate.h>

#include "shim.h"
#include "states.h"
#include "thread.h"

static struct shim_claim *claim_of(struct shim_claims *claims, const void *resource)
{
	for (uint32_t i = 0; i < SHIM_CLAIMS; i++)
		if (atomic_load_explicit(&claims->at[i].resource, memory_order_relaxed) == resource)
			return &claims->at[i];
	return NULL;
}

SHIM_EXPORT void libdetect_claim(const void *resource, unsigned units)
{
	struct shim_thread *t = &shim_self;
	if (!resource || t->busy || (!t->capacity && !shim_attach(t)) || !t->shown)
		return;
	struct shim_claims *claims = &t->shown->claims;
	struct shim_claim *claim = claim_of(claims, resource);
	if (!claim && !units)
		return;
	if (!claim && !(claim = claim_of(claims, NULL)))
		claim = &claims->at[claims->next++ % SHIM_CLAIMS];
	atomic_store(&claim->resource, NULL);
	atomic_store(&claim->units, units);
	atomic_store(&claim->resource, units ? resource : NULL);
	shim_states_declared(t, claims);
}
