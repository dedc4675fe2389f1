/* The same sources as for locks (names.c): a symbol, a member, a place of allocation. */
#include "memory.h"

#include "names.h"
#include "places.h"

static void name_global(struct resolve *resolve, const struct dt_memory *memory, struct report_memory *named)
{
	const struct dt_module *module =
	    dt_facts_module_at(resolve_facts(resolve), memory->address, memory->order);
	struct arena *arena = resolve_arena(resolve);
	const char *file;
	unsigned line;

	if (!module)
		return;
	const char *symbol = symbols_global(resolve_symbols(resolve), module, memory->address);
	named->place = "global";
	named->origin = arena_printf(arena, "global in %s", model_base_name(module->path));
	if (!symbol)
		return;
	named->name = arena_copy(arena, symbol);
	named->has_name = true;
	if (symbols_global_place(resolve_symbols(resolve), module, memory->address, &file, &line))
		named->origin = arena_printf(arena, "global, %s:%u", model_base_name(file), line);
}

static void name_heap(struct resolve *resolve, const struct dt_memory *memory, struct report_memory *named)
{
	struct arena *arena = resolve_arena(resolve);
	uint64_t pc, offset = memory->address - memory->block;
	const struct dt_module *module = resolve_place(resolve, memory->alloc_stack, &pc);
	const char *where = names_frame(arena, places_find(&named->allocated));

	named->place = "heap";
	if (module) {
		const char *member =
		    symbols_heap_member(resolve_symbols(resolve), module, pc, memory->block_bytes, offset, 1);
		named->name = member ? arena_copy(arena, member) : NULL;
		named->has_name = member != NULL;
	}
	if (!named->name && where)
		named->name = arena_printf(arena, "heap block made at %s", where);
	named->origin = arena_printf(arena, "%llu bytes into a heap block of %llu bytes%s%s",
	                             (unsigned long long)offset, (unsigned long long)memory->block_bytes,
	                             where ? " allocated at " : "", where ? where : "");
}

static void name_stack(struct resolve *resolve, const struct dt_memory *memory, struct report_memory *named)
{
	struct arena *arena = resolve_arena(resolve);
	struct report_stack stack = resolve_stack(resolve, memory->owner_frame);
	/* What was inlined has its variables in the frame of the function that has one. */
	const char *function = stack.count ? stack.frames[stack.count - 1].function : NULL;
	uint64_t pc;
	const struct dt_module *module = resolve_place(resolve, memory->owner_frame, &pc);
	const char *variable = module ? symbols_local(resolve_symbols(resolve), module, pc,
	                                              memory->owner_offset, memory->owner_frame_bytes)
	                              : NULL;

	named->place = "stack";
	named->has_name = variable != NULL && function != NULL;
	function = function ? places_bare_name(arena, function) : NULL;
	named->name = variable && function ? arena_printf(arena, "%s (local in %s)", variable, function)
	              : function           ? arena_printf(arena, "a variable of %s", function)
	                                   : "a local variable";
	named->origin =
	    arena_printf(arena, "on the stack of %s", resolve_thread_words(resolve, memory->owner));
}

static void name_thread_local(struct resolve *resolve, const struct dt_memory *memory,
                              struct report_memory *named)
{
	struct arena *arena = resolve_arena(resolve);
	const struct dt_module *module =
	    memory->block ? dt_facts_module_at(resolve_facts(resolve), memory->block, memory->order) : NULL;
	const char *name =
	    module ? symbols_thread_local(resolve_symbols(resolve), module, (uint64_t)memory->owner_offset)
	           : NULL;

	named->place = "thread-local";
	named->has_name = name != NULL;
	named->name = name ? arena_copy(arena, name) : "a thread-local variable";
	named->origin =
	    arena_printf(arena, "thread-local, of %s", resolve_thread_words(resolve, memory->owner));
	named->block = 0;
}

const struct report_memory *memory_resolve(struct resolve *resolve, const struct dt_memory *memory)
{
	struct arena *arena = resolve_arena(resolve);

	if (!memory->bytes)
		return NULL;
	struct report_memory *named = arena_alloc(arena, sizeof(*named));
	*named = (struct report_memory){
	    .address = memory->address,
	    .bytes = memory->bytes,
	    .block = memory->block,
	    .block_bytes = memory->block_bytes,
	    .place = "unknown",
	    .thread = memory->alloc_thread,
	    .allocated = resolve_stack(resolve, memory->alloc_stack),
	};
	if (memory->place == DT_PLACE_HEAP)
		name_heap(resolve, memory, named);
	else if (memory->place == DT_PLACE_STACK)
		name_stack(resolve, memory, named);
	else if (memory->place == DT_PLACE_THREAD_LOCAL)
		name_thread_local(resolve, memory, named);
	else
		name_global(resolve, memory, named);
	if (!named->name)
		named->name = arena_printf(arena, "memory at %#llx", (unsigned long long)memory->address);
	return named;
}
