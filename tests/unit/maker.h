/* maker.h: facts for tests, made record by record. Everything fails the test that fails. */
#ifndef MAKER_H
#define MAKER_H

#include <detect/facts.h>

struct maker {
	struct dt_facts *facts;
	uint32_t segments, acqs; /* the last ids given */
};

static inline void maker_add(struct maker *m, void *rec, uint16_t type, uint16_t flags, size_t bytes)
{
	struct dt_rec *head = rec;

	*head = (struct dt_rec){type, flags, (uint32_t)((bytes + 7) / 8)};
	assert_int_equal(dt_facts_add(m->facts, head, bytes), DT_OK);
}

static inline void maker_begin(struct maker *m)
{
	memset(m, 0, sizeof *m);
	assert_int_equal(dt_facts_new(&m->facts, &dt_alloc_libc), DT_OK);
}

static inline void maker_end(struct maker *m)
{
	dt_facts_free(m->facts);
}

/* A segment of `thread` behind `pred` (0: none). */
static inline uint32_t maker_segment(struct maker *m, uint32_t thread, uint32_t pred)
{
	struct dt_rec_segment rec = {.id = ++m->segments, .thread = thread, .pred = pred};

	maker_add(m, &rec, DT_REC_SEGMENT, 0, sizeof rec);
	return rec.id;
}

static inline void maker_order(struct maker *m, uint32_t segment, uint32_t thread, uint32_t pred)
{
	struct dt_rec_segment rec = {.id = segment, .thread = thread, .pred = pred};

	maker_add(m, &rec, DT_REC_SEGMENT, 0, sizeof rec);
}

/* Thread `id` with a first segment behind `pred`, which is returned. */
static inline uint32_t maker_thread(struct maker *m, uint32_t id, uint32_t pred)
{
	struct dt_rec_thread rec = {.id = id, .first_segment = m->segments + 1};

	maker_add(m, &rec, DT_REC_THREAD, 0, sizeof rec);
	return maker_segment(m, id, pred);
}

static inline void maker_lock(struct maker *m, uint32_t id, enum dt_lock_kind kind, uint16_t flags)
{
	struct dt_rec_lock rec = {.id = id, .kind = (uint8_t)kind, .address = id * 64u};

	maker_add(m, &rec, DT_REC_LOCK, flags, sizeof rec);
}

static inline void maker_stack(struct maker *m, uint32_t id)
{
	struct {
		struct dt_rec_stack rec;
		uint64_t pc[1];
	} stack = {.rec = {.id = id, .count = 1, .exact = 1}, .pc = {0x1000 + id}};

	maker_add(m, &stack, DT_REC_STACK, 0, sizeof stack);
}

static inline uint32_t maker_acq_as(struct maker *m, uint32_t parent, enum dt_op op, uint32_t lock,
                                    uint32_t stack, enum dt_mode mode, enum dt_wait wait)
{
	struct dt_rec_acq rec = {.id = ++m->acqs,
	                         .parent = parent,
	                         .lock = lock,
	                         .stack = stack,
	                         .op = (uint8_t)op,
	                         .mode = (uint8_t)mode,
	                         .wait = (uint8_t)wait};

	maker_add(m, &rec, DT_REC_ACQ, 0, sizeof rec);
	return rec.id;
}

static inline uint32_t maker_acq(struct maker *m, uint32_t parent, uint32_t lock, uint32_t stack)
{
	return maker_acq_as(m, parent, DT_OP_ACQUIRE, lock, stack, DT_MODE_EXCLUSIVE, DT_WAIT_FOREVER);
}

static inline void maker_see(struct maker *m, uint32_t acq, uint32_t segment)
{
	struct dt_rec_sighting rec = {.acq = acq, .segment = segment};

	maker_add(m, &rec, DT_REC_SIGHTING, 0, sizeof rec);
}

#endif
