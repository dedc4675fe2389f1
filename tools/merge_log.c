/* The order of the passes: locks, stacks and threads get their keys when the first acquisition asks; an
 * acquisition's key needs its parent's, so chains are walked outwards first. */
#include "merge_log.h"

#include <detect/check.h>

#include <stdlib.h>

#include "bugs.h"
#include "finding.h"
#include "finding_json.h"
#include "hash.h"
#include "merge_ids.h"
#include "merge_phase.h"
#include "names.h"
#include "notices.h"
#include "peers.h"
#include "places.h"
#include "safe.h"
#include "say.h"

/* A row whose finding shares its bug with others. */
struct merge_bug {
	struct report_finding finding;
	size_t row;
	const char *json; /* as it is in the row */
};

struct merge {
	struct merge_rows *rows;
	struct arena *arena;
	struct dt_facts *facts;
	struct resolve *resolve;
	struct peers *peers;
	const char *program;
	int64_t run;
	struct merge_id *locks, *stacks, *acqs;    /* by the log's ids */
	struct merge_id *lock_rows, *finding_rows; /* by key: index of the row + 1 */
	struct merge_phase *phase;
	json_t *notices;
	struct merge_bug *bugs;
	size_t bug_count, bug_room;
};

static struct store_row *add_row(struct merge_rows *rows, enum store_table table)
{
	if (rows->count[table] == rows->room[table]) {
		rows->room[table] = rows->room[table] ? 2 * rows->room[table] : 64;
		rows->at[table] = must_realloc(rows->at[table], rows->room[table], sizeof(**rows->at));
	}
	struct store_row *row = &rows->at[table][rows->count[table]++];
	memset(row, 0, sizeof(*row));
	return row;
}

static const char *dump(struct arena *arena, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

	if (!text)
		say_out_of_memory();
	const char *copy = arena_copy(arena, text);
	free(text);
	json_decref(json);
	return copy;
}

static const char *valid(struct arena *arena, const char *text)
{
	return text ? safe_utf8(arena, text) : NULL;
}

/* "libcache.so" of "/usr/lib/libcache.so.1.2.3": versions are builds. */
static const char *module_name(struct arena *arena, const char *path)
{
	const char *base = model_base_name(path), *so = strstr(base, ".so");

	return so ? arena_printf(arena, "%.*s", (int)(so + 3 - base), base) : base;
}

static int64_t stack_key(struct merge *merge, uint32_t id)
{
	struct merge_id *known = merge_ids_find(merge->stacks, id);

	if (known || !dt_facts_stack(merge->facts, id))
		return known ? known->key : 0;
	struct report_stack stack = resolve_stack(merge->resolve, id);
	uint64_t hash = HASH_START;
	for (size_t i = 0; i < stack.count; i++) {
		const struct report_frame *frame = &stack.frames[i];
		if (frame->function) {
			hash = hash_string(hash, frame->function);
			hash = hash_number(hash, frame->line);
			continue;
		}
		hash = hash_string(hash, frame->module ? module_name(merge->arena, frame->module) : NULL);
		hash = hash_number(hash, frame->module ? frame->offset : 0);
	}
	int64_t key = hash_end(hash);
	struct store_row *row = add_row(merge->rows, STORE_STACK);
	row->values[0].number = key;
	row->values[1].text = finding_json_print_stack(merge->arena, &stack);
	merge_ids_add(&merge->stacks, merge->arena, id, key);
	return key;
}

/* Where it is defined or made: by source file, so that a program and its test programs share it; without
 * debug information by module. */
static const char *lock_scope(struct merge *merge, const struct dt_lock *lock)
{
	const struct dt_module *module = NULL;
	const char *file;
	unsigned line;

	if (lock->place != DT_PLACE_HEAP && lock->place != DT_PLACE_STACK)
		module = dt_facts_module_at(merge->facts, lock->made->address, lock->order);
	if (module &&
	    symbols_global_place(resolve_symbols(merge->resolve), module, lock->made->address, &file, &line))
		return model_base_name(file);
	if (module)
		return module_name(merge->arena, module->path);
	uint32_t made = lock->made->alloc_stack  ? lock->made->alloc_stack
	                : lock->made->init_stack ? lock->made->init_stack
	                                   : lock->made->first_stack;
	struct report_stack stack = resolve_stack(merge->resolve, made);
	const struct report_frame *frame = places_find(&stack);
	if (frame && frame->file)
		return model_base_name(frame->file);
	return frame && frame->module ? module_name(merge->arena, frame->module) : "";
}

/* A name of an object tells it from others of its class; words about where it was made do not. A global
 * without a symbol is what lies there in this build of its module. */
static const char *lock_identity(struct merge *merge, const struct dt_lock *lock,
                                 const struct report_lock *named)
{
	const char *name = named->name, *class_name = named->class_name;
	const struct dt_module *module = NULL;
	uint64_t build = HASH_START;

	while (*name && *name == *class_name) {
		if (*name++ == '[')
			name += strspn(name, "0123456789");
		class_name++;
	}
	if (!*name && !*class_name)
		return named->name;
	if (lock->place != DT_PLACE_HEAP && lock->place != DT_PLACE_STACK)
		module = dt_facts_module_at(merge->facts, lock->made->address, lock->order);
	if (!module || lock->flags & DT_LOCK_CLASS)
		return named->class_name;
	for (uint32_t i = 0; i < module->build_id_bytes; i++)
		build = hash_byte(build, module->build_id[i]);
	return arena_printf(merge->arena, "%llx+%llx", (unsigned long long)hash_end(build),
	                    (unsigned long long)(lock->made->address - module->bias));
}

static int64_t lock_key(struct merge *merge, uint32_t id)
{
	struct merge_id *known = merge_ids_find(merge->locks, id);
	const struct dt_lock *lock = dt_facts_lock(merge->facts, id);

	if (known || !lock)
		return known ? known->key : 0;
	struct report_lock named = names_lock(merge->resolve, id);
	const char *identity = lock_identity(merge, lock, &named);
	uint64_t hash = hash_number(HASH_START, (uint64_t)lock->kind);
	hash = hash_string(hash, lock_scope(merge, lock));
	int64_t key = hash_end(hash_string(hash, identity));
	merge_ids_add(&merge->locks, merge->arena, id, key);

	struct merge_id *other = merge_ids_find(merge->lock_rows, key);
	if (other) {
		merge->rows->at[STORE_LOCK][other->key - 1].values[7].number = 1;
		return key;
	}
	struct store_row *row = add_row(merge->rows, STORE_LOCK);
	row->values[0].number = key;
	row->values[1].number = lock->kind;
	row->values[2].number = lock->flags & ~(uint32_t)DT_LOCK_CLASS;
	row->values[3].number = lock->units;
	row->values[4].text = valid(merge->arena, named.name);
	row->values[5].text = valid(merge->arena, named.class_name);
	row->values[6].text = valid(merge->arena, named.origin);
	row->values[7].number = (lock->flags & DT_LOCK_CLASS) != 0;
	merge_ids_add(&merge->lock_rows, merge->arena, key, (int64_t)merge->rows->count[STORE_LOCK]);
	return key;
}

/* What is merged: what the lock order is made of. */
static bool is_order(const struct dt_acq *acq)
{
	return acq->depth && (acq->op == DT_OP_ACQUIRE || acq->op == DT_OP_HOLD);
}

static int64_t add_acq(struct merge *merge, const struct dt_acq *acq)
{
	int64_t parent = acq->parent ? merge_ids_key(merge->acqs, acq->parent) : 0;
	struct store_row *row = add_row(merge->rows, STORE_ACQ);
	uint64_t hash = HASH_START;

	row->values[1].number = parent;
	row->values[2].number = lock_key(merge, acq->lock);
	row->values[3].number = stack_key(merge, acq->stack);
	row->values[4].number = acq->op;
	row->values[5].number = acq->mode;
	row->values[6].number = acq->wait;
	for (size_t i = 1; i <= 6; i++)
		hash = hash_number(hash, (uint64_t)row->values[i].number);
	row->values[0].number = hash_end(hash);
	merge_ids_add(&merge->acqs, merge->arena, acq->id, row->values[0].number);
	return row->values[0].number;
}

/* Outermost first: `chain` has room for the deepest. */
static void add_chain(struct merge *merge, const struct dt_acq *acq, const struct dt_acq **chain)
{
	uint32_t depth = 0, most = acq->depth;

	while (acq && depth < most && !merge_ids_find(merge->acqs, acq->id)) {
		chain[depth++] = acq;
		acq = acq->parent ? dt_facts_acq(merge->facts, acq->parent) : NULL;
	}
	while (depth > 0)
		add_acq(merge, chain[--depth]);
}

static void add_seen(struct merge *merge, const struct dt_acq *acq)
{
	for (uint32_t i = 0; i < acq->segment_count; i++) {
		struct merge_place place;
		if (!merge_phase_of(merge->phase, acq->segments[i], &place))
			continue;
		struct store_row *row = add_row(merge->rows, STORE_SEEN);
		row->values[0].number = merge->run;
		row->values[1].number = merge_ids_key(merge->acqs, acq->id);
		row->values[2].number = place.thread;
		row->values[3].number = place.role;
		row->values[4].number = place.phase;
	}
}

static void add_acqs(struct merge *merge)
{
	uint32_t count = dt_facts_acq_count(merge->facts), deepest = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t depth = dt_facts_acq_nth(merge->facts, i)->depth;
		deepest = depth > deepest ? depth : deepest;
	}
	const struct dt_acq **chain = must_realloc(NULL, deepest + 1, sizeof(*chain));
	for (uint32_t i = 0; i < count; i++) {
		const struct dt_acq *acq = dt_facts_acq_nth(merge->facts, i);
		if (!is_order(acq))
			continue;
		add_chain(merge, acq, chain);
		add_seen(merge, acq);
	}
	free(chain);
}

static void add_phases(struct merge *merge)
{
	const struct merge_role *role;
	const struct merge_relations *relations;

	for (size_t i = 0; (role = merge_phase_role(merge->phase, i)); i++) {
		struct store_row *row = add_row(merge->rows, STORE_ROLE);
		row->values[0].number = role->key;
		row->values[1].text = valid(merge->arena, role->start);
		row->values[2].number = stack_key(merge, role->create_stack);
		row->values[3].number = role->plural;
	}
	for (size_t i = 0; (relations = merge_phase_relations(merge->phase, i)); i++) {
		struct store_row *row = add_row(merge->rows, STORE_PHASE);
		row->values[0].number = relations->key;
		row->values[1].text = relations->text;
	}
}

static void note_bug(struct merge *merge, const struct report_finding *finding, const struct store_row *row)
{
	if (merge->bug_count == merge->bug_room) {
		merge->bug_room = merge->bug_room ? 2 * merge->bug_room : 64;
		merge->bugs = must_realloc(merge->bugs, merge->bug_room, sizeof(*merge->bugs));
	}
	merge->bugs[merge->bug_count++] = (struct merge_bug){
	    .finding = *finding,
	    .row = (size_t)(row - merge->rows->at[STORE_FINDING]),
	    .json = row->values[6].text,
	};
}

static void take_finding(void *context, const struct dt_finding *found)
{
	struct merge *merge = context;
	struct arena *arena = merge->arena;
	struct report_finding finding = finding_resolve(merge->resolve, merge->peers, found);
	int64_t key = hash_end(hash_string(hash_string(HASH_START, merge->program), finding.fingerprint));
	struct merge_id *known = merge_ids_find(merge->finding_rows, key);
	struct store_row *row, *seen;

	if (known) {
		row = &merge->rows->at[STORE_FINDING][known->key - 1];
		seen = &merge->rows->at[STORE_FINDING_RUN][known->key - 1];
	} else {
		row = add_row(merge->rows, STORE_FINDING);
		seen = add_row(merge->rows, STORE_FINDING_RUN);
		row->values[3].number = -1;
		seen->values[0].number = key;
		seen->values[1].number = merge->run;
		merge_ids_add(&merge->finding_rows, arena, key, (int64_t)merge->rows->count[STORE_FINDING]);
	}
	seen->values[2].number += (int64_t)finding.count;
	if ((int64_t)finding.level <= row->values[3].number)
		return;
	row->values[0].number = key;
	row->values[1].text = valid(arena, merge->program);
	row->values[2].text = finding.rule->name;
	row->values[3].number = finding.level;
	row->values[4].text = finding.fingerprint;
	row->values[5].text = valid(arena, finding.message);
	row->values[6].text = dump(arena, finding_json_write(arena, &finding));
	if (finding.bug)
		note_bug(merge, &finding, row);
}

/* Findings of the log that tell of one bug refer to each other, once all are there. */
static void relate(struct merge *merge)
{
	struct report_finding **told = must_realloc(NULL, merge->bug_count + 1, sizeof(struct report_finding *));

	for (size_t i = 0; i < merge->bug_count; i++)
		told[i] = &merge->bugs[i].finding;
	bugs_relate(told, merge->bug_count);
	for (size_t i = 0; i < merge->bug_count; i++) {
		const struct merge_bug *bug = &merge->bugs[i];
		struct store_row *row = &merge->rows->at[STORE_FINDING][bug->row];
		/* Another may have taken its place in the row. */
		if (bug->finding.related && row->values[6].text == bug->json)
			row->values[6].text = dump(merge->arena, finding_json_write(merge->arena, &bug->finding));
	}
	free(told);
	free(merge->bugs);
}

static void take_notice(void *context, const char *notice)
{
	struct merge *merge = context;

	json_push(merge->notices, json_text(merge->arena, notice));
}

static int64_t run_key(const struct dt_process *process)
{
	uint64_t hash = hash_number(HASH_START, process->start_ns);

	hash = hash_number(hash, (uint64_t)process->pid);
	hash = hash_number(hash, (uint64_t)process->ppid);
	hash = hash_string(hash, process->exe);
	for (uint32_t i = 0; process->argv && i < process->argc; i++)
		hash = hash_string(hash, process->argv[i]);
	return hash_end(hash);
}

static void add_run(struct merge *merge, const struct log_file *log)
{
	const struct dt_process *process = dt_facts_process(merge->facts);
	struct store_row *row = add_row(merge->rows, STORE_RUN);
	json_t *argv = json_array();

	for (uint32_t i = 0; process->argv && i < process->argc; i++)
		json_push(argv, json_text(merge->arena, process->argv[i]));
	row->values[0].number = merge->run;
	row->values[1].text = valid(merge->arena, log->path);
	row->values[2].text = valid(merge->arena, merge->program);
	row->values[3].text = dump(merge->arena, argv);
	row->values[4].number = process->pid;
	row->values[5].number = process->ppid;
	row->values[6].number = (int64_t)process->start_ns;
	row->values[7].number = process->exited ? 1 : process->execed ? 2 : 0;
	row->values[8].number = process->status;
	row->values[9].number = dt_facts_thread_count(merge->facts);
	row->values[10].number = dt_facts_lock_count(merge->facts);
	row->values[11].number = dt_facts_acq_count(merge->facts);
	row->values[12].text = dump(merge->arena, merge->notices);
}

static void analyse(struct merge *merge, const char *who, bool prefer_writer)
{
	const struct dt_check_options options = {.rwlock_prefer_writer = prefer_writer};
	struct dt_analysis analysis = {0};

	if (dt_analyse(merge->facts, &dt_alloc_libc, &options, take_finding, merge, &analysis) != DT_OK)
		say_out_of_memory();
	relate(merge);
	notices_of_bounds(analysis.bounded, who, merge->arena, take_notice, merge);
}

void merge_rows_open(struct merge_rows *rows)
{
	*rows = (struct merge_rows){.arena = arena_new()};
}

void merge_rows_close(struct merge_rows *rows)
{
	for (int i = 0; i < STORE_TABLES; i++)
		free(rows->at[i]);
	arena_free(rows->arena);
}

size_t merge_rows_total(const struct merge_rows *rows)
{
	size_t total = 0;

	for (int i = 0; i < STORE_TABLES; i++)
		total += rows->count[i];
	return total;
}

void merge_log_read(struct merge_rows *rows, const struct log_file *log, const struct log_set *logs,
                    struct symbols *symbols, bool prefer_writer)
{
	struct merge merge = {.rows = rows, .arena = rows->arena, .notices = json_array()};
	uint64_t bad_offset = 0;

	enum dt_err err = logs_read(log, &merge.facts, &bad_offset);
	if (err)
		take_notice(&merge, arena_printf(merge.arena,
		                                 "%s: corrupt at offset %llu; what came before it is merged",
		                                 log->path, (unsigned long long)bad_offset));
	const struct dt_process *process = dt_facts_process(merge.facts);
	merge.program = arena_copy(merge.arena, model_program(process));
	merge.run = run_key(process);
	merge.resolve = resolve_open(merge.facts, symbols, merge.arena);
	merge.peers = peers_open(logs, symbols, merge.arena);
	merge.phase = merge_phase_open(merge.facts, merge.resolve, merge.arena);
	const char *who = arena_printf(merge.arena, "%s (pid %d)", merge.program, process->pid);
	notices_of_facts(merge.facts, who, merge.arena, take_notice, &merge);
	analyse(&merge, who, prefer_writer);
	add_acqs(&merge);
	add_phases(&merge);
	add_run(&merge, log);
	merge_phase_close(merge.phase);
	peers_close(merge.peers);
	resolve_close(merge.resolve);
	merge_ids_free(&merge.locks);
	merge_ids_free(&merge.stacks);
	merge_ids_free(&merge.acqs);
	merge_ids_free(&merge.lock_rows);
	merge_ids_free(&merge.finding_rows);
	dt_facts_free(merge.facts);
}
