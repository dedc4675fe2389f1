/* incident.c: an incident as a record and as text. The text has symbols and no lines: it must be there
 * when the program hangs, also where no reporter is. */
#include <string.h>
#include <unistd.h>

#include <detect/finding.h>

#include "block.h"
#include "identity.h"
#include "incident.h"
#include "log.h"
#include "names.h"
#include "options.h"
#include "region.h"
#include "say.h"
#include "steer.h"
#include "tables.h"

enum { TEXT_BYTES = 64 * 1024, FRAMES_SAID = 16, PLACES = 1024, TOLD_AT_A_PLACE = 4, TOLD_MAX = 1000 };

static _Atomic uint64_t places[PLACES]; /* hash of where, 0: free */
static _Atomic uint32_t told[PLACES];
static _Atomic uint32_t told_in_all;

/* Said at once whatever `online` says: the program may hang from here on, and nobody live to report it. */
static bool may_hang(enum dt_incident incident)
{
	switch (incident) {
	case DT_INCIDENT_DEADLOCK:
	case DT_INCIDENT_SELF_DEADLOCK:
	case DT_INCIDENT_STALL:
	case DT_INCIDENT_DESTROY_WAITED:
	case DT_INCIDENT_LOCK_HELD_AT_FORK:
	case DT_INCIDENT_LONG_WAIT:
	case DT_INCIDENT_LOCK_TIMEOUT:
		return true;
	default:
		return false;
	}
}

void shim_incident_forked(void)
{
	for (uint32_t i = 0; i < PLACES; i++) {
		atomic_store(&places[i], 0);
		atomic_store(&told[i], 0);
	}
	atomic_store(&told_in_all, 0);
}

static void add_lock(struct shim_text *text, const struct shim_part *p)
{
	if (!p->part.lock && !p->lock) {
		shim_text_add(text, "(unknown)");
		return;
	}
	shim_names_add_data(text, (uintptr_t)p->lock);
}

static void add_thread(struct shim_text *text, const struct dt_incident_part *part)
{
	shim_text_add(text, "thread ");
	shim_text_number(text, part->thread);
	if (part->pid) {
		shim_text_add(text, " of process ");
		shim_text_number(text, (uint64_t)part->pid);
	}
}

static void add_since(struct shim_text *text, uint64_t since_ns, uint64_t now_ns)
{
	if (!since_ns || since_ns > now_ns)
		return;
	uint64_t ms = (now_ns - since_ns) / 1000000;
	shim_text_add(text, " since ");
	shim_text_number(text, ms / 1000);
	shim_text_add(text, ms % 1000 < 10 ? ".00" : ms % 1000 < 100 ? ".0" : ".");
	shim_text_number(text, ms % 1000);
	shim_text_add(text, " s");
}

static void add_what(struct shim_text *text, const struct shim_part *p, uint64_t now_ns)
{
	static const char *const verbs[DT_PARTS] = {
	    [DT_PART_BLOCKED] = " waits for ", [DT_PART_HELD] = " holds ",
	    [DT_PART_UNLOCK] = " releases ",   [DT_PART_DESTROY] = " destroys ",
	    [DT_PART_INIT] = " initialises ",  [DT_PART_USE] = " uses ",
	    [DT_PART_EXIT] = " ends",
	};
	shim_text_add(text, verbs[p->part.part]);
	if (p->part.other_thread) {
		shim_text_add(text, "the end of thread ");
		shim_text_number(text, p->part.other_thread);
	} else if (p->part.part != DT_PART_EXIT) {
		add_lock(text, p);
	}
	if (p->part.mode == DT_MODE_SHARED)
		shim_text_add(text, " for reading");
	add_since(text, p->part.since_ns, now_ns);
}

static void add_stack(struct shim_text *text, const struct dt_incident_part *part)
{
	const uintptr_t *pcs;
	size_t count = part->pid ? 0 : shim_stack_pcs(part->stack, &pcs);
	for (size_t i = 0; i < count && i < FRAMES_SAID; i++) {
		shim_text_add(text, "libdetect:       ");
		shim_names_add_code(text, pcs[i]);
		shim_text_add(text, "\n");
	}
}

static void say(enum dt_incident incident, uint32_t flags, const struct shim_part *parts, uint32_t count,
                uint64_t now_ns)
{
	char *buffer = shim_region_map(TEXT_BYTES, false);
	if (!buffer)
		return;
	struct shim_text text = {buffer, 0, TEXT_BYTES - 1};
	static const char *const levels[] = {
	    [DT_LEVEL_NOTE] = "note: ", [DT_LEVEL_WARNING] = "warning: ", [DT_LEVEL_ERROR] = "error: "};
	const struct dt_rule *rule = &dt_rules[dt_rule_of_incident(incident)];
	shim_text_add(&text, "libdetect: ");
	shim_text_add(&text, levels[flags & DT_INCIDENT_UNITS ? DT_LEVEL_WARNING : rule->level]);
	shim_text_add(&text, rule->name);
	shim_text_add(&text, ": ");
	shim_text_add(&text, rule->summary);
	if (flags & DT_INCIDENT_UNITS)
		shim_text_add(&text, ", unless a thread that holds no unit posts the semaphore");
	if (flags & DT_INCIDENT_BROKEN)
		shim_text_add(&text, "; the last call is refused with EDEADLK");
	if (flags & DT_INCIDENT_LIMITED)
		shim_text_add(&text, " until --lock-timeout ends a wait with EDEADLK");
	shim_text_add(&text, " (pid ");
	shim_text_number(&text, (uint64_t)getpid());
	shim_text_add(&text, ")\n");
	for (uint32_t i = 0; i < count; i++) {
		shim_text_add(&text, "libdetect:   ");
		add_thread(&text, &parts[i].part);
		add_what(&text, &parts[i], now_ns);
		shim_text_add(&text, parts[i].part.part == DT_PART_HELD ? ", acquired at\n" : " at\n");
		add_stack(&text, &parts[i].part);
	}
	if (flags & DT_INCIDENT_CUT)
		shim_text_add(&text, "libdetect:   ... and more\n");
	if (shim_options.online && *shim_options.log_dir) {
		shim_text_add(&text, "libdetect:   names, lines and all stacks: detect report ");
		shim_text_add(&text, shim_options.log_dir);
		shim_text_add(&text, "\n");
	}
	shim_text_write(&text);
	shim_region_unmap(buffer, TEXT_BYTES);
}

void shim_incident_tell(struct shim_thread *t, enum dt_incident incident, uint32_t flags,
                        struct shim_part *parts, uint32_t count)
{
	if (atomic_fetch_add(&told_in_all, 1) >= TOLD_MAX) {
		shim_log_count(DT_COUNT_INCIDENTS_LOST, 1);
		return;
	}
	if (count >= SHIM_PARTS_MAX) {
		count = SHIM_PARTS_MAX;
		flags |= DT_INCIDENT_CUT;
	}
	uint64_t now_ns = shim_now_ns();
	struct dt_incident_part *payload = shim_region_map(SHIM_PARTS_MAX * sizeof *payload, false);
	for (uint32_t i = 0; payload && i < count; i++) {
		payload[i] = parts[i].part;
		if (!parts[i].part.pid)
			shim_stack_log(parts[i].part.stack);
	}
	struct dt_rec_incident rec = {
	    .head = {DT_REC_INCIDENT, (uint16_t)flags, 0},
	    .incident = (uint16_t)incident,
	    .count = (uint16_t)count,
	    .thread = t->id,
	    .time_ns = now_ns,
	};
	if (payload) {
		shim_log_append(&rec.head, sizeof rec, payload, count * sizeof *payload, NULL, 0);
		shim_region_unmap(payload, SHIM_PARTS_MAX * sizeof *payload);
	}
	if (shim_options.online || (may_hang(incident) && !shim_steering))
		say(incident, flags, parts, count, now_ns);
}

static bool told_enough(uint64_t hash)
{
	for (uint32_t i = 0; i < 32; i++) {
		uint32_t at = (uint32_t)(hash + i) % PLACES;
		uint64_t found = 0;
		if (atomic_compare_exchange_strong(&places[at], &found, hash) || found == hash)
			return atomic_fetch_add(&told[at], 1) >= TOLD_AT_A_PLACE;
	}
	return true;
}

void shim_incident_misuse(struct shim_thread *t, enum dt_incident incident, struct shim_part *parts,
                          uint32_t count)
{
	uint64_t hash = incident;
	for (uint32_t i = 0; i < count; i++)
		hash = (hash ^ parts[i].part.stack) * 0x9e3779b97f4a7c15u;
	if (told_enough(hash | 1))
		shim_log_count(DT_COUNT_INCIDENTS_LOST, 1);
	else
		shim_incident_tell(t, incident, 0, parts, count);
}

struct shim_part shim_part_of(struct shim_thread *t, enum dt_part part, void *lock, enum dt_lock_kind kind,
                              uint32_t context)
{
	struct shim_part p = {.part = {.part = (uint8_t)part, .thread = t->id, .stack = context},
	                      .lock = lock};
	if (lock)
		p.part.lock = shim_identity_of(t, lock, kind, context, 0);
	return p;
}
