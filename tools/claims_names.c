/* claims_names.c: hashes of module and offset, as the shim makes them too (preload/sections.c), so that
 * address-space layout does not matter. */
#include "claims_names.h"

#include <string.h>

#include <detect/claims_format.h>

static uint64_t module_name(const struct dt_module *module)
{
	return dt_claims_module(module->build_id, module->build_id_bytes, module->path, strlen(module->path));
}

/* As the shim does (preload/sections.c). */
uint64_t claims_stack_name(const struct dt_facts *facts, uint32_t id)
{
	const struct dt_stack *stack = dt_facts_stack(facts, id);
	uint64_t hash = DT_CLAIMS_STACK;

	for (uint32_t i = 0; stack && i < stack->count && i < DT_CLAIMS_FRAMES; i++) {
		uint64_t pc = stack->pc[i] - 1;
		const struct dt_module *module = dt_facts_module_at(facts, pc, stack->order);
		hash = module ? dt_claims_name(DT_CLAIMS_STACK, hash ^ module_name(module), pc - module->bias)
		              : dt_claims_mix(hash, 0);
	}
	return hash | 1;
}

static bool is_resource(const struct dt_lock *lock)
{
	switch (lock->kind) {
	case DT_LOCK_MUTEX:
	case DT_LOCK_RWLOCK:
	case DT_LOCK_SPIN:
		return !(lock->flags & DT_LOCK_CLASS);
	case DT_LOCK_SEM:
		return lock->units && !lock->signal;
	default:
		return false;
	}
}

/* 0: it has none that holds in another run. */
uint64_t claims_lock_name(const struct dt_facts *facts, const struct dt_lock *lock, bool *global)
{
	const struct dt_module *module = dt_facts_module_at(facts, lock->made->address, lock->order);

	*global = module != NULL;
	if (!is_resource(lock))
		return 0;
	if (module)
		return dt_claims_name(DT_CLAIMS_GLOBAL, module_name(module), lock->made->address - module->bias);
	if (lock->made->alloc_stack)
		return dt_claims_name(DT_CLAIMS_HEAP, claims_stack_name(facts, lock->made->alloc_stack),
		                      lock->made->address - lock->made->block);
	return lock->made->init_stack
	           ? dt_claims_name(DT_CLAIMS_MADE, claims_stack_name(facts, lock->made->init_stack), 0)
	           : 0;
}
