/* A ready block has the rule, the edges by lock class, and the innermost places of every stack: what the
 * fingerprint is made of, so that it covers the same bug and no other, but readable and easy to widen by
 * hand. */
#include <ctype.h>
#include <string.h>

#include "places.h"
#include "suppress.h"

#define FRAMES 4 /* of each stack */

/* As a pattern: what can't be written in a line becomes `any`, a wildcard. */
static void print_pattern(FILE *out, const char *text, char any)
{
	for (; *text; text++)
		fputc(isprint((unsigned char)*text) || (unsigned char)*text >= 0x80 ? *text : any, out);
}

static void print_name(FILE *out, const struct report_finding *finding, uint32_t id)
{
	const struct report_lock *lock = model_lock(finding, id);

	fputc('^', out);
	print_pattern(out, lock && lock->class_name ? lock->class_name : "*", '*');
	fputc('$', out);
}

static bool had_edge(const struct report_finding *finding, size_t before, uint32_t from, uint32_t to)
{
	for (size_t i = 0; i < before; i++)
		for (size_t h = 0; h < finding->events[i].holding_count; h++)
			if (finding->events[i].lock == to && finding->events[i].holding[h] == from)
				return true;
	return false;
}

/* What of the finding's own circle is held; where there is no circle, what is held last. */
static uint32_t held_of_cycle(const struct report_finding *finding, const struct report_event *event)
{
	for (size_t h = event->holding_count; h-- > 0;)
		for (size_t i = 0; i < finding->cycle_lock_count; i++)
			if (finding->locks[i].id == event->holding[h] && event->holding[h] != event->lock)
				return event->holding[h];
	return event->holding_count ? event->holding[event->holding_count - 1] : 0;
}

static void print_frame(FILE *out, struct arena *arena, const struct report_frame *frame)
{
	const char *name;

	if (frame->function) {
		fputs("   fun:", out);
		name = places_bare_name(arena, frame->function);
	} else {
		fputs("   obj:*", out);
		name = frame->module ? model_base_name(frame->module) : "";
	}
	print_pattern(out, name, '?');
	fputc('\n', out);
}

static void print_stack(FILE *out, struct arena *arena, const struct report_stack *stack)
{
	fputs("   stack:\n", out);
	for (size_t i = 0; i < stack->count && i < FRAMES; i++)
		if (stack->frames[i].function || stack->frames[i].module)
			print_frame(out, arena, &stack->frames[i]);
		else
			fputs("   ...\n", out);
	if (stack->count > FRAMES)
		fputs("   ...\n", out);
}

void suppress_print(FILE *out, const struct report_finding *finding)
{
	struct arena *arena = arena_new();

	fprintf(out, "{\n   %s in %.16s: ", finding->rule->name, finding->fingerprint);
	fputs("say here why it is benign\n", out);
	fprintf(out, "   rule: %s\n", finding->rule->name);
	for (size_t i = 0; i < finding->event_count; i++) {
		const struct report_event *event = &finding->events[i];
		uint32_t held = event->lock ? held_of_cycle(finding, event) : 0;

		if (!held || had_edge(finding, i, held, event->lock))
			continue;
		fputs("   edge: ", out);
		print_name(out, finding, held);
		fputs(" -> ", out);
		print_name(out, finding, event->lock);
		fputc('\n', out);
	}
	for (size_t i = 0; i < finding->event_count; i++)
		if (finding->events[i].stack.count && finding->events[i].kind != DT_EVENT_HOLD)
			print_stack(out, arena, &finding->events[i].stack);
	fputs("}\n", out);
	arena_free(arena);
}
