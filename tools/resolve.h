/* resolve.h: ids of one process's facts into strings: stacks, threads and lock names.
 *
 * Memory: everything returned belongs to the arena. Threads: one at a time.
 * Failure: an id that is not there gives an empty stack, "thread 7" or "mutex 7"; hostile logs have
 * such ids, and a report must not stop at them. */
#ifndef TOOLS_RESOLVE_H
#define TOOLS_RESOLVE_H

#include "arena.h"
#include "model.h"
#include "symbols.h"

struct resolve;

/* Where strings come from when they are known already (merged facts): called once an id. */
struct resolve_source {
	void *context;
	struct report_stack (*stack)(void *context, uint32_t id);
	struct report_lock (*lock)(void *context, uint32_t id);
	struct report_thread (*thread)(void *context, uint32_t id);
};

/* `facts` are settled; they and `symbols` outlive the resolver. */
struct resolve *resolve_open(struct dt_facts *facts, struct symbols *symbols, struct arena *arena);
/* From a source, which is copied, instead of from symbols. */
struct resolve *resolve_open_source(struct dt_facts *facts, const struct resolve_source *source,
                                    struct arena *arena);
/* NULL: from symbols. */
const struct resolve_source *resolve_get_source(const struct resolve *resolve);
void resolve_close(struct resolve *resolve);

struct arena *resolve_arena(const struct resolve *resolve);
struct dt_facts *resolve_facts(const struct resolve *resolve);
struct symbols *resolve_symbols(const struct resolve *resolve);

/* Frames with inlined ones spread out. The same id gives the same frames, resolved once. */
struct report_stack resolve_stack(struct resolve *resolve, uint32_t stack);

/* The running address (fit for symbols_heap_member) of the frame that places_find would pick, and
 * its module; NULL when there is none. */
const struct dt_module *resolve_place(struct resolve *resolve, uint32_t stack, uint64_t *pc);

struct report_thread resolve_thread(struct resolve *resolve, uint32_t thread);

/* "thread 3 (teller)", "the main thread". */
const char *resolve_thread_words(struct resolve *resolve, uint32_t thread);

#endif
