/* Equal stacks of one process share their frames' array (resolve.h), so stacks are told apart by its
 * address; frames by all that is shown of them. */
#include "html_stacks.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "places.h"

struct page_stack {
	const struct report_frame *frames; /* key */
	size_t count;
	bool truncated;
	json_int_t number;
	UT_hash_handle hh;
};

struct page_frame {
	const char *key;
	const struct report_frame *frame;
	json_int_t number;
	UT_hash_handle hh;
};

struct html_stacks {
	struct source *source;
	struct excerpts *excerpts;
	struct arena *arena, *scratch;
	struct page_stack *stacks, *next_stack;
	struct page_frame *frames, *next_frame;
	bool begun, begun_frames;
};

struct html_stacks *html_stacks_open(struct source *source, struct excerpts *excerpts)
{
	struct html_stacks *stacks = must_realloc(NULL, 1, sizeof(*stacks));

	*stacks = (struct html_stacks){
	    .source = source, .excerpts = excerpts, .arena = arena_new(), .scratch = arena_new()};
	return stacks;
}

void html_stacks_close(struct html_stacks *stacks)
{
	HASH_CLEAR(hh, stacks->stacks);
	HASH_CLEAR(hh, stacks->frames);
	arena_free(stacks->arena);
	arena_free(stacks->scratch);
	free(stacks);
}

json_t *html_stacks_add(struct html_stacks *stacks, const struct report_stack *stack)
{
	struct page_stack *added;

	if (!stack->count)
		return json_null();
	HASH_FIND_PTR(stacks->stacks, &stack->frames, added);
	if (!added) {
		added = arena_alloc(stacks->arena, sizeof(*added));
		*added = (struct page_stack){.frames = stack->frames,
		                             .count = stack->count,
		                             .truncated = stack->truncated,
		                             .number = (json_int_t)HASH_COUNT(stacks->stacks)};
		HASH_ADD_PTR(stacks->stacks, frames, added);
	}
	return json_integer(added->number);
}

static json_int_t add_frame(struct html_stacks *stacks, const struct report_frame *frame)
{
	struct page_frame *added;
	const char *key = arena_printf(
	    stacks->scratch, "%d%d %u %u %" PRIx64 " %zu %s %zu %s %s", frame->inlined, frame->inferred,
	    frame->line, frame->column, frame->offset, frame->function ? strlen(frame->function) + 1 : 0,
	    frame->function ? frame->function : "", frame->file ? strlen(frame->file) + 1 : 0,
	    frame->file ? frame->file : "", frame->module ? frame->module : "");

	HASH_FIND_STR(stacks->frames, key, added);
	if (!added) {
		added = arena_alloc(stacks->arena, sizeof(*added));
		*added = (struct page_frame){.key = arena_copy(stacks->arena, key),
		                             .frame = frame,
		                             .number = (json_int_t)HASH_COUNT(stacks->frames)};
		HASH_ADD_KEYPTR(hh, stacks->frames, added->key, strlen(added->key), added);
	}
	return added->number;
}

json_t *html_stacks_next(struct html_stacks *stacks)
{
	struct page_stack *stack = stacks->begun ? stacks->next_stack : stacks->stacks;
	json_t *array;

	stacks->begun = true;
	if (!stack)
		return NULL;
	stacks->next_stack = stack->hh.next;
	array = json_array();
	for (size_t i = 0; i < stack->count; i++)
		json_push(array, json_integer(add_frame(stacks, &stack->frames[i])));
	if (stack->truncated)
		json_push(array, json_null());
	arena_clear(stacks->scratch);
	return array;
}

json_t *html_stacks_next_frame(struct html_stacks *stacks)
{
	struct page_frame *next = stacks->begun_frames ? stacks->next_frame : stacks->frames;
	const struct report_frame *frame;
	json_t *array;
	struct spot spot;

	stacks->begun_frames = true;
	if (!next)
		return NULL;
	stacks->next_frame = next->hh.next;
	frame = next->frame;
	bool placed = frame->file && source_frame_spot(stacks->source, frame, &spot);
	array = json_array();
	json_push(array, json_text(stacks->scratch, frame->function));
	json_push(array, json_text(stacks->scratch, placed ? spot.path : frame->file));
	json_push(array, json_integer(frame->line));
	json_push(array, json_integer(frame->column));
	json_push(array, json_text(stacks->scratch, frame->module));
	json_push(array, json_hexadecimal(frame->offset));
	json_push(array, json_integer(frame->inlined));
	json_push(array, json_integer(frame->inferred));
	json_push(array, json_integer(excerpts_want(stacks->excerpts, frame)));
	json_push(array, json_integer(places_is_place(frame)));
	arena_clear(stacks->scratch);
	return array;
}
