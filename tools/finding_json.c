/* Numbers and texts under short names, since a database holds many: a frame is an array. */
#include "finding_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "safe.h"

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

json_t *finding_json_stack(struct arena *arena, const struct report_stack *stack)
{
	json_t *array = json_array();

	json_push(array, json_boolean(stack->truncated));
	for (size_t i = 0; i < stack->count; i++) {
		const struct report_frame *frame = &stack->frames[i];
		json_t *row = json_array();

		json_push(row, json_text(arena, frame->function));
		json_push(row, json_text(arena, frame->file));
		json_push(row, number(frame->line));
		json_push(row, number(frame->column));
		json_push(row, json_text(arena, frame->module));
		json_push(row, number(frame->offset));
		json_push(row, number(frame->inlined + 2u * frame->inferred));
		json_push(array, row);
	}
	return array;
}

/* A buffer for text, since stacks are what merging writes most of: as trees of jansson's they take half its
 * time. */
struct text {
	char *at;
	size_t count, room;
};

static void put(struct text *text, const char *from, size_t bytes)
{
	if (text->count + bytes + 1 > text->room) {
		text->room = 2 * (text->count + bytes + 1);
		text->at = must_realloc(text->at, text->room, 1);
	}
	memcpy(text->at + text->count, from, bytes);
	text->count += bytes;
	text->at[text->count] = '\0';
}

static void put_number(struct text *text, uint64_t value)
{
	char digits[24], *at = digits + sizeof(digits);
	int64_t number_signed = (int64_t)value; /* as json_integer has it */
	uint64_t rest = number_signed < 0 ? -value : value;

	do
		*--at = (char)('0' + rest % 10);
	while (rest /= 10);
	if (number_signed < 0)
		*--at = '-';
	put(text, at, (size_t)(digits + sizeof(digits) - at));
}

static void put_string(struct text *text, struct arena *arena, const char *value)
{
	if (!value) {
		put(text, "null", 4);
		return;
	}
	put(text, "\"", 1);
	for (const char *c = safe_utf8(arena, value); *c;) {
		size_t plain = 0;
		char escape[8];

		while ((unsigned char)c[plain] >= 0x20 && c[plain] != '"' && c[plain] != '\\')
			plain++;
		put(text, c, plain);
		c += plain;
		if (*c)
			put(text, escape,
			    (size_t)snprintf(escape, sizeof(escape), "\\u%04x", (unsigned char)*c++));
	}
	put(text, "\"", 1);
}

const char *finding_json_print_stack(struct arena *arena, const struct report_stack *stack)
{
	struct text text = {0};

	put(&text, stack->truncated ? "[true" : "[false", stack->truncated ? 5 : 6);
	for (size_t i = 0; i < stack->count; i++) {
		const struct report_frame *frame = &stack->frames[i];

		put(&text, ",[", 2);
		put_string(&text, arena, frame->function);
		put(&text, ",", 1);
		put_string(&text, arena, frame->file);
		put(&text, ",", 1);
		put_number(&text, frame->line);
		put(&text, ",", 1);
		put_number(&text, frame->column);
		put(&text, ",", 1);
		put_string(&text, arena, frame->module);
		put(&text, ",", 1);
		put_number(&text, frame->offset);
		put(&text, ",", 1);
		put_number(&text, frame->inlined + 2u * frame->inferred);
		put(&text, "]", 1);
	}
	put(&text, "]", 1);
	const char *copy = arena_copy(arena, text.at);
	free(text.at);
	return copy;
}

static json_t *write_lock(struct arena *arena, const struct report_lock *lock)
{
	json_t *object = json_object();

	json_put(object, "id", number(lock->id));
	json_put(object, "name", json_text(arena, lock->name));
	json_put(object, "class", json_text(arena, lock->class_name));
	json_put(object, "kind", json_text(arena, lock->kind));
	json_put(object, "words", json_text(arena, lock->kind_words));
	json_put(object, "origin", json_text(arena, lock->origin));
	return object;
}

static json_t *write_thread(struct arena *arena, const struct report_thread *thread)
{
	json_t *object = json_object();

	json_put(object, "id", number(thread->id));
	json_put(object, "number", number(thread->number));
	json_put(object, "pid", json_integer(thread->pid));
	json_put(object, "tid", json_integer(thread->tid));
	json_put(object, "name", json_text(arena, thread->name));
	json_put(object, "start", json_text(arena, thread->start));
	json_put(object, "parent", number(thread->parent));
	json_put(object, "created", finding_json_stack(arena, &thread->created));
	return object;
}

static json_t *write_memory(struct arena *arena, const struct report_memory *memory)
{
	json_t *object = json_object();

	json_put(object, "address", number(memory->address));
	json_put(object, "bytes", number(memory->bytes));
	json_put(object, "name", json_text(arena, memory->name));
	json_put(object, "place", json_text(arena, memory->place));
	json_put(object, "origin", json_text(arena, memory->origin));
	json_put(object, "block", number(memory->block));
	json_put(object, "block_bytes", number(memory->block_bytes));
	json_put(object, "thread", number(memory->thread));
	json_put(object, "allocated", finding_json_stack(arena, &memory->allocated));
	return object;
}

static json_t *write_numbers(const uint32_t *at, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_push(array, number(at[i]));
	return array;
}

static json_t *write_matrices(const struct report_matrices *matrices)
{
	size_t cells = matrices->thread_count * matrices->resource_count;
	json_t *object = json_object();

	json_put(object, "resources", write_numbers(matrices->resources, matrices->resource_count));
	json_put(object, "available", write_numbers(matrices->available, matrices->resource_count));
	json_put(object, "threads", write_numbers(matrices->threads, matrices->thread_count));
	json_put(object, "sections", write_numbers(matrices->sections, matrices->thread_count));
	json_put(object, "allocation", write_numbers(matrices->allocation, cells));
	json_put(object, "claim", write_numbers(matrices->claim, cells));
	json_put(object, "stuck", write_numbers(matrices->stuck, matrices->stuck_count));
	return object;
}

static json_t *write_event(struct arena *arena, const struct report_event *event)
{
	json_t *object = json_object();

	json_put(object, "kind", number(event->kind));
	json_put(object, "thread", number(event->thread));
	json_put(object, "lock", number(event->lock));
	json_put(object, "other_thread", number(event->other_thread));
	json_put(object, "other_lock", number(event->other_lock));
	json_put(object, "pid", json_integer(event->pid));
	json_put(object, "since", number(event->since_ns));
	json_put(object, "op", number(event->op));
	json_put(object, "mode", number(event->mode));
	json_put(object, "wait", number(event->wait));
	json_put(object, "handler", json_text(arena, event->handler));
	json_put(object, "interruptible", json_text(arena, event->interruptible));
	json_put(object, "address", number(event->address));
	json_put(object, "bytes", number(event->bytes));
	json_put(object, "forgotten", json_boolean(event->forgotten));
	json_put(object, "holding", write_numbers(event->holding, event->holding_count));
	json_put(object, "stack", finding_json_stack(arena, &event->stack));
	return object;
}

json_t *finding_json_write(struct arena *arena, const struct report_finding *finding)
{
	json_t *object = json_object(), *locks = json_array(), *threads = json_array(),
	       *events = json_array();

	for (size_t i = 0; i < finding->lock_count; i++)
		json_push(locks, write_lock(arena, &finding->locks[i]));
	for (size_t i = 0; i < finding->thread_count; i++)
		json_push(threads, write_thread(arena, &finding->threads[i]));
	for (size_t i = 0; i < finding->event_count; i++)
		json_push(events, write_event(arena, &finding->events[i]));
	json_put(object, "rule", json_string(finding->rule->name));
	json_put(object, "level", number(finding->level));
	json_put(object, "tier", number(finding->tier));
	json_put(object, "reason", number(finding->reason));
	json_put(object, "reason_lock", json_text(arena, finding->reason_lock));
	json_put(object, "happened", json_boolean(finding->happened));
	json_put(object, "broken", json_boolean(finding->broken));
	json_put(object, "limited", json_boolean(finding->limited));
	json_put(object, "cut", json_boolean(finding->cut));
	json_put(object, "time", number(finding->time_ns));
	json_put(object, "count", number(finding->count));
	json_put(object, "fingerprint", json_text(arena, finding->fingerprint));
	if (finding->related)
		json_put(object, "related", json_text(arena, finding->related));
	json_put(object, "message", json_text(arena, finding->message));
	json_put(object, "advice", json_text(arena, finding->advice));
	json_put(object, "cycle_locks", number(finding->cycle_lock_count));
	json_put(object, "locks", locks);
	json_put(object, "threads", threads);
	json_put(object, "events", events);
	if (finding->memory)
		json_put(object, "memory", write_memory(arena, finding->memory));
	if (finding->matrices.thread_count)
		json_put(object, "matrices", write_matrices(&finding->matrices));
	return object;
}

static const char *text_of(struct arena *arena, const json_t *value)
{
	return arena_copy(arena, json_string_value(value));
}

static const char *text_at(struct arena *arena, const json_t *object, const char *key)
{
	return text_of(arena, json_object_get(object, key));
}

static uint64_t number_at(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

/* Below `end`, else 0: what indexes tables of words. */
static unsigned small_at(const json_t *object, const char *key, unsigned end)
{
	uint64_t value = number_at(object, key);

	return value < end ? (unsigned)value : 0;
}

struct report_stack finding_json_read_stack(struct arena *arena, const json_t *json)
{
	size_t size = json_array_size(json);
	struct report_stack stack = {.count = size ? size - 1 : 0,
	                             .truncated = json_is_true(json_array_get(json, 0))};

	stack.frames = arena_alloc(arena, stack.count * sizeof(*stack.frames));
	for (size_t i = 0; i < stack.count; i++) {
		const json_t *row = json_array_get(json, i + 1);
		json_int_t flags = json_integer_value(json_array_get(row, 6));

		stack.frames[i] = (struct report_frame){
		    .function = text_of(arena, json_array_get(row, 0)),
		    .file = text_of(arena, json_array_get(row, 1)),
		    .line = (unsigned)json_integer_value(json_array_get(row, 2)),
		    .column = (unsigned)json_integer_value(json_array_get(row, 3)),
		    .module = text_of(arena, json_array_get(row, 4)),
		    .offset = (uint64_t)json_integer_value(json_array_get(row, 5)),
		    .inlined = flags & 1,
		    .inferred = flags & 2,
		};
	}
	return stack;
}

static const char *or_unknown(const char *text)
{
	return text ? text : "unknown";
}

static struct report_lock read_lock(struct arena *arena, const json_t *json)
{
	return (struct report_lock){
	    .id = (uint32_t)number_at(json, "id"),
	    .name = or_unknown(text_at(arena, json, "name")),
	    .class_name = or_unknown(text_at(arena, json, "class")),
	    .kind = or_unknown(text_at(arena, json, "kind")),
	    .kind_words = or_unknown(text_at(arena, json, "words")),
	    .origin = text_at(arena, json, "origin"),
	};
}

static struct report_thread read_thread(struct arena *arena, const json_t *json)
{
	return (struct report_thread){
	    .id = (uint32_t)number_at(json, "id"),
	    .number = (uint32_t)number_at(json, "number"),
	    .pid = (int32_t)number_at(json, "pid"),
	    .tid = (int32_t)number_at(json, "tid"),
	    .name = text_at(arena, json, "name"),
	    .start = text_at(arena, json, "start"),
	    .parent = (uint32_t)number_at(json, "parent"),
	    .created = finding_json_read_stack(arena, json_object_get(json, "created")),
	};
}

static const uint32_t *read_numbers(struct arena *arena, const json_t *json)
{
	size_t count = json_array_size(json);
	uint32_t *numbers = arena_alloc(arena, count * sizeof(*numbers));

	for (size_t i = 0; i < count; i++)
		numbers[i] = (uint32_t)json_integer_value(json_array_get(json, i));
	return numbers;
}

static const struct report_memory *read_memory(struct arena *arena, const json_t *json)
{
	struct report_memory *memory = arena_alloc(arena, sizeof(*memory));

	*memory = (struct report_memory){
	    .address = number_at(json, "address"),
	    .bytes = number_at(json, "bytes"),
	    .name = or_unknown(text_at(arena, json, "name")),
	    .place = or_unknown(text_at(arena, json, "place")),
	    .origin = text_at(arena, json, "origin"),
	    .block = number_at(json, "block"),
	    .block_bytes = number_at(json, "block_bytes"),
	    .thread = (uint32_t)number_at(json, "thread"),
	    .allocated = finding_json_read_stack(arena, json_object_get(json, "allocated")),
	};
	return memory;
}

/* What has rows or columns that do not fit is left out: emitters index by these counts. */
static struct report_matrices read_matrices(struct arena *arena, const json_t *json)
{
	const json_t *resources = json_object_get(json, "resources"),
	             *available = json_object_get(json, "available"),
	             *threads = json_object_get(json, "threads"),
	             *allocation = json_object_get(json, "allocation"),
	             *claim = json_object_get(json, "claim"), *stuck = json_object_get(json, "stuck"),
	             *sections = json_object_get(json, "sections");
	size_t cells = json_array_size(resources) * json_array_size(threads);

	if (!cells || json_array_size(available) != json_array_size(resources) ||
	    json_array_size(sections) != json_array_size(threads) || json_array_size(allocation) != cells ||
	    json_array_size(claim) != cells)
		return (struct report_matrices){0};
	return (struct report_matrices){
	    .resource_count = json_array_size(resources),
	    .thread_count = json_array_size(threads),
	    .stuck_count = json_array_size(stuck),
	    .resources = read_numbers(arena, resources),
	    .available = read_numbers(arena, available),
	    .threads = read_numbers(arena, threads),
	    .sections = read_numbers(arena, sections),
	    .allocation = read_numbers(arena, allocation),
	    .claim = read_numbers(arena, claim),
	    .stuck = read_numbers(arena, stuck),
	};
}

static struct report_event read_event(struct arena *arena, const json_t *json)
{
	const json_t *held = json_object_get(json, "holding");

	return (struct report_event){
	    .kind = (enum dt_event_kind)small_at(json, "kind", DT_EVENT_KINDS),
	    .thread = (uint32_t)number_at(json, "thread"),
	    .lock = (uint32_t)number_at(json, "lock"),
	    .other_thread = (uint32_t)number_at(json, "other_thread"),
	    .other_lock = (uint32_t)number_at(json, "other_lock"),
	    .pid = (int32_t)number_at(json, "pid"),
	    .since_ns = number_at(json, "since"),
	    .op = (enum dt_op)small_at(json, "op", DT_OPS),
	    .mode = (enum dt_mode)small_at(json, "mode", DT_MODE_SHARED + 1),
	    .wait = (enum dt_wait)small_at(json, "wait", DT_WAIT_TRY + 1),
	    .handler = text_at(arena, json, "handler"),
	    .interruptible = text_at(arena, json, "interruptible"),
	    .address = number_at(json, "address"),
	    .bytes = number_at(json, "bytes"),
	    .forgotten = json_is_true(json_object_get(json, "forgotten")),
	    .holding = read_numbers(arena, held),
	    .holding_count = json_array_size(held),
	    .stack = finding_json_read_stack(arena, json_object_get(json, "stack")),
	};
}

static void read_lists(struct arena *arena, const json_t *json, struct report_finding *finding)
{
	const json_t *locks = json_object_get(json, "locks"), *threads = json_object_get(json, "threads"),
	             *events = json_object_get(json, "events");

	finding->lock_count = json_array_size(locks);
	finding->thread_count = json_array_size(threads);
	finding->event_count = json_array_size(events);
	finding->locks = arena_alloc(arena, finding->lock_count * sizeof(*finding->locks));
	finding->threads = arena_alloc(arena, finding->thread_count * sizeof(*finding->threads));
	finding->events = arena_alloc(arena, finding->event_count * sizeof(*finding->events));
	for (size_t i = 0; i < finding->lock_count; i++)
		finding->locks[i] = read_lock(arena, json_array_get(locks, i));
	for (size_t i = 0; i < finding->thread_count; i++)
		finding->threads[i] = read_thread(arena, json_array_get(threads, i));
	for (size_t i = 0; i < finding->event_count; i++)
		finding->events[i] = read_event(arena, json_array_get(events, i));
}

bool finding_json_read(struct arena *arena, const json_t *json, struct report_finding *finding)
{
	const char *rule_name = json_string_value(json_object_get(json, "rule"));
	const struct dt_rule *rule = rule_name ? dt_rule_find(rule_name) : NULL;

	if (!rule)
		return false;
	*finding = (struct report_finding){
	    .rule = rule,
	    .level = (enum dt_level)small_at(json, "level", DT_LEVEL_ERROR + 1),
	    .tier = (enum dt_tier)small_at(json, "tier", DT_TIER_NOTE + 1),
	    .reason = (enum dt_reason)small_at(json, "reason", DT_REASONS),
	    .reason_lock = text_at(arena, json, "reason_lock"),
	    .happened = json_is_true(json_object_get(json, "happened")),
	    .broken = json_is_true(json_object_get(json, "broken")),
	    .limited = json_is_true(json_object_get(json, "limited")),
	    .cut = json_is_true(json_object_get(json, "cut")),
	    .time_ns = number_at(json, "time"),
	    .count = number_at(json, "count"),
	    .fingerprint = or_unknown(text_at(arena, json, "fingerprint")),
	    .related = text_at(arena, json, "related"),
	    .message = or_unknown(text_at(arena, json, "message")),
	    .advice = or_unknown(text_at(arena, json, "advice")),
	};
	read_lists(arena, json, finding);
	if (json_object_get(json, "memory"))
		finding->memory = read_memory(arena, json_object_get(json, "memory"));
	finding->matrices = read_matrices(arena, json_object_get(json, "matrices"));
	finding->cycle_lock_count = number_at(json, "cycle_locks");
	if (finding->cycle_lock_count > finding->lock_count)
		finding->cycle_lock_count = finding->lock_count;
	return true;
}
