/* textlog.c: the recorder in small. Ids are dense, stacks are one frame: the place. */
#include "textlog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <detect/log_format.h>

enum { THREADS = 64, HELD = 64, WORDS = 32, ACQS = 8192, PLACES = 4096, MEMBERS = 32 };

struct object {
	char *name;
	uint32_t id;
	enum dt_lock_kind kind;
	uint16_t flags;
	uint32_t members, arrived[MEMBERS], arrivals, meeting; /* barriers, once */
	bool logged;
};

struct held {
	uint32_t lock, acq, place;
	enum dt_mode mode;
	unsigned relocks;
	bool wanted, rebased;
	enum dt_wait wait;
};

struct thread {
	bool alive;
	uint32_t segment, place;
	struct held held[HELD];
	size_t depth;
};

struct acq {
	uint32_t parent, lock, place;
	enum dt_op op;
	enum dt_mode mode;
	enum dt_wait wait;
	bool seen[4096]; /* by segment */
};

struct recorder {
	struct textlog *log;
	const char *file;
	unsigned line;
	size_t room;
	struct object objects[TEXTLOG_NAMES];
	size_t object_count;
	uint32_t lock_ids, segments;
	struct thread threads[THREADS + 1];
	struct acq *acqs;
	uint32_t acq_count;
	char *places[PLACES];
	uint32_t place_count;
};

static void fail(const struct recorder *r, const char *why, const char *word)
{
	fprintf(stderr, "%s:%u: %s: %s\n", r->file, r->line, why, word ? word : "");
	exit(2);
}

static void put(struct recorder *r, struct dt_rec *rec, uint16_t type, size_t bytes, const void *payload, size_t more)
{
	struct textlog *log = r->log;
	size_t whole = (bytes + more + 7) / 8 * 8;
	if (log->size + whole > r->room) {
		r->room = 2 * (log->size + whole);
		log->bytes = realloc(log->bytes, r->room);
		if (!log->bytes)
			fail(r, "out of memory", NULL);
	}
	rec->type = type;
	rec->words = (uint32_t)(whole / 8);
	memset(log->bytes + log->size, 0, whole);
	memcpy(log->bytes + log->size, rec, bytes);
	if (more)
		memcpy(log->bytes + log->size + bytes, payload, more);
	log->size += whole;
}

static uint32_t place_id(struct recorder *r, const char *text)
{
	for (uint32_t i = 0; i < r->place_count; i++)
		if (!strcmp(r->places[i], text))
			return i + 1;
	if (r->place_count == PLACES)
		fail(r, "too many places", text);
	r->places[r->place_count++] = strdup(text);
	uint64_t pc = 0x1000 + 16u * r->place_count;
	struct dt_rec_stack rec = {.id = r->place_count, .count = 1, .exact = 1};
	put(r, &rec.head, DT_REC_STACK, sizeof rec, &pc, sizeof pc);
	return r->place_count;
}

static uint32_t place_of(struct recorder *r, const struct thread *t)
{
	char text[32];
	snprintf(text, sizeof text, "line %u", r->line);
	return t->place ? t->place : place_id(r, text);
}

static struct object *object(struct recorder *r, const char *name, enum dt_lock_kind kind)
{
	if (!name)
		fail(r, "a name is missing", NULL);
	for (size_t i = r->object_count; i-- > 0;)
		if (!strcmp(r->objects[i].name, name))
			return &r->objects[i];
	if (r->object_count == TEXTLOG_NAMES || r->lock_ids + 1 >= TEXTLOG_NAMES)
		fail(r, "too many objects", name);
	struct object *o = &r->objects[r->object_count++];
	*o = (struct object){.name = strdup(name), .id = ++r->lock_ids, .kind = kind};
	r->log->lock_names[o->id] = strdup(name);
	return o;
}

static uint32_t lock_id(struct recorder *r, struct object *o)
{
	if (!o->logged) {
		struct dt_rec_lock rec = {.head.flags = o->flags, .id = o->id, .kind = (uint8_t)o->kind, .address = 64u * o->id};
		put(r, &rec.head, DT_REC_LOCK, sizeof rec, NULL, 0);
		o->logged = true;
	}
	return o->id;
}

static uint32_t acq(struct recorder *r, const struct acq *wanted)
{
	for (uint32_t i = 0; i < r->acq_count; i++) {
		const struct acq *a = &r->acqs[i];
		if (a->parent == wanted->parent && a->lock == wanted->lock && a->place == wanted->place &&
		    a->op == wanted->op && a->mode == wanted->mode && a->wait == wanted->wait)
			return i + 1;
	}
	if (r->acq_count == ACQS)
		fail(r, "too many acquisitions", NULL);
	r->acqs[r->acq_count++] = *wanted;
	struct dt_rec_acq rec = {.id = r->acq_count, .parent = wanted->parent, .lock = wanted->lock, .stack = wanted->place,
	                         .op = (uint8_t)wanted->op, .mode = (uint8_t)wanted->mode, .wait = (uint8_t)wanted->wait};
	put(r, &rec.head, DT_REC_ACQ, sizeof rec, NULL, 0);
	return r->acq_count;
}

static void sight(struct recorder *r, const struct thread *t, uint32_t id)
{
	struct dt_rec_sighting rec = {.acq = id, .segment = t->segment};
	if (t->segment >= 4096)
		fail(r, "too many segments", NULL);
	if (r->acqs[id - 1].seen[t->segment])
		return;
	r->acqs[id - 1].seen[t->segment] = true;
	put(r, &rec.head, DT_REC_SIGHTING, sizeof rec, NULL, 0);
}

/* The node of what is held, at the top. */
static uint32_t chain(struct recorder *r, struct thread *t, size_t depth)
{
	uint32_t parent = 0;
	for (size_t i = 0; i < depth; i++) {
		struct held *h = &t->held[i];
		if (h->wanted)
			continue;
		if (!h->acq) {
			struct acq a = {.parent = parent, .lock = h->lock, .place = h->place, .op = DT_OP_HOLD, .mode = h->mode, .wait = h->wait};
			h->acq = acq(r, &a);
		}
		parent = h->acq;
	}
	return parent;
}

static uint32_t segment(struct recorder *r, uint32_t thread, uint32_t pred)
{
	struct dt_rec_segment rec = {.id = ++r->segments, .thread = thread, .pred = pred};
	put(r, &rec.head, DT_REC_SEGMENT, sizeof rec, NULL, 0);
	return r->segments;
}

static void order(struct recorder *r, uint32_t id, uint32_t thread, uint32_t pred)
{
	struct dt_rec_segment rec = {.id = id, .thread = thread, .pred = pred};
	if (pred)
		put(r, &rec.head, DT_REC_SEGMENT, sizeof rec, NULL, 0);
}

static uint32_t number_of(struct recorder *r, const char *word)
{
	long n = word && *word == 'T' ? strtol(word + 1, NULL, 10) : 0;
	if (n < 1 || n > THREADS)
		fail(r, "not a thread", word);
	return (uint32_t)n;
}

static void next_segment(struct recorder *r, uint32_t thread, uint32_t pred)
{
	uint32_t id = segment(r, thread, r->threads[thread].segment);
	order(r, id, thread, pred);
	r->threads[thread].segment = id;
}

static void start(struct recorder *r, uint32_t n, uint32_t parent)
{
	struct thread *t = &r->threads[n];
	if (t->alive)
		fail(r, "this thread lives already", NULL);
	t->alive = true;
	t->segment = segment(r, n, parent ? r->threads[parent].segment : 0);
	struct dt_rec_thread rec = {.id = n, .tid = (int32_t)n, .first_segment = t->segment, .parent = parent};
	put(r, &rec.head, DT_REC_THREAD, sizeof rec, NULL, 0);
}

static void modes(struct recorder *r, char **words, enum dt_mode *mode, enum dt_wait *wait)
{
	*mode = DT_MODE_EXCLUSIVE;
	*wait = DT_WAIT_FOREVER;
	for (; *words; words++) {
		if (!strcmp(*words, "read"))
			*mode = DT_MODE_SHARED;
		else if (!strcmp(*words, "try"))
			*wait = DT_WAIT_TRY;
		else if (!strcmp(*words, "timed"))
			*wait = DT_WAIT_TIMED;
		else
			fail(r, "what is this", *words);
	}
}

static void want(struct recorder *r, struct thread *t, uint32_t lock, enum dt_mode mode, enum dt_wait wait)
{
	struct acq a = {.parent = chain(r, t, t->depth), .lock = lock, .place = place_of(r, t), .op = DT_OP_ACQUIRE, .mode = mode, .wait = wait};
	if (t->depth == HELD)
		fail(r, "too many locks held", NULL);
	uint32_t id = acq(r, &a);
	sight(r, t, id);
	t->held[t->depth++] = (struct held){.lock = lock, .acq = id, .place = a.place, .mode = mode, .wait = wait, .wanted = true};
}

static void take(struct recorder *r, struct thread *t, char **words, bool got)
{
	struct object *o = object(r, words[0], DT_LOCK_MUTEX);
	enum dt_mode mode;
	enum dt_wait wait;
	modes(r, words + 1, &mode, &wait);
	uint32_t lock = lock_id(r, o);
	for (size_t i = 0; i < t->depth; i++) {
		struct held *h = &t->held[i];
		if (h->lock == lock && h->wanted && got) {
			h->wanted = false;
			return;
		}
		if (h->lock == lock && !h->wanted && (o->flags & DT_LOCK_RECURSIVE || mode == DT_MODE_SHARED)) {
			h->relocks++;
			return;
		}
	}
	want(r, t, lock, mode, wait);
	t->held[t->depth - 1].wanted = !got;
}

static void release(struct recorder *r, struct thread *t, const char *name)
{
	uint32_t lock = lock_id(r, object(r, name, DT_LOCK_MUTEX));
	for (size_t i = t->depth; i-- > 0;) {
		if (t->held[i].lock != lock)
			continue;
		if (t->held[i].relocks) {
			t->held[i].relocks--;
			return;
		}
		memmove(&t->held[i], &t->held[i + 1], (t->depth - i - 1) * sizeof *t->held);
		t->depth--;
		for (; i < t->depth; i++)
			t->held[i].acq = 0;
		return;
	}
	fail(r, "not held", name);
}

static void note(struct recorder *r, struct thread *t, enum dt_op op, uint32_t id, enum dt_wait wait)
{
	struct acq a = {.parent = chain(r, t, t->depth), .lock = id, .place = place_of(r, t), .op = op, .wait = wait};
	sight(r, t, acq(r, &a));
}

static void wait_for(struct recorder *r, struct thread *t, char **words)
{
	struct object *cond = object(r, words[0], DT_LOCK_COND);
	enum dt_mode mode;
	enum dt_wait wait;
	if (!words[0] || !words[1])
		fail(r, "wait COND MUTEX", NULL);
	modes(r, words + 2, &mode, &wait);
	cond->kind = DT_LOCK_COND;
	uint32_t mutex = lock_id(r, object(r, words[1], DT_LOCK_MUTEX));
	release(r, t, words[1]);
	note(r, t, DT_OP_COND_WAIT, lock_id(r, cond), wait);
	want(r, t, mutex, DT_MODE_EXCLUSIVE, DT_WAIT_FOREVER);
	t->held[t->depth - 1].wanted = false;
}

static void arrive(struct recorder *r, uint32_t n, const char *name)
{
	struct object *b = object(r, name, DT_LOCK_BARRIER);
	if (!b->members)
		fail(r, "declare it: barrier NAME COUNT", name);
	note(r, &r->threads[n], DT_OP_BARRIER_WAIT, lock_id(r, b), DT_WAIT_FOREVER);
	b->arrived[b->arrivals++] = n;
	if (b->arrivals < b->members)
		return;
	uint32_t meeting = ++r->segments;
	for (uint32_t i = 0; i < b->arrivals; i++)
		order(r, meeting, 0, r->threads[b->arrived[i]].segment);
	for (uint32_t i = 0; i < b->arrivals; i++)
		next_segment(r, b->arrived[i], meeting);
	b->arrivals = 0;
}

static void once(struct recorder *r, uint32_t n, const char *name, bool done)
{
	struct object *o = object(r, name, DT_LOCK_ONCE);
	if (done) {
		o->meeting = ++r->segments;
		order(r, o->meeting, 0, r->threads[n].segment);
		next_segment(r, n, 0);
	} else if (o->meeting) {
		next_segment(r, n, o->meeting);
	}
}

static void thread_line(struct recorder *r, char **words)
{
	uint32_t n = number_of(r, words[0]);
	struct thread *t = &r->threads[n];
	const char *verb = words[1] ? words[1] : "";
	if (!t->alive)
		fail(r, "nobody created it", words[0]);
	if (!strcmp(verb, "create")) {
		start(r, number_of(r, words[2]), n);
		next_segment(r, n, 0);
	} else if (!strcmp(verb, "join")) {
		enum dt_mode mode;
		enum dt_wait wait;
		uint32_t other = number_of(r, words[2]);
		modes(r, words + 3, &mode, &wait);
		note(r, t, DT_OP_JOIN, other, wait);
		next_segment(r, n, r->threads[other].segment);
	} else if (!strcmp(verb, "at")) {
		t->place = place_id(r, words[2]);
	} else if (!strcmp(verb, "want")) {
		take(r, t, words + 2, false);
	} else if (!strcmp(verb, "got")) {
		take(r, t, words + 2, true);
	} else if (!strcmp(verb, "rel")) {
		release(r, t, words[2]);
	} else if (!strcmp(verb, "wait")) {
		wait_for(r, t, words + 2);
	} else if (!strcmp(verb, "signal")) {
		struct object *cond = object(r, words[2], DT_LOCK_COND);
		note(r, t, DT_OP_COND_SIGNAL, lock_id(r, cond), DT_WAIT_FOREVER);
	} else if (!strcmp(verb, "barrier")) {
		arrive(r, n, words[2]);
	} else if (!strcmp(verb, "once") || !strcmp(verb, "once-done")) {
		once(r, n, words[2], verb[4] != '\0');
	} else {
		fail(r, "what is this", verb);
	}
}

static void declare(struct recorder *r, char **words)
{
	static const struct { const char *word; enum dt_lock_kind kind; uint16_t flag; } table[] = {
	    {"mutex", DT_LOCK_MUTEX, 0}, {"rwlock", DT_LOCK_RWLOCK, 0}, {"spin", DT_LOCK_SPIN, 0},
	    {"recursive", 0, DT_LOCK_RECURSIVE}, {"prefer-writer", 0, DT_LOCK_PREFER_WRITER}, {"class", 0, DT_LOCK_CLASS}};
	struct object *o = object(r, words[0], DT_LOCK_MUTEX);
	for (words++; *words; words++) {
		size_t i = 0;
		while (i < sizeof table / sizeof *table && strcmp(table[i].word, *words))
			i++;
		if (i == sizeof table / sizeof *table)
			fail(r, "what is this", *words);
		if (table[i].kind)
			o->kind = table[i].kind;
		o->flags |= table[i].flag;
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void expect(struct recorder *r, char **words, size_t count)
{
	struct textlog *log = r->log;
	char text[1024];
	if (count == 1 && !strcmp(words[0], "none")) {
		log->expect_none = true;
		return;
	}
	if (count < 2 || log->expect_count == TEXTLOG_EXPECTS)
		fail(r, "expect RULE LEVEL LOCK...", NULL);
	qsort(words + 2, count - 2, sizeof *words, by_text);
	int n = snprintf(text, sizeof text, "%s %s", words[0], words[1]);
	for (size_t i = 2; i < count; i++)
		n += snprintf(text + n, sizeof text - (size_t)n, " %s", words[i]);
	log->expects[log->expect_count++] = (struct textlog_expect){strdup(text), 0};
}

static void read_line(struct recorder *r, char *line)
{
	char *words[WORDS + 1] = {0}, *save;
	size_t count = 0;
	line[strcspn(line, "#")] = '\0';
	for (char *word = strtok_r(line, " \t", &save); word && count < WORDS; word = strtok_r(NULL, " \t", &save))
		words[count++] = word;
	if (!count)
		return;
	if (!strcmp(words[0], "lock")) {
		declare(r, words + 1);
	} else if (!strcmp(words[0], "cond")) {
		object(r, words[1], DT_LOCK_COND);
	} else if (!strcmp(words[0], "barrier") && words[1] && words[2]) {
		object(r, words[1], DT_LOCK_BARRIER)->members = (uint32_t)atoi(words[2]);
	} else if (!strcmp(words[0], "free")) {
		struct object *o = object(r, words[1], DT_LOCK_MUTEX);
		struct dt_rec_id rec = {.id = lock_id(r, o)};
		put(r, &rec.head, DT_REC_LOCK_END, sizeof rec, NULL, 0);
		o->id = ++r->lock_ids;
		o->logged = false;
		r->log->lock_names[o->id] = strdup(o->name);
	} else if (!strcmp(words[0], "expect")) {
		expect(r, words + 1, count - 1);
	} else if (!strcmp(words[0], "count") && words[1] && r->log->expect_count) {
		r->log->expects[r->log->expect_count - 1].count = (unsigned)atoi(words[1]);
	} else {
		thread_line(r, words);
	}
}

void textlog_parse(struct textlog *log, const char *name, const char *text)
{
	struct recorder *r = calloc(1, sizeof *r);
	*log = (struct textlog){0};
	if (!r || !(r->acqs = calloc(ACQS, sizeof *r->acqs)))
		exit(2);
	r->log = log;
	r->file = name;
	r->room = 1 << 16;
	log->bytes = calloc(1, r->room);
	log->size = sizeof(struct dt_log_header);
	start(r, 1, 0);
	char *copy = strdup(text);
	for (char *at = copy, *end; at; at = end) {
		end = strchr(at, '\n');
		if (end)
			*end++ = '\0';
		r->line++;
		read_line(r, at);
	}
	free(copy);
	struct dt_log_header *header = (struct dt_log_header *)log->bytes;
	memcpy(header->magic, DT_LOG_MAGIC, sizeof header->magic);
	header->version = DT_LOG_VERSION;
	header->byte_order = DT_LOG_BYTE_ORDER;
	header->header_bytes = sizeof *header;
	header->tail_bytes = header->capacity_bytes = log->size;
	for (size_t i = 0; i < r->object_count; i++)
		free(r->objects[i].name);
	for (uint32_t i = 0; i < r->place_count; i++)
		free(r->places[i]);
	free(r->acqs);
	free(r);
}

void textlog_free(struct textlog *log)
{
	free(log->bytes);
	for (size_t i = 0; i < TEXTLOG_NAMES; i++)
		free(log->lock_names[i]);
	for (size_t i = 0; i < log->expect_count; i++)
		free(log->expects[i].text);
}
