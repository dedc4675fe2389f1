/* FNV-1a, 128 bits (Fowler, Noll, Vo; draft-eastlake-fnv): no adversary to keep out, and collisions
 * between the few findings of a code base are not to be expected at this width.
 *
 * The edges of a cycle have no first one. Each is written out as text, and the rotation whose texts
 * compare lowest is hashed; so the same cycle found from another edge is the same finding. */
#include "fingerprint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "places.h"
#include "say.h"

#define FRAMES                                                                                               \
	3 /* innermost functions of a stack that count: enough to tell two users of a wrapper apart          \
	   */

__extension__ typedef unsigned __int128 fnv_t;

static fnv_t hash_text(fnv_t hash, const char *text)
{
	const fnv_t prime = ((fnv_t)1 << 88) + 0x13b;

	do { /* the NUL too, so that "ab","c" is not "a","bc" */
		hash ^= (unsigned char)*text;
		hash *= prime;
	} while (*text++);
	return hash;
}

static void write_stack(FILE *out, struct arena *arena, const struct report_stack *stack)
{
	size_t written = 0;

	for (size_t i = 0; i < stack->count && written < FRAMES; i++) {
		const struct report_frame *frame = &stack->frames[i];

		if (frame->function && !places_is_place(frame))
			continue;
		if (frame->function)
			fprintf(out, "|%s", places_bare_name(arena, frame->function));
		else if (frame->module)
			fprintf(out, "|%s+%llx", model_base_name(frame->module),
			        (unsigned long long)frame->offset);
		else
			fputs("|?", out);
		written++;
	}
}

static void write_event(FILE *out, struct arena *arena, const struct report_finding *finding,
                        const struct report_event *event)
{
	const struct report_lock *lock = model_lock(finding, event->lock);

	fprintf(out, "%s %s %s", dt_event_name(event->kind), lock ? lock->class_name : "-",
	        event->mode == DT_MODE_SHARED ? "shared" : "");
	write_stack(out, arena, &event->stack);
	fputc('\n', out);
}

/* One text an edge: what is held, then what is done with it held. */
static size_t write_edges(struct arena *arena, const struct report_finding *finding, const char **edges)
{
	size_t count = 0;

	for (size_t i = 0; i < finding->event_count;) {
		char *text;
		size_t bytes;
		FILE *out = open_memstream(&text, &bytes);
		bool held;

		if (!out)
			say_out_of_memory();
		do {
			held = finding->events[i].kind == DT_EVENT_HOLD;
			write_event(out, arena, finding, &finding->events[i]);
		} while (++i < finding->event_count && held);
		if (fclose(out))
			say_out_of_memory();
		edges[count++] = arena_copy(arena, text);
		free(text);
	}
	return count;
}

static int compare_rotations(const char *const *edges, size_t count, size_t a, size_t b)
{
	for (size_t i = 0; i < count; i++) {
		int order = strcmp(edges[(a + i) % count], edges[(b + i) % count]);

		if (order)
			return order;
	}
	return 0;
}

/* Which element of an array two threads met at is chance. */
static const char *without_indices(struct arena *arena, const char *name)
{
	char *text = arena_alloc(arena, strlen(name) + 1), *out = text;

	for (const char *at = name; *at; at++) {
		*out++ = *at;
		if (*at == '[')
			at += strspn(at + 1, "0123456789");
	}
	*out = '\0';
	return text;
}

const char *fingerprint_make(struct arena *arena, const struct report_finding *finding)
{
	struct arena *scratch = arena_new();
	const char **edges = arena_alloc(scratch, (finding->event_count + 1) * sizeof(*edges));
	size_t count = write_edges(scratch, finding, edges), first = 0;
	fnv_t hash = ((fnv_t)0x6c62272e07bb0142u << 64) | 0x62b821756295c58du;

	for (size_t i = 1; i < count; i++)
		if (compare_rotations(edges, count, i, first) < 0)
			first = i;
	hash = hash_text(hash, finding->rule->name);
	if (finding->memory && finding->memory->has_name)
		hash = hash_text(hash, without_indices(scratch, finding->memory->name));
	for (size_t i = 0; i < count; i++)
		hash = hash_text(hash, edges[(first + i) % count]);
	arena_free(scratch);
	return arena_printf(arena, "%016llx%016llx", (unsigned long long)(hash >> 64),
	                    (unsigned long long)hash);
}
