/* facts.h: the facts of one process, in memory, as read from its log (or fed live by the shim).
 *
 * Glossary (one word for one thing, everywhere):
 *   acquisition  a node of the acquisition tree: lock + mode + context under a held set
 *   held set     the locks of an acquisition's ancestors
 *   sighting     a thread's segment in which an acquisition was seen
 *   segment      a piece of a thread's life between must-happen-before synchronisations
 *   context      the stack of an acquisition
 *
 * Memory: everything but records that were lent (dt_facts_lend) belongs to struct dt_facts and lives until
 * dt_facts_free; pointers into its tables are valid until the next add. Threads: one at a time. Ids index the tables (`dt_facts_lock`
 * and its like); a look-up of an id that is not there returns NULL.
 * Hostile input: any record bytes at all are taken or refused, never trusted; ids are bounded by
 * DT_ID_MAX and hostile ids must not make tables huge (sparse ids go through a hash or are refused). */
#ifndef DETECT_FACTS_H
#define DETECT_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <detect/alloc.h>
#include <detect/err.h>
#include <detect/log_format.h>

struct dt_module {
	uint32_t id;
	const char *path;
	const unsigned char *build_id;
	uint32_t build_id_bytes;
	uint64_t bias, start, end;
	uint32_t order_begin, order_end;  /* record numbers between which it was mapped; end UINT32_MAX: still */
};

struct dt_thread {
	uint32_t id, parent, create_stack, first_segment;
	int32_t tid;
	uint64_t start_function;
	const char *name;   /* the last name it was given, or NULL */
	bool ended;
	uint32_t order;     /* record number, for dt_facts_module_at(start_function) */
	uint32_t name_order;
};

struct dt_segment {
	uint32_t id, thread;
	uint32_t *preds;
	uint32_t pred_count;
};

struct dt_stack {
	const uint64_t *pc;
	uint32_t order;         /* record number: which modules were mapped then */
	uint16_t count, exact;
};

struct dt_lock {
	const struct dt_rec_lock *made; /* its record, for where it lies and was made: nothing there was checked */
	uint32_t id, order;
	uint16_t units;         /* semaphore: its value at init; 0: not known */
	uint16_t flags;
	uint8_t kind, place;    /* enum dt_lock_kind, enum dt_lock_place */
	bool signal;            /* semaphore: posted by threads that did not wait: orders nothing as a lock */
	bool ended;
};

enum { DT_SIGHTINGS_MAX = 256 }; /* kept of one acquisition; more are counted as lost */

struct dt_acq {
	uint32_t id, parent, lock, stack;
	uint8_t op, mode, wait;   /* enum dt_op, dt_mode, dt_wait */
	uint8_t handler;          /* in the handler of this signal; 0: in none */
	uint32_t open_signals;    /* id of a set of signals (dt_facts_open_signals); 0: none */
	uint32_t depth;           /* 1: held nothing. 0 until the parents are known (see dt_facts_settle):
	                           * leave out what has none */
	uint32_t segment_count;
	uint32_t *segments;       /* sightings, each once, in the order they were seen; behind their room, the
	                           * record numbers of these (dt_acq_seen_at) */
};

/* How many sightings an acquisition with `count` of them has room for. */
static inline uint32_t dt_sightings_room(uint32_t count)
{
	uint32_t room = count ? 1 : 0;

	while (room < count)
		room *= 2;
	return room;
}

/* The record number of the nth sighting: of two by one thread, what it did first has the smaller. */
static inline uint32_t dt_acq_seen_at(const struct dt_acq *acq, uint32_t nth)
{
	return acq->segments[dt_sightings_room(acq->segment_count) + nth];
}

/* What the shim saw happen. Parts may name threads, locks and stacks that are not there. */
struct dt_incident_fact {
	enum dt_incident incident;
	uint32_t flags;
	uint32_t thread;
	uint64_t time_ns;
	uint32_t order;
	const struct dt_incident_part *parts;
	uint32_t part_count;
};

/* How a lock was used from one site: struct dt_rec_stat as it was when it was read. */
struct dt_stat {
	uint32_t lock, stack;
	uint64_t acquisitions, samples, hold_total_ns, hold_max_ns, contended, wait_total_ns, wait_max_ns;
};

struct dt_interval {
	enum dt_interval_kind kind;
	uint32_t thread, lock, stack;
	uint64_t begin_ns, end_ns;
};

/* A race that the shim saw. Parts: for each access what was held, then the access; two accesses. */
struct dt_race_fact {
	enum dt_race race;
	enum dt_lock_place place;
	uint64_t time_ns, address, bytes, block, block_bytes;
	uint32_t alloc_stack, alloc_thread, owner, owner_frame;
	int32_t owner_offset;
	uint32_t owner_frame_bytes;
	uint32_t order;
	const struct dt_race_part *parts;
	uint32_t part_count;
};

/* A state that was reached: struct dt_rec_state. Parts may name threads and acquisitions that are not there. */
struct dt_state {
	const struct dt_state_part *parts;
	uint32_t count;
};

/* Units of a semaphore: struct dt_rec_units. */
struct dt_units {
	uint32_t acq, units;
	uint16_t outwards; /* to the acquisition of the semaphore */
	bool give_up;      /* DT_UNITS_GIVE_UP */
};

/* What earlier runs have seen: while a thread holds acquisition `acq`, it may come to want so many more units of `lock`
 * at once (of one of which it has a unit by then: beside that unit); of an rwlock, `all` for writing. */
struct dt_claim {
	uint32_t acq, lock, units;
	bool all;
};

/* Where a lock that processes share lies. */
struct dt_shared {
	uint32_t lock;
	uint64_t device, inode, offset;
};

/* An order between processes: struct dt_rec_kin. */
struct dt_kin {
	bool reaped; /* else forked */
	uint32_t segment;
	int32_t pid;
	uint64_t time_ns;
};

struct dt_process {
	int32_t pid, ppid;
	uint64_t start_ns;
	uint32_t argc;
	const char **argv;        /* argc strings; NULL when the log has none */
	const char *exe;
	bool exited, execed;
	int32_t status;
};

struct dt_facts;

enum dt_err dt_facts_new(struct dt_facts **out, struct dt_alloc *alloc);
void dt_facts_free(struct dt_facts *facts);

/* From here on, or no more, the records that are added stay where they are, readable, until the facts are freed:
 * what can be looked up in them again is not copied. */
void dt_facts_lend(struct dt_facts *facts, bool lent);

/* Add one record; `bytes` is what is readable from `rec` on, which is 8-byte aligned. DT_ERR_CORRUPT
 * leaves the facts as they were; DT_ERR_NOMEM leaves them whole, with the record or a part of it.
 * A record that refers to one not yet added is kept; one of a type not known here is counted. */
enum dt_err dt_facts_add(struct dt_facts *facts, const struct dt_rec *rec, size_t bytes);

/* Take the header's identity and counters. */
void dt_facts_set_header(struct dt_facts *facts, const struct dt_log_header *header);

/* After the last record: compute depths, leave out and count what refers to what never came (a child
 * without its parent, an acquisition without its lock, a circle of parents in a hostile log; a
 * sighting without its acquisition or segment). May be called again after more records. */
enum dt_err dt_facts_settle(struct dt_facts *facts);

const struct dt_process *dt_facts_process(const struct dt_facts *facts);
uint64_t dt_facts_counter(const struct dt_facts *facts, enum dt_counter counter);
/* What the reader itself left out: unfinished records, records of types it does not know, dangling
 * references. */
uint64_t dt_facts_unfinished(const struct dt_facts *facts);
uint64_t dt_facts_unknown(const struct dt_facts *facts);
uint64_t dt_facts_dangling(const struct dt_facts *facts);

/* Look up by id; NULL when there is none. */
const struct dt_module *dt_facts_module(const struct dt_facts *facts, uint32_t id);
const struct dt_thread *dt_facts_thread(const struct dt_facts *facts, uint32_t id);
const struct dt_segment *dt_facts_segment(const struct dt_facts *facts, uint32_t id);
const struct dt_stack *dt_facts_stack(const struct dt_facts *facts, uint32_t id);
/* enum dt_stack_flag of it */
uint32_t dt_facts_stack_flags(const struct dt_stack *stack);
const struct dt_lock *dt_facts_lock(const struct dt_facts *facts, uint32_t id);
const struct dt_acq *dt_facts_acq(const struct dt_facts *facts, uint32_t id);
/* Its index in the table of locks; the count of them when there is none. */
uint32_t dt_facts_lock_number(const struct dt_facts *facts, uint32_t id);

/* Tables in order of arrival: index from 0 to the count. */
uint32_t dt_facts_module_count(const struct dt_facts *facts);
uint32_t dt_facts_thread_count(const struct dt_facts *facts);
uint32_t dt_facts_lock_count(const struct dt_facts *facts);
uint32_t dt_facts_acq_count(const struct dt_facts *facts);
const struct dt_module *dt_facts_module_nth(const struct dt_facts *facts, uint32_t index);
const struct dt_thread *dt_facts_thread_nth(const struct dt_facts *facts, uint32_t index);
const struct dt_lock *dt_facts_lock_nth(const struct dt_facts *facts, uint32_t index);
const struct dt_acq *dt_facts_acq_nth(const struct dt_facts *facts, uint32_t index);
uint32_t dt_facts_stat_count(const struct dt_facts *facts);
const struct dt_stat *dt_facts_stat_nth(const struct dt_facts *facts, uint32_t index);
uint32_t dt_facts_interval_count(const struct dt_facts *facts);
const struct dt_interval *dt_facts_interval_nth(const struct dt_facts *facts, uint32_t index);
uint32_t dt_facts_state_count(const struct dt_facts *facts);
const struct dt_state *dt_facts_state_nth(const struct dt_facts *facts, uint32_t index);
uint32_t dt_facts_units_count(const struct dt_facts *facts);
const struct dt_units *dt_facts_units_nth(const struct dt_facts *facts, uint32_t index);
/* The acquisition of the semaphore; NULL: it is not there. */
const struct dt_acq *dt_facts_units_of(const struct dt_facts *facts, const struct dt_units *units);
uint32_t dt_facts_claim_count(const struct dt_facts *facts);
const struct dt_claim *dt_facts_claim_nth(const struct dt_facts *facts, uint32_t index);
/* The one fact that is in no log. DT_ERR_NOMEM. */
enum dt_err dt_facts_add_claim(struct dt_facts *facts, const struct dt_claim *claim);
uint32_t dt_facts_shared_count(const struct dt_facts *facts);
const struct dt_shared *dt_facts_shared_nth(const struct dt_facts *facts, uint32_t index);
uint32_t dt_facts_kin_count(const struct dt_facts *facts);
const struct dt_kin *dt_facts_kin_nth(const struct dt_facts *facts, uint32_t index);
uint32_t dt_facts_incident_count(const struct dt_facts *facts);
const struct dt_incident_fact *dt_facts_incident_nth(const struct dt_facts *facts, uint32_t index);
uint32_t dt_facts_race_count(const struct dt_facts *facts);
const struct dt_race_fact *dt_facts_race_nth(const struct dt_facts *facts, uint32_t index);

/* The module that held `address` when record number `order` was written; NULL when none did. */
const struct dt_module *dt_facts_module_at(const struct dt_facts *facts, uint64_t address, uint32_t order);

/* The signals whose handlers could interrupt the thread when it wanted the lock: bit n - 1 is signal n. */
uint64_t dt_facts_open_signals(const struct dt_facts *facts, const struct dt_acq *acq);

/* Must-happen-before between two segments of settled facts: true when `a` happens before `b` (or is
 * b); of one not in the facts, false. Costs a walk over the segments between the two ids, remembered
 * for the last 64 or so of the later ones. Needs no memory, but is faster where there is some. */
bool dt_facts_happens_before(struct dt_facts *facts, uint32_t a, uint32_t b);

#endif
