/* What GitHub shows of a result: its message, the first location, the flows, and those related
 * locations that the message links to; hence the numbered links at its end. It shows no location
 * without a line: an object file gets line 1, and the address beside it.
 *
 * In SARIF's messages "[text](target)" is a link. A name that looks like one is escaped. Braces are left:
 * they are placeholders only where there are arguments, and lambdas' names have them. */
#include "sarif.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "safe.h"
#include "words.h"

/* GitHub stores 1,000 locations of a flow and 100 related ones; deeper stacks help nobody. */
#define EVENTS_MAX 100u
#define FRAMES_MAX 100u

const char *sarif_uri(struct arena *arena, const char *path)
{
	static const char unreserved[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
	size_t length = strlen(path);
	char *uri = arena_alloc(arena, strlen("file://") + 3 * length + 1), *to = uri;

	if (*path == '/')
		to = stpcpy(to, "file://");
	for (; *path; path++) {
		if (strchr(unreserved, *path))
			*to++ = *path;
		else
			to += sprintf(to, "%%%02X", (unsigned char)*path);
	}
	return uri;
}

/* Escape what would be a link. */
static const char *plain_text(struct arena *arena, const char *text)
{
	text = safe_visible(arena, text);
	if (!strstr(text, "]("))
		return text;
	char *copy = arena_alloc(arena, 2 * strlen(text) + 1), *to = copy;
	for (; *text; text++) {
		if (strchr("\\[]", *text))
			*to++ = '\\';
		*to++ = *text;
	}
	return copy;
}

static json_t *message_object(struct arena *arena, const char *text)
{
	json_t *message = json_object();

	json_put(message, "text", json_text(arena, plain_text(arena, text)));
	return message;
}

static json_t *multiformat(struct arena *arena, const char *text, const char *markdown)
{
	json_t *object = json_object();

	json_put(object, "text", json_text(arena, text));
	if (markdown)
		json_put(object, "markdown", json_text(arena, markdown));
	return object;
}

static json_t *rule_properties(enum dt_level level)
{
	static const char *const severities[] = {
	    [DT_LEVEL_NOTE] = "recommendation", [DT_LEVEL_WARNING] = "warning", [DT_LEVEL_ERROR] = "error"};
	json_t *properties = json_object(), *tags = json_array();

	json_push(tags, json_string("concurrency"));
	json_push(tags, json_string("correctness"));
	json_put(properties, "tags", tags);
	json_put(properties, "precision", json_string(level == DT_LEVEL_ERROR ? "very-high" : "high"));
	json_put(properties, "problem.severity", json_string(severities[level]));
	return properties;
}

json_t *sarif_rule(struct arena *arena, const struct dt_rule *rule)
{
	json_t *object = json_object(), *configuration = json_object();

	json_put(configuration, "level", json_string(model_level_name(rule->level)));
	json_put(object, "id", json_string(rule->name));
	json_put(object, "shortDescription", multiformat(arena, rule->summary, NULL));
	json_put(object, "fullDescription", multiformat(arena, rule->summary, NULL));
	/* Paragraphs and examples indented by four: Markdown as it is. */
	json_put(object, "help", multiformat(arena, rule->text, rule->text));
	json_put(object, "defaultConfiguration", configuration);
	json_put(object, "properties", rule_properties(rule->level));
	return object;
}

/* %SRCROOT% is the name that consumers know for the root of the checkout; where that is, they know
 * better than we: the file may be read on another machine. */
static json_t *physical_location(struct arena *arena, const struct spot *spot)
{
	json_t *physical = json_object(), *artifact = json_object(), *region = json_object();
	const struct report_frame *frame = spot->frame;

	json_put(artifact, "uri", json_string(sarif_uri(arena, spot->path)));
	if (spot->in_root)
		json_put(artifact, "uriBaseId", json_string("%SRCROOT%"));
	json_put(region, "startLine", json_integer(spot->line ? spot->line : 1));
	if (spot->column)
		json_put(region, "startColumn", json_integer(spot->column));
	json_put(physical, "artifactLocation", artifact);
	json_put(physical, "region", region);
	if (frame && frame->module && frame->offset <= INT64_MAX) {
		json_t *address = json_object();

		json_put(address, "relativeAddress", json_integer((json_int_t)frame->offset));
		json_put(address, "kind", json_string("instruction"));
		json_put(address, "fullyQualifiedName",
		         json_words(arena, arena_printf(arena, "%s+0x%" PRIx64,
		                                        model_base_name(frame->module), frame->offset)));
		json_put(physical, "address", address);
	}
	return physical;
}

/* `words` NULL: no message. `id` 0: none. */
static json_t *location(struct arena *arena, const struct spot *spot, const char *words, size_t id)
{
	json_t *object = json_object();

	if (id)
		json_put(object, "id", json_integer((json_int_t)id));
	json_put(object, "physicalLocation", physical_location(arena, spot));
	if (spot->frame && spot->frame->function) {
		json_t *logical = json_object(), *array = json_array();

		json_put(logical, "fullyQualifiedName", json_words(arena, spot->frame->function));
		json_put(logical, "kind", json_string("function"));
		json_push(array, logical);
		json_put(object, "logicalLocations", array);
	}
	if (words)
		json_put(object, "message", message_object(arena, words));
	return object;
}

/* Where an event is: its stack's best frame, else the program. */
static struct spot event_spot(const struct emit *emit, const struct report_finding *found,
                              const struct report_event *event)
{
	struct spot spot;

	if (source_spot(emit->source, &event->stack, &spot))
		return spot;
	return source_finding_spot(emit->source, emit->report, found);
}

static size_t event_count(const struct report_finding *found)
{
	return found->event_count < EVENTS_MAX ? found->event_count : EVENTS_MAX;
}

static json_t *related_locations(struct arena *arena, const struct emit *emit,
                                 const struct report_finding *found)
{
	json_t *array = json_array();

	for (size_t i = 0; i < event_count(found); i++) {
		const struct spot spot = event_spot(emit, found, &found->events[i]);
		json_push(array, location(arena, &spot, words_step(arena, found, &found->events[i]), i + 1));
	}
	return array;
}

/* A standard viewer has icons for these. */
static json_t *kinds(enum dt_event_kind kind)
{
	json_t *array = json_array();

	if (kind == DT_EVENT_HOLD || kind == DT_EVENT_ACQUIRE)
		json_push(array, json_string("acquire"));
	if (kind == DT_EVENT_UNLOCK)
		json_push(array, json_string("release"));
	if (kind != DT_EVENT_EXIT)
		json_push(array, json_string("lock"));
	return array;
}

static json_t *flow_step(json_t *where, json_t *what)
{
	json_t *step = json_object();

	json_put(step, "location", where);
	json_put(step, "importance", json_string("essential"));
	if (what)
		json_put(step, "kinds", what);
	return step;
}

static json_t *thread_flow(struct arena *arena, const struct emit *emit, const struct report_finding *found,
                           uint32_t id)
{
	const struct report_thread *thread = model_thread(found, id);
	const char *name = words_thread(arena, thread, id);
	json_t *flow = json_object(), *steps = json_array();
	struct spot spot;

	if (thread && source_spot(emit->source, &thread->created, &spot))
		json_push(steps, flow_step(location(arena, &spot,
		                                    arena_printf(arena, "%s is created here", name), 0),
		                           NULL));
	for (size_t i = 0; i < event_count(found); i++) {
		const struct report_event *event = &found->events[i];

		if (event->thread != id)
			continue;
		spot = event_spot(emit, found, event);
		json_push(steps, flow_step(location(arena, &spot, words_step(arena, found, event), 0),
		                           kinds(event->kind)));
	}
	json_put(flow, "id", json_words(arena, arena_printf(arena, "%" PRIu32, id)));
	json_put(flow, "message", message_object(arena, name));
	json_put(flow, "locations", steps);
	return flow;
}

/* One flow with the threads side by side. */
static json_t *code_flows(struct arena *arena, const struct emit *emit, const struct report_finding *found)
{
	json_t *array = json_array(), *flow = json_object(), *threads = json_array();

	for (size_t i = 0; i < event_count(found); i++) {
		size_t first = 0;

		while (found->events[first].thread != found->events[i].thread)
			first++;
		if (first == i)
			json_push(threads, thread_flow(arena, emit, found, found->events[i].thread));
	}
	json_put(flow, "threadFlows", threads);
	json_push(array, flow);
	return array;
}

/* Code that is in no file: made by a JIT compiler, or in a module that the log does not know. */
static json_t *address_alone(uint64_t absolute)
{
	json_t *object = json_object(), *physical = json_object(), *address = json_object();

	json_put(address, "absoluteAddress", json_integer((json_int_t)absolute));
	json_put(physical, "address", address);
	json_put(object, "physicalLocation", physical);
	return object;
}

static json_t *frame_object(struct arena *arena, const struct emit *emit, const struct report_frame *frame)
{
	json_t *object = json_object();
	struct spot spot;

	if (source_frame_spot(emit->source, frame, &spot))
		json_put(object, "location", location(arena, &spot, frame->inlined ? "inlined" : NULL, 0));
	else if (frame->offset <= INT64_MAX)
		json_put(object, "location", address_alone(frame->offset));
	if (frame->module)
		json_put(object, "module", json_words(arena, model_base_name(frame->module)));
	return object;
}

static json_t *stacks(struct arena *arena, const struct emit *emit, const struct report_finding *found)
{
	json_t *array = json_array();

	for (size_t i = 0; i < event_count(found); i++) {
		const struct report_event *event = &found->events[i];
		json_t *stack = json_object(), *frames = json_array();

		for (size_t f = 0; f < event->stack.count && f < FRAMES_MAX; f++)
			json_push(frames, frame_object(arena, emit, &event->stack.frames[f]));
		json_put(stack, "message", message_object(arena, words_step(arena, found, event)));
		json_put(stack, "frames", frames);
		json_push(array, stack);
	}
	return array;
}

/* GitHub follows an alert by primaryLocationLineHash; ours does not change with the lines. */
static json_t *fingerprints(struct arena *arena, const struct report_finding *found)
{
	json_t *object = json_object();

	json_put(object, "libdetect/v1", json_text(arena, found->fingerprint));
	json_put(object, "primaryLocationLineHash",
	         json_text(arena, arena_printf(arena, "%s:1", found->fingerprint)));
	return object;
}

static json_t *result_properties(struct arena *arena, const struct emit *emit,
                                 const struct report_finding *found)
{
	const struct report_process *process = &emit->report->processes[found->process];
	json_t *properties = json_object();

	json_put(properties, "program", json_words(arena, process->program));
	json_put(properties, "pid", json_integer(process->pid));
	if (found->reason)
		json_put(properties, "reason", json_string(dt_reason_name(found->reason)));
	return properties;
}

static json_t *result_message(struct arena *arena, const struct report_finding *found, bool linked)
{
	json_t *message = json_object();
	const char *text = arena_printf(arena, "%s. %s", plain_text(arena, found->message),
	                                plain_text(arena, found->advice));

	if (linked && found->event_count) {
		text = arena_printf(arena, "%s Where:", text);
		for (size_t i = 1; i <= event_count(found); i++)
			text = arena_printf(arena, "%s [%zu](%zu)", text, i, i);
	}
	json_put(message, "text", json_text(arena, text));
	return message;
}

json_t *sarif_result(struct arena *arena, const struct emit *emit, const struct report_finding *found,
                     bool whole)
{
	const struct spot spot = source_finding_spot(emit->source, emit->report, found);
	json_t *result = json_object(), *locations = json_array();

	json_push(locations, location(arena, &spot, NULL, 0));
	json_put(result, "ruleId", json_string(found->rule->name));
	json_put(result, "ruleIndex", json_integer((json_int_t)(found->rule - dt_rules)));
	json_put(result, "level", json_string(model_level_name(found->level)));
	json_put(result, "message", result_message(arena, found, whole));
	json_put(result, "locations", locations);
	json_put(result, "partialFingerprints", fingerprints(arena, found));
	json_put(result, "occurrenceCount",
	         json_integer(found->count < INT64_MAX ? (json_int_t)found->count : INT64_MAX));
	json_put(result, "properties", result_properties(arena, emit, found));
	if (whole && found->event_count) {
		json_put(result, "relatedLocations", related_locations(arena, emit, found));
		json_put(result, "codeFlows", code_flows(arena, emit, found));
		json_put(result, "stacks", stacks(arena, emit, found));
	}
	return result;
}
