/* detect ps: what every thread of a process holds and waits for, now. */
#include "command.h"

#include <argp.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <detect/log_read.h>

#include "advice.h"
#include "inspect.h"
#include "json.h"
#include "names.h"
#include "options.h"
#include "safe.h"
#include "say.h"
#include "symbols.h"

struct ps_arguments {
	bool json, brief;
	char **targets;
	size_t count;
};

/* One process while it is shown. */
struct view {
	const struct inspect *inspect;
	struct dt_facts *facts;
	struct resolve *resolve;
	struct arena *arena;
	uint64_t now_ns;
	bool brief;
};

enum { KEY_BRIEF = 0x100 };

static error_t parse(int key, char *value, struct argp_state *state)
{
	struct ps_arguments *arguments = state->input;
	static const char *const formats[] = {"text", "json", NULL};

	switch (key) {
	case 'f':
		arguments->json = options_word("--format", value, formats) == 1;
		return 0;
	case KEY_BRIEF:
		arguments->brief = true;
		return 0;
	case ARGP_KEY_ARG:
		arguments->targets =
		    must_realloc(arguments->targets, arguments->count + 1, sizeof *arguments->targets);
		arguments->targets[arguments->count++] = value;
		return 0;
	case ARGP_KEY_NO_ARGS:
		say_usage("which LOG or PID? See 'detect ps --help'");
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The lock that was last recorded at an address. */
static uint32_t lock_at(const struct dt_facts *facts, uint64_t address)
{
	for (uint32_t i = dt_facts_lock_count(facts); i-- > 0;) {
		const struct dt_lock *lock = dt_facts_lock_nth(facts, i);
		if (lock->made->address == address && !lock->ended)
			return lock->id;
	}
	return 0;
}

static const char *lock_words(const struct view *view, uint32_t id, uint64_t address, uint8_t kind)
{
	id = id ? id : lock_at(view->facts, address);
	const char *kind_words =
	    kind && kind < DT_LOCK_KINDS ? names_kind_words((enum dt_lock_kind)kind) : "lock";
	if (!id)
		return arena_printf(view->arena, "%s at 0x%" PRIx64, kind_words, address);
	const struct report_lock lock = names_lock(view->resolve, id);
	return arena_printf(view->arena, "%s `%s`", lock.kind_words, lock.name);
}

/* Who stands in the way, as far as the others show it. */
static const struct inspect_thread *holder_of(const struct view *view, const struct inspect_thread *waiter)
{
	const struct dt_board_slot *slot = &waiter->slot;

	for (size_t i = 0; i < view->inspect->thread_count; i++) {
		const struct inspect_thread *other = &view->inspect->threads[i];
		for (size_t h = 0; slot->op == DT_OP_ACQUIRE && h < other->held_count; h++)
			if (other->held[h].lock == slot->object)
				return other;
	}
	return NULL;
}

static const char *thread_words(const struct view *view, uint32_t id)
{
	return resolve_thread_words(view->resolve, id);
}

static const char *wait_words(const struct view *view, const struct inspect_thread *thread)
{
	const struct dt_board_slot *slot = &thread->slot;

	if (slot->op == DT_OP_JOIN)
		return slot->other_thread ? arena_printf(view->arena, "the end of %s",
		                                         thread_words(view, slot->other_thread))
		                          : "the end of a thread";
	const char *words = lock_words(view, slot->object_id, slot->object, slot->kind);
	return slot->mode == DT_MODE_SHARED ? arena_printf(view->arena, "%s for reading", words) : words;
}

static double seconds_since(const struct view *view, uint64_t since_ns)
{
	return since_ns && since_ns < view->now_ns ? (double)(view->now_ns - since_ns) / 1e9 : 0;
}

static const char *state_words(const struct view *view, const struct inspect_thread *thread)
{
	if (!view->inspect->alive)
		return "was running";
	switch (thread->state) {
	case 'R':
		return "running";
	case 'S':
	case 'D':
		return "sleeping, in no wait that is followed";
	case 'T':
	case 't':
		return "stopped";
	case 'Z':
	case 'X':
		return "ending";
	default:
		return "running";
	}
}

static void print_stack(const struct view *view, uint32_t id)
{
	const struct report_stack stack = resolve_stack(view->resolve, id);

	for (size_t i = 0; i < stack.count && !(view->brief && i); i++) {
		const char *where = names_frame(view->arena, &stack.frames[i]);
		printf("      #%-2zu ", i);
		safe_print(stdout, where ? where : "??");
		putchar('\n');
	}
}

static void print_thread(const struct view *view, const struct inspect_thread *thread)
{
	const struct dt_board_slot *slot = &thread->slot;
	const struct inspect_thread *holder = holder_of(view, thread);

	fputs("  ", stdout);
	safe_print(stdout, thread_words(view, slot->thread));
	printf(" (tid %" PRId32 "): ", slot->tid);
	if (slot->state == DT_BOARD_BLOCKED) {
		fputs("waits for ", stdout);
		safe_print(stdout, wait_words(view, thread));
		if (holder) {
			fputs(", held by ", stdout);
			safe_print(stdout, thread_words(view, holder->slot.thread));
		}
		if (view->inspect->alive)
			printf(", since %.3f s", seconds_since(view, slot->since_ns));
		printf("%s\n", slot->wait == DT_WAIT_TIMED ? ", with a time limit" : "");
		print_stack(view, slot->stack);
	} else {
		puts(state_words(view, thread));
	}
	if (!thread->holds_known)
		puts("    what it holds is not known");
	for (size_t i = 0; i < thread->held_count; i++) {
		const struct inspect_held *held = &thread->held[i];
		fputs("    holds ", stdout);
		safe_print(stdout, lock_words(view, held->id, held->lock, held->kind));
		printf("%s, acquired at\n", held->mode == DT_MODE_SHARED ? " for reading" : "");
		print_stack(view, held->stack);
	}
}

static void print_process(const struct view *view)
{
	const struct inspect *inspect = view->inspect;

	safe_print(stdout, model_program(dt_facts_process(view->facts)));
	printf(" (pid %" PRId32 "), %s, %zu thread%s\n", inspect->pid, inspect->alive ? "alive" : "has ended",
	       inspect->thread_count, inspect->thread_count == 1 ? "" : "s");
	for (size_t i = 0; i < inspect->thread_count; i++)
		print_thread(view, &inspect->threads[i]);
	if (inspect->denied)
		say("process %" PRId32
		    ": its memory can't be read: what running threads hold is not shown (try as root)",
		    inspect->pid);
	if (!inspect->thread_count)
		say("process %" PRId32 ": %s", inspect->pid,
		    inspect->alive ? "no thread of it is on the board"
		                   : "it has ended and left no board behind");
}

static json_t *stack_json(const struct view *view, uint32_t id)
{
	const struct report_stack stack = resolve_stack(view->resolve, id);
	json_t *array = json_array();

	for (size_t i = 0; i < stack.count; i++) {
		const struct report_frame *frame = &stack.frames[i];
		json_t *object = json_object();
		json_put(object, "function", json_text(view->arena, frame->function));
		json_put(object, "file", json_text(view->arena, frame->file));
		json_put(object, "line", frame->line ? json_integer(frame->line) : json_null());
		json_push(array, object);
	}
	return array;
}

static json_t *thread_json(const struct view *view, const struct inspect_thread *thread)
{
	const struct dt_board_slot *slot = &thread->slot;
	const struct dt_thread *known = dt_facts_thread(view->facts, slot->thread);
	const struct inspect_thread *holder = holder_of(view, thread);
	json_t *object = json_object(), *holds = json_array(), *waits = json_null();

	if (slot->state == DT_BOARD_BLOCKED) {
		waits = json_object();
		json_put(waits, "for", json_text(view->arena, wait_words(view, thread)));
		json_put(waits, "held_by", holder ? json_integer(holder->slot.thread) : json_null());
		json_put(waits, "thread",
		         slot->op == DT_OP_JOIN ? json_integer(slot->other_thread) : json_null());
		json_put(waits, "seconds",
		         view->inspect->alive ? json_real(seconds_since(view, slot->since_ns)) : json_null());
		json_put(waits, "timed", json_boolean(slot->wait == DT_WAIT_TIMED));
		json_put(waits, "stack", stack_json(view, slot->stack));
	}
	for (size_t i = 0; i < thread->held_count; i++) {
		const struct inspect_held *held = &thread->held[i];
		json_t *hold = json_object();
		json_put(hold, "lock",
		         json_text(view->arena, lock_words(view, held->id, held->lock, held->kind)));
		json_put(hold, "mode", json_string(held->mode == DT_MODE_SHARED ? "shared" : "exclusive"));
		json_put(hold, "stack", stack_json(view, held->stack));
		json_push(holds, hold);
	}
	json_put(object, "id", json_integer(slot->thread));
	json_put(object, "tid", json_integer(slot->tid));
	json_put(object, "name", json_text(view->arena, known ? known->name : NULL));
	json_put(object, "state", json_string(slot->state == DT_BOARD_BLOCKED ? "waiting" : "running"));
	json_put(object, "waits", waits);
	json_put(object, "holds", thread->holds_known ? holds : json_null());
	if (!thread->holds_known)
		json_decref(holds);
	return object;
}

static json_t *process_json(const struct view *view)
{
	json_t *object = json_object(), *threads = json_array();

	for (size_t i = 0; i < view->inspect->thread_count; i++)
		json_push(threads, thread_json(view, &view->inspect->threads[i]));
	json_put(object, "pid", json_integer(view->inspect->pid));
	json_put(object, "program", json_text(view->arena, model_program(dt_facts_process(view->facts))));
	json_put(object, "alive", json_boolean(view->inspect->alive));
	json_put(object, "threads", threads);
	return object;
}

/* What show is called with. */
struct showing {
	bool brief;
	struct symbols *symbols;
	json_t *processes; /* NULL: as text */
};

static void show(void *context, const struct inspect *inspect)
{
	const struct showing *showing = context;
	struct view view = {.inspect = inspect, .arena = arena_new(), .brief = showing->brief};
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	view.now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	if (dt_facts_new(&view.facts, &dt_alloc_libc) != DT_OK ||
	    dt_log_read(view.facts, inspect->log, inspect->log_bytes, NULL) == DT_ERR_NOMEM)
		say_out_of_memory();
	view.resolve = resolve_open(view.facts, showing->symbols, view.arena);
	if (showing->processes)
		json_push(showing->processes, process_json(&view));
	else
		print_process(&view);
	resolve_close(view.resolve);
	dt_facts_free(view.facts);
	arena_free(view.arena);
}

static int run(int argc, char **argv)
{
	static const struct argp_option rows[] = {
	    {"format", 'f', "FORMAT", 0, "text (default) or json", 0},
	    {"brief", KEY_BRIEF, NULL, 0, "One frame of each stack", 0},
	    {0},
	};
	static const struct argp argp = {
	    .options = rows,
	    .parser = parse,
	    .args_doc = "LOG|PID...",
	    .doc = "Show what every thread of a process holds and waits for. The process runs, hangs or was "
	           "killed; it does not "
	           "take part. A LOG is a file or a folder of them; with a PID the log is found in the "
	           "process itself.",
	};
	struct ps_arguments arguments = {0};

	options_parse(&argp, argc, argv, 0, &arguments);
	struct showing showing = {arguments.brief, symbols_open(), arguments.json ? json_array() : NULL};
	for (size_t i = 0; i < arguments.count; i++)
		inspect_each(arguments.targets[i], show, &showing);
	if (showing.processes) {
		json_print(stdout,
		           json_pack("{s:s, s:i, s:o}", "format", "libdetect-ps", "version", 1, "processes",
		                     showing.processes),
		           JSON_INDENT(2));
		putchar('\n');
	}
	symbols_close(showing.symbols);
	free(arguments.targets);
	return STATUS_OK;
}

const struct command cmd_ps = {
    .name = "ps",
    .summary = "what each thread of a process holds and waits for, now",
    .run = run,
};
