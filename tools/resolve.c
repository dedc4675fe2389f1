/* A process's findings share most of their stacks, and symbolising is what a report costs, so each
 * stack is resolved once and kept by id. */
#include "resolve.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "places.h"

#define INLINE_DEPTH_MAX 32 /* frames of one program counter */

struct kept_stack {
	uint32_t id;
	struct report_stack stack;
	UT_hash_handle hh;
};

struct resolve {
	struct dt_facts *facts;
	struct symbols *symbols;
	struct arena *arena;
	struct resolve_source source; /* without functions: from symbols */
	struct kept_stack *stacks;
};

struct resolve *resolve_open(struct dt_facts *facts, struct symbols *symbols, struct arena *arena)
{
	struct resolve *resolve = must_realloc(NULL, 1, sizeof(*resolve));

	*resolve = (struct resolve){.facts = facts, .symbols = symbols, .arena = arena};
	return resolve;
}

struct resolve *resolve_open_source(struct dt_facts *facts, const struct resolve_source *source,
                                    struct arena *arena)
{
	struct resolve *resolve = resolve_open(facts, NULL, arena);

	resolve->source = *source;
	return resolve;
}

const struct resolve_source *resolve_get_source(const struct resolve *resolve)
{
	return resolve->source.stack ? &resolve->source : NULL;
}

void resolve_close(struct resolve *resolve)
{
	if (!resolve)
		return;
	HASH_CLEAR(hh, resolve->stacks); /* its entries lie in the arena */
	free(resolve);
}

struct arena *resolve_arena(const struct resolve *resolve)
{
	return resolve->arena;
}

struct dt_facts *resolve_facts(const struct resolve *resolve)
{
	return resolve->facts;
}

struct symbols *resolve_symbols(const struct resolve *resolve)
{
	return resolve->symbols;
}

/* The frames of one return address, appended at `out`. */
static size_t resolve_pc(struct resolve *resolve, uint64_t pc, uint32_t order, struct report_frame *out)
{
	/* The call is the instruction before; with a call at a function's end it is in another one. */
	const struct dt_module *module = dt_facts_module_at(resolve->facts, pc - 1, order);
	struct sym_frame frames[INLINE_DEPTH_MAX];

	if (!module) {
		out[0] = (struct report_frame){.offset = pc};
		return 1;
	}
	size_t count = symbols_frames(resolve->symbols, module, pc, true, frames, INLINE_DEPTH_MAX);
	for (size_t i = 0; i < count; i++)
		out[i] = (struct report_frame){
		    .function = arena_copy(resolve->arena, frames[i].function),
		    .file = arena_copy(resolve->arena, frames[i].file),
		    .line = frames[i].line,
		    .column = frames[i].column,
		    .module = arena_copy(resolve->arena, module->path),
		    .offset = frames[i].offset,
		    .inlined = frames[i].inlined,
		};
	return count;
}

static struct report_stack resolve_frames(struct resolve *resolve, const struct dt_stack *stack)
{
	struct report_frame *frames = NULL;
	size_t count = 0;

	for (size_t i = 0; i < stack->count; i++) {
		frames = must_realloc(frames, count + INLINE_DEPTH_MAX, sizeof(*frames));
		size_t added = resolve_pc(resolve, stack->pc[i], stack->order, frames + count);
		for (size_t f = 0; f < added; f++)
			frames[count + f].inferred = i >= stack->exact;
		count += added;
	}
	struct report_stack resolved = {.count = count, .truncated = dt_facts_stack_flags(stack) & DT_STACK_TRUNCATED};
	resolved.frames = arena_alloc(resolve->arena, count * sizeof(*frames));
	if (count)
		memcpy(resolved.frames, frames, count * sizeof(*frames));
	free(frames);
	return resolved;
}

struct report_stack resolve_stack(struct resolve *resolve, uint32_t id)
{
	const struct dt_stack *stack = dt_facts_stack(resolve->facts, id);
	struct kept_stack *kept;

	if (!stack)
		return (struct report_stack){0};
	HASH_FIND(hh, resolve->stacks, &id, sizeof(id), kept);
	if (!kept) {
		kept = arena_alloc(resolve->arena, sizeof(*kept));
		kept->id = id;
		kept->stack = resolve->source.stack ? resolve->source.stack(resolve->source.context, id)
		                                    : resolve_frames(resolve, stack);
		HASH_ADD(hh, resolve->stacks, id, sizeof(kept->id), kept);
	}
	return kept->stack;
}

const struct dt_module *resolve_place(struct resolve *resolve, uint32_t id, uint64_t *pc)
{
	const struct dt_stack *stack = dt_facts_stack(resolve->facts, id);
	struct report_frame frames[INLINE_DEPTH_MAX];

	for (size_t i = 0; stack && i < stack->count; i++) {
		size_t count = resolve_pc(resolve, stack->pc[i], stack->order, frames);
		for (size_t f = 0; f < count; f++) {
			if (!places_is_place(&frames[f]))
				continue;
			*pc = stack->pc[i];
			return dt_facts_module_at(resolve->facts, stack->pc[i] - 1, stack->order);
		}
	}
	return NULL;
}

static const char *start_name(struct resolve *resolve, const struct dt_thread *thread)
{
	const struct dt_module *module;
	struct sym_frame frames[INLINE_DEPTH_MAX];

	if (thread->start_function == 0)
		return NULL;
	module = dt_facts_module_at(resolve->facts, thread->start_function, thread->order);
	if (!module)
		return arena_printf(resolve->arena, "%#llx", (unsigned long long)thread->start_function);
	/* What is inlined at its first instruction comes before the function itself. */
	size_t count =
	    symbols_frames(resolve->symbols, module, thread->start_function, false, frames, INLINE_DEPTH_MAX);
	const struct sym_frame *frame = &frames[count - 1];
	if (frame->function)
		return arena_copy(resolve->arena, frame->function);
	return arena_printf(resolve->arena, "%s+%#llx", model_base_name(module->path),
	                    (unsigned long long)frame->offset);
}

struct report_thread resolve_thread(struct resolve *resolve, uint32_t id)
{
	const struct dt_thread *thread = dt_facts_thread(resolve->facts, id);

	if (resolve->source.thread)
		return resolve->source.thread(resolve->source.context, id);
	if (!thread)
		return (struct report_thread){.id = id};
	return (struct report_thread){
	    .id = id,
	    .tid = thread->tid,
	    .name = arena_copy(resolve->arena, thread->name),
	    .start = start_name(resolve, thread),
	    .parent = thread->parent,
	    .created = resolve_stack(resolve, thread->create_stack),
	};
}

const char *resolve_thread_words(struct resolve *resolve, uint32_t id)
{
	const struct dt_thread *thread = dt_facts_thread(resolve->facts, id);
	const char *start = resolve->source.thread ? resolve->source.thread(resolve->source.context, id).start
	                    : thread               ? start_name(resolve, thread)
	                                           : NULL;

	if (thread && thread->name)
		return arena_printf(resolve->arena, "thread %u \"%s\"", id, thread->name);
	if (id == 1)
		return "the main thread";
	if (start)
		return arena_printf(resolve->arena, "thread %u (%s)", id, start);
	return arena_printf(resolve->arena, "thread %u", id);
}
