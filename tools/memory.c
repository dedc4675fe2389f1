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
		    symbols_heap_member(resolve_symbols(resolve), module, pc, memory->block_bytes, offset);
		named->name = member ? arena_copy(arena, member) : NULL;
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
	const char *function = stack.count ? stack.frames[0].function : NULL;

	named->place = "stack";
	named->name = function ? arena_printf(arena, "a variable of %s", places_bare_name(arena, function))
	                       : "a local variable";
	named->origin =
	    arena_printf(arena, "on the stack of %s", resolve_thread_words(resolve, memory->owner));
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
	else
		name_global(resolve, memory, named);
	if (!named->name)
		named->name = arena_printf(arena, "memory at %#llx", (unsigned long long)memory->address);
	return named;
}
