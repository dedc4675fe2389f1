/* claims_before.c: each acquisition of an earlier run that waits for ever was wanted under all that it was
 * nested in; a row for each of those: (path down to it, lock, how many units at most). */
#include "claims_before.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include <detect/claims_format.h>

#include "arena.h"
#include "claims_names.h"
#include "say.h"

enum { DEPTH_MAX = 64 }; /* as far as the test looks */

struct key {
	uint64_t path, lock;
};

struct row {
	struct key key;
	uint32_t units;
	bool all;
	struct row *next; /* of the same path */
	UT_hash_handle hh;
};

struct path {
	uint64_t name;
	struct row *rows;
	UT_hash_handle hh;
};

struct named_lock {
	uint64_t name;
	uint32_t lock; /* 0: several have it */
	UT_hash_handle hh;
};

struct claims_before {
	struct arena *arena;
	struct row *rows;
	struct path *paths;
	struct named_lock *locks; /* of the earlier runs */
	bool asked, met;          /* for a lock that has a name; one of them has it in an earlier run too */
};

/* 0: something on it has no name. */
static uint64_t path_of(const struct dt_facts *facts, const struct dt_acq *acq)
{
	const struct dt_lock *lock = dt_facts_lock(facts, acq->lock);
	bool global;
	uint64_t name = lock ? claims_lock_name(facts, lock, &global) : 0, above = 1;

	if (acq->depth > DEPTH_MAX)
		return 0;
	if (acq->depth > 1)
		above = path_of(facts, dt_facts_acq(facts, acq->parent));
	if (!name || !above)
		return 0;
	uint64_t here = dt_claims_name(DT_CLAIMS_STACK, claims_stack_name(facts, acq->stack), name);
	return dt_claims_mix(dt_claims_mix(above, here), (uint64_t)acq->op << 8 | acq->mode) | 1;
}

static void add_row(struct claims_before *before, uint64_t path_name, uint64_t lock, uint32_t units, bool all)
{
	const struct key key = {path_name, lock};
	struct row *row;
	struct path *path;

	if (!path_name || !lock)
		return;
	HASH_FIND(hh, before->rows, &key, sizeof(key), row);
	if (!row) {
		row = arena_alloc(before->arena, sizeof(*row));
		*row = (struct row){.key = key};
		HASH_ADD(hh, before->rows, key, sizeof(row->key), row);
		HASH_FIND(hh, before->paths, &path_name, sizeof(path_name), path);
		if (!path) {
			path = arena_alloc(before->arena, sizeof(*path));
			*path = (struct path){.name = path_name};
			HASH_ADD(hh, before->paths, name, sizeof(path->name), path);
		}
		row->next = path->rows;
		path->rows = row;
	}
	row->units = units > row->units ? units : row->units;
	row->all = row->all || all;
}

static bool is_wanted(const struct dt_acq *acq)
{
	return acq->op == DT_OP_ACQUIRE && acq->wait == DT_WAIT_FOREVER && acq->depth &&
	       acq->depth <= DEPTH_MAX && !acq->handler;
}

/* `units`: the most that the acquisition came to, with those that its semaphore was waited for again. */
static void add_acq(struct claims_before *before, const struct dt_facts *facts, const struct dt_acq *acq,
                    uint32_t units)
{
	const struct dt_lock *lock = dt_facts_lock(facts, acq->lock);
	bool global, all = lock && lock->kind == DT_LOCK_RWLOCK && acq->mode == DT_MODE_EXCLUSIVE;
	uint64_t name = lock ? claims_lock_name(facts, lock, &global) : 0;

	for (const struct dt_acq *at = acq; at->depth > 1;) {
		at = dt_facts_acq(facts, at->parent);
		add_row(before, path_of(facts, at), name, units, all);
		units += at->lock == acq->lock; /* further out both are wanted */
	}
}

/* More units of a semaphore, wanted while what was taken since the first was held too. */
static void add_units(struct claims_before *before, const struct dt_facts *facts, const struct dt_units *units)
{
	const struct dt_acq *of = dt_facts_units_of(facts, units), *at = dt_facts_acq(facts, units->acq);
	const struct dt_lock *lock = of ? dt_facts_lock(facts, of->lock) : NULL;
	bool global;
	uint64_t name = lock ? claims_lock_name(facts, lock, &global) : 0;

	if (!name || units->give_up || !is_wanted(of))
		return;
	for (; at; at = at == of ? NULL : dt_facts_acq(facts, at->parent))
		add_row(before, path_of(facts, at), name, units->units - 1, false);
	add_acq(before, facts, of, units->units);
}

/* The named locks of the facts, added to *all. */
static void name_locks(struct arena *arena, const struct dt_facts *facts, struct named_lock **all)
{
	struct named_lock *named;

	for (uint32_t i = 0; i < dt_facts_lock_count(facts); i++) {
		const struct dt_lock *lock = dt_facts_lock_nth(facts, i);
		bool global;
		uint64_t name = claims_lock_name(facts, lock, &global);
		if (!name)
			continue;
		HASH_FIND(hh, *all, &name, sizeof(name), named);
		if (named) {
			named->lock = 0;
			continue;
		}
		named = arena_alloc(arena, sizeof(*named));
		*named = (struct named_lock){.name = name, .lock = lock->id};
		HASH_ADD(hh, *all, name, sizeof(named->name), named);
	}
}

static void add_log(struct claims_before *before, const struct log_file *log)
{
	struct dt_facts *facts;

	logs_read(log, &facts, NULL);
	for (uint32_t i = 0; i < dt_facts_acq_count(facts); i++)
		if (is_wanted(dt_facts_acq_nth(facts, i)))
			add_acq(before, facts, dt_facts_acq_nth(facts, i), 1);
	for (uint32_t i = 0; i < dt_facts_units_count(facts); i++)
		add_units(before, facts, dt_facts_units_nth(facts, i));
	name_locks(before->arena, facts, &before->locks);
	dt_facts_free(facts);
}

struct claims_before *claims_before_open(const struct log_set *logs)
{
	struct claims_before *before = must_realloc(NULL, 1, sizeof(*before));

	*before = (struct claims_before){.arena = arena_new()};
	for (size_t i = 0; i < logs->count; i++)
		add_log(before, &logs->files[i]);
	return before;
}

void claims_before_close(struct claims_before *before)
{
	if (!before)
		return;
	HASH_CLEAR(hh, before->rows);
	HASH_CLEAR(hh, before->paths);
	HASH_CLEAR(hh, before->locks);
	arena_free(before->arena);
	free(before);
}

static void add_claims(const struct path *path, struct named_lock *locks, struct dt_facts *facts,
                       uint32_t acq)
{
	for (const struct row *row = path->rows; row; row = row->next) {
		struct named_lock *named;
		HASH_FIND(hh, locks, &row->key.lock, sizeof(row->key.lock), named);
		if (!named || !named->lock)
			continue;
		const struct dt_claim claim = {acq, named->lock, row->units, row->all};
		if (dt_facts_add_claim(facts, &claim) != DT_OK)
			say_out_of_memory();
	}
}

static void look_for_known(struct claims_before *before, const struct named_lock *locks)
{
	for (const struct named_lock *lock = locks; lock && !before->met; lock = lock->hh.next) {
		struct named_lock *known;
		HASH_FIND(hh, before->locks, &lock->name, sizeof(lock->name), known);
		before->asked = true;
		before->met = known != NULL;
	}
}

const char *claims_before_notice(const struct claims_before *before)
{
	return before && before->asked && !before->met
	           ? "--claims: no lock of this run is in those logs, so they claim nothing: give logs of the same program"
	           : NULL;
}

void claims_before_add(struct claims_before *before, struct dt_facts *facts)
{
	struct arena *arena = arena_new();
	struct named_lock *locks = NULL;

	name_locks(arena, facts, &locks);
	look_for_known(before, locks);
	for (uint32_t i = 0; i < dt_facts_acq_count(facts); i++) {
		const struct dt_acq *acq = dt_facts_acq_nth(facts, i);
		uint64_t name = acq->depth ? path_of(facts, acq) : 0;
		struct path *path = NULL;
		if (name)
			HASH_FIND(hh, before->paths, &name, sizeof(name), path);
		if (path)
			add_claims(path, locks, facts, acq->id);
	}
	HASH_CLEAR(hh, locks);
	arena_free(arena);
}
