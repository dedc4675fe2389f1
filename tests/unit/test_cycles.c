/* The lock-order check against brute force on small random facts: all simple cycles of locks, all
 * exemplars, every condition looked at by definition. And the live way against the batch way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <detect/check.h>

#include "maker.h"

enum {
	LOCKS = 6,
	THREADS = 4,
	CYCLE_MAX = 4,
	DEPS_MAX = 256,
	BUGS_MAX = 4096,
	ACQS_MAX = 256,
	SEGMENTS_MAX = 64
};

/* How near to a deadlock; as the reasons' order of bugs.c. */
enum { READERS, TRY, GATE, THREADS_FEW, ORDERED, SAME_THREAD, TIMED, CLASS, POLICY, ALL };

static int rank_of(int worth)
{
	return worth >= POLICY ? 2 : worth >= SAME_THREAD;
}

/* ---- random facts, kept here as well ---- */

struct acq {
	uint32_t parent, lock, stack;
	enum dt_op op;
	enum dt_mode mode;
	enum dt_wait wait;
};

struct world {
	struct maker m;
	bool rwlock[LOCKS + 1], is_class[LOCKS + 1], prefers_writer[LOCKS + 1];
	struct acq acq[ACQS_MAX];
	uint32_t acqs;
	uint32_t thread_of[SEGMENTS_MAX];
	bool before[SEGMENTS_MAX][SEGMENTS_MAX];
	struct {
		uint32_t acq, segment;
	} sight[ACQS_MAX * 2];
	uint32_t sights;
};

static unsigned dice(unsigned sides)
{
	return (unsigned)rand() % sides;
}

static void make_locks(struct world *w)
{
	for (uint32_t i = 1; i <= LOCKS; i++) {
		uint16_t flags = 0;
		w->rwlock[i] = dice(4) == 0;
		if (w->rwlock[i] && dice(2))
			flags |= DT_LOCK_PREFER_WRITER;
		if (dice(12) == 0)
			flags |= DT_LOCK_CLASS;
		w->prefers_writer[i] = flags & DT_LOCK_PREFER_WRITER;
		w->is_class[i] = flags & DT_LOCK_CLASS;
		maker_lock(&w->m, i, w->rwlock[i] ? DT_LOCK_RWLOCK : DT_LOCK_MUTEX, flags);
	}
	for (uint32_t i = 1; i <= 24; i++)
		maker_stack(&w->m, i);
}

static void note_order(struct world *w, uint32_t a, uint32_t b)
{
	for (uint32_t x = 1; x <= w->m.segments; x++)
		for (uint32_t y = 1; y <= w->m.segments; y++)
			if ((x == a || w->before[x][a]) && (y == b || w->before[b][y]))
				w->before[x][y] = true;
}

/* Each thread: one to three segments, some behind those of others. */
static void make_threads(struct world *w)
{
	for (uint32_t t = 1; t <= THREADS; t++) {
		uint32_t earlier = w->m.segments, segment = maker_thread(&w->m, t, 0);
		for (unsigned more = dice(3);; more--) {
			w->thread_of[segment] = t;
			if (earlier && dice(3) == 0) {
				uint32_t pred = 1 + dice(earlier);
				maker_order(&w->m, segment, t, pred);
				note_order(w, pred, segment);
			}
			if (!more)
				break;
			uint32_t next = maker_segment(&w->m, t, segment);
			note_order(w, segment, next);
			segment = next;
		}
	}
}

static uint32_t find_or_make(struct world *w, struct acq wanted)
{
	for (uint32_t i = 1; i <= w->acqs; i++)
		if (memcmp(&w->acq[i], &wanted, sizeof wanted) == 0)
			return i;
	uint32_t id = maker_acq_as(&w->m, wanted.parent, wanted.op, wanted.lock, wanted.stack, wanted.mode,
	                           wanted.wait);
	assert_int_equal(id, ++w->acqs);
	w->acq[id] = wanted;
	return id;
}

/* A thread takes up to four locks, one under the other. `codes` is how many stacks there are. */
static void make_chain(struct world *w, unsigned codes)
{
	uint32_t segment = 1 + dice(w->m.segments), parent = 0;

	for (unsigned depth = 2 + dice(3); depth && w->acqs + 1 < ACQS_MAX; depth--) {
		struct acq a;
		memset(&a, 0, sizeof a);
		a.parent = parent;
		a.lock = 1 + dice(LOCKS);
		a.stack = 1 + dice(codes);
		a.op = dice(12) ? DT_OP_ACQUIRE : DT_OP_HOLD;
		a.mode = w->rwlock[a.lock] && dice(2) ? DT_MODE_SHARED : DT_MODE_EXCLUSIVE;
		a.wait = dice(8) ? DT_WAIT_FOREVER : dice(2) ? DT_WAIT_TIMED : DT_WAIT_TRY;
		parent = find_or_make(w, a);
		w->sight[w->sights].acq = parent;
		w->sight[w->sights++].segment = segment;
	}
}

static void make_world(struct world *w, unsigned seed)
{
	srand(seed);
	memset(w, 0, sizeof *w);
	maker_begin(&w->m);
	make_locks(w);
	make_threads(w);
	unsigned codes = seed % 3 == 0 ? 2 : seed % 3 == 1 ? 5 : 24;
	for (unsigned chains = 3 + dice(14); chains; chains--)
		make_chain(w, codes);
}

/* ---- the model ---- */

struct place {
	uint32_t hold_stack, want_stack, hold_shared, want_shared;
};

/* One lock held, one wanted, seen once. */
struct dep {
	uint32_t from, to, thread, segment;
	struct place place;
	enum dt_wait wait;
	int holds[LOCKS + 1]; /* 0 no, 1 shared, 2 exclusively */
};

struct key {
	uint32_t length;
	struct place place[LOCKS];
};

struct bug {
	struct key key;
	int worth;
	uint32_t count, last_cycle;
};

struct model {
	struct dep dep[DEPS_MAX];
	uint32_t deps;
	struct bug bug[BUGS_MAX];
	uint32_t bugs;
};

static void add_deps(struct model *m, const struct world *w, uint32_t id, uint32_t segment)
{
	const struct acq *a = &w->acq[id];
	struct dep base;
	uint32_t hold_of[LOCKS + 1] = {0};

	memset(&base, 0, sizeof base);
	/* The outermost acquisition of each lock is the one that counts: it overwrites. */
	for (uint32_t p = a->parent; p; p = w->acq[p].parent) {
		base.holds[w->acq[p].lock] = w->acq[p].mode == DT_MODE_SHARED ? 1 : 2;
		hold_of[w->acq[p].lock] = p;
	}
	if (a->op != DT_OP_ACQUIRE || (base.holds[a->lock] && !w->is_class[a->lock]))
		return;
	for (uint32_t l = 1; l <= LOCKS; l++) {
		if (!hold_of[l] || l == a->lock)
			continue;
		assert_true(m->deps < DEPS_MAX);
		struct dep *d = &m->dep[m->deps++];
		*d = base;
		d->from = l;
		d->to = a->lock;
		d->thread = w->thread_of[segment];
		d->segment = segment;
		d->wait = a->wait;
		d->place = (struct place){w->acq[hold_of[l]].stack, a->stack, base.holds[l] == 1,
		                          a->mode == DT_MODE_SHARED};
	}
}

static int judge(const struct world *w, const struct dep *const *d, uint32_t n)
{
	bool policy = false, class = false, timed = false, two_in_one = false, all_one = true,
	     ordered = false;

	for (uint32_t i = 0; i < n; i++) {
		const struct dep *next = d[(i + 1) % n];
		if (d[i]->place.want_shared && next->place.hold_shared) {
			if (!w->prefers_writer[d[i]->to])
				return READERS;
			policy = true;
		}
		class = class || w->is_class[d[i]->from];
		timed = timed || d[i]->wait == DT_WAIT_TIMED;
		all_one = all_one && d[i]->thread == d[0]->thread;
	}
	for (uint32_t i = 0; i < n; i++)
		if (d[i]->wait == DT_WAIT_TRY)
			return TRY;
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = i + 1; j < n; j++) {
			for (uint32_t l = 1; l <= LOCKS; l++)
				if (!w->is_class[l] && d[i]->holds[l] + d[j]->holds[l] > 2 &&
				    d[i]->holds[l] && d[j]->holds[l])
					return GATE;
			two_in_one = two_in_one || d[i]->thread == d[j]->thread;
			ordered = ordered || w->before[d[i]->segment][d[j]->segment] ||
			          w->before[d[j]->segment][d[i]->segment] || d[i]->segment == d[j]->segment;
		}
	if (all_one)
		return SAME_THREAD;
	if (two_in_one)
		return THREADS_FEW;
	if (ordered)
		return ORDERED;
	return class ? CLASS : timed ? TIMED : policy ? POLICY : ALL;
}

static struct key rotate(const struct key *key, uint32_t start)
{
	struct key rotated;

	memset(&rotated, 0, sizeof rotated);
	rotated.length = key->length;
	for (uint32_t i = 0; i < key->length; i++)
		rotated.place[i] = key->place[(start + i) % key->length];
	return rotated;
}

static struct key canonical(const struct key *key)
{
	struct key best = rotate(key, 0);

	for (uint32_t i = 1; i < key->length; i++) {
		struct key other = rotate(key, i);
		if (memcmp(&other, &best, sizeof best) < 0)
			best = other;
	}
	return best;
}

static struct bug *find_bug(struct model *m, const struct key *key)
{
	for (uint32_t i = 0; i < m->bugs; i++)
		if (memcmp(&m->bug[i].key, key, sizeof *key) == 0)
			return &m->bug[i];
	return NULL;
}

static void model_record(struct model *m, const struct world *w, const struct dep *const *d, uint32_t n,
                         uint32_t cycle)
{
	struct key key;
	int worth = judge(w, d, n);

	memset(&key, 0, sizeof key);
	key.length = n;
	for (uint32_t i = 0; i < n; i++)
		key.place[i] = d[i]->place;
	key = canonical(&key);
	struct bug *bug = find_bug(m, &key);
	if (!bug) {
		assert_true(m->bugs < BUGS_MAX);
		bug = &m->bug[m->bugs++];
		*bug = (struct bug){key, worth, 0, 0};
	}
	if (rank_of(worth) > rank_of(bug->worth)) {
		bug->count = 0;
		bug->last_cycle = 0;
	}
	if (rank_of(worth) >= rank_of(bug->worth) && bug->last_cycle != cycle) {
		bug->count++;
		bug->last_cycle = cycle;
	}
	if (worth > bug->worth)
		bug->worth = worth;
}

/* Every choice of one exemplar for each edge of the cycle of locks. */
static void model_choose(struct model *m, const struct world *w, const uint32_t *lock, uint32_t n,
                         const struct dep **chosen, uint32_t depth, uint32_t cycle)
{
	if (depth == n) {
		model_record(m, w, chosen, n, cycle);
		return;
	}
	for (uint32_t i = 0; i < m->deps; i++) {
		if (m->dep[i].from != lock[depth] || m->dep[i].to != lock[(depth + 1) % n])
			continue;
		chosen[depth] = &m->dep[i];
		model_choose(m, w, lock, n, chosen, depth + 1, cycle);
	}
}

/* All cycles of locks that begin with their smallest. */
static void model_cycles(struct model *m, const struct world *w, uint32_t *lock, uint32_t n, uint32_t max,
                         uint32_t *cycle)
{
	const struct dep *chosen[CYCLE_MAX];

	if (n > 1) {
		++*cycle;
		model_choose(m, w, lock, n, chosen, 0, *cycle);
	}
	for (uint32_t next = lock[0] + 1; next <= LOCKS && n < max; next++) {
		bool used = false;
		for (uint32_t i = 0; i < n; i++)
			used |= lock[i] == next;
		if (used)
			continue;
		lock[n] = next;
		model_cycles(m, w, lock, n + 1, max, cycle);
	}
}

static void run_model(struct model *m, const struct world *w)
{
	uint32_t cycle = 0, lock[CYCLE_MAX];

	m->deps = m->bugs = 0;
	for (uint32_t i = 0; i < w->sights; i++)
		add_deps(m, w, w->sight[i].acq, w->sight[i].segment);
	for (lock[0] = 1; lock[0] <= LOCKS; lock[0]++)
		model_cycles(m, w, lock, 1, CYCLE_MAX, &cycle);
}

/* ---- the engine's answer in the model's terms ---- */

static int worth_of(const struct dt_finding *f)
{
	switch (f->reason) {
	case DT_REASON_READERS:
		return READERS;
	case DT_REASON_TRY:
		return TRY;
	case DT_REASON_GATE_LOCK:
		return GATE;
	case DT_REASON_ORDERED:
		return ORDERED;
	case DT_REASON_SAME_THREAD:
		return f->filtered ? THREADS_FEW : SAME_THREAD;
	case DT_REASON_TIMED:
		return TIMED;
	case DT_REASON_CLASS_ONLY:
		return CLASS;
	case DT_REASON_READER_POLICY:
		return POLICY;
	default:
		return ALL;
	}
}

static void take(void *context, const struct dt_finding *f)
{
	struct model *found = context;
	struct key key;

	assert_int_equal(f->rule, DT_RULE_LOCK_ORDER_CYCLE);
	assert_int_equal(f->event_count, 2 * f->lock_count);
	int rank = rank_of(worth_of(f));
	assert_int_equal(f->filtered, rank == 0);
	assert_int_equal(f->level, rank == 1 ? DT_LEVEL_NOTE : DT_LEVEL_WARNING);
	assert_int_equal(f->tier, rank == 2 ? DT_TIER_POSSIBLE : DT_TIER_NOTE);
	memset(&key, 0, sizeof key);
	key.length = f->lock_count;
	for (uint32_t i = 0; i < f->lock_count; i++) {
		const struct dt_event *hold = &f->events[2 * i], *want = &f->events[2 * i + 1];
		assert_int_equal(hold->kind, DT_EVENT_HOLD);
		assert_int_equal(want->kind, DT_EVENT_ACQUIRE);
		assert_int_equal(hold->lock, f->locks[i]);
		assert_int_equal(want->lock, f->locks[(i + 1) % f->lock_count]);
		assert_int_equal(hold->thread, want->thread);
		assert_true(i == 0 || f->locks[i] > f->locks[0]);
		bool holds = false;
		for (uint32_t h = 0; h < want->holding_count; h++)
			holds |= want->holding[h] == hold->lock;
		assert_true(holds);
		key.place[i] = (struct place){hold->stack, want->stack, hold->mode == DT_MODE_SHARED,
		                              want->mode == DT_MODE_SHARED};
	}
	key = canonical(&key);
	assert_null(find_bug(found, &key));
	found->bug[found->bugs++] = (struct bug){key, worth_of(f), f->count, 0};
}

static bool has_place(const struct bug *bug, const struct place *place)
{
	for (uint32_t i = 0; i < bug->key.length; i++)
		if (memcmp(&bug->key.place[i], place, sizeof *place) == 0)
			return true;
	return false;
}

/* Is the place in something found that is no longer than `length` and ranks no less? */
static bool is_shown(const struct model *found, const struct place *place, uint32_t length, int rank)
{
	for (uint32_t i = 0; i < found->bugs; i++)
		if (found->bug[i].key.length <= length && rank_of(found->bug[i].worth) >= rank &&
		    has_place(&found->bug[i], place))
			return true;
	return false;
}

static bool all_shown(const struct model *found, const struct bug *bug, uint32_t length, int rank)
{
	for (uint32_t i = 0; i < bug->key.length; i++)
		if (!is_shown(found, &bug->key.place[i], length, rank))
			return false;
	return true;
}

/* Every pair of the model is found, as it is, except notes that findings cover. */
static void compare_pairs(struct model *expected, struct model *found, bool filtered_too)
{
	for (uint32_t i = 0; i < expected->bugs; i++) {
		const struct bug *bug = &expected->bug[i], *twin = find_bug(found, &bug->key);
		if (bug->key.length != 2 || (rank_of(bug->worth) == 0 && !filtered_too))
			continue;
		if (rank_of(bug->worth) == 1 && all_shown(found, bug, LOCKS, 2)) {
			assert_null(twin);
			continue;
		}
		assert_non_null(twin);
		assert_int_equal(twin->worth, bug->worth);
		assert_int_equal(twin->count, bug->count);
	}
}

static void compare_long(struct model *expected, struct model *found)
{
	/* All that is found is there. */
	for (uint32_t i = 0; i < found->bugs; i++) {
		const struct bug *bug = &found->bug[i], *twin = find_bug(expected, &bug->key);
		if (bug->key.length > CYCLE_MAX)
			continue;
		assert_non_null(twin);
		assert_in_range(rank_of(bug->worth), 0, rank_of(twin->worth));
	}
	/* All code that is in a cycle is shown: in a finding as short as can be, or in a note. */
	for (uint32_t i = 0; i < expected->bugs; i++) {
		const struct bug *bug = &expected->bug[i];
		int rank = rank_of(bug->worth);
		if (rank)
			assert_true(all_shown(found, bug, rank == 2 ? bug->key.length : LOCKS, rank));
	}
}

static struct world world;
static struct model expected, found, found_plain, found_live;

/* To ask for what was filtered changes nothing else. */
static void same_but_filtered(struct model *all, struct model *plain)
{
	uint32_t unfiltered = 0;

	for (uint32_t i = 0; i < all->bugs; i++)
		unfiltered += rank_of(all->bug[i].worth) > 0;
	assert_int_equal(unfiltered, plain->bugs);
	for (uint32_t i = 0; i < plain->bugs; i++) {
		const struct bug *twin = find_bug(all, &plain->bug[i].key);
		assert_non_null(twin);
		assert_int_equal(twin->worth, plain->bug[i].worth);
	}
}

static void analyse(struct world *w, bool want_filtered, struct model *into)
{
	const struct dt_check_options options = {.max_cycle_length = CYCLE_MAX,
	                                         .want_filtered = want_filtered};
	struct dt_analysis analysis;

	into->bugs = 0;
	assert_int_equal(dt_facts_settle(w->m.facts), DT_OK);
	assert_int_equal(dt_facts_dangling(w->m.facts), 0);
	assert_int_equal(dt_analyse(w->m.facts, &dt_alloc_libc, &options, take, into, &analysis), DT_OK);
}

static void see_all(struct world *w)
{
	for (uint32_t i = 0; i < w->sights; i++)
		maker_see(&w->m, w->sight[i].acq, w->sight[i].segment);
}

static void test_matches_brute_force(void **state)
{
	unsigned findings[3] = {0}, reasons[ALL + 1] = {0}, longer = 0;

	(void)state;
	for (unsigned seed = 1; seed <= 3000; seed++) {
		make_world(&world, seed);
		see_all(&world);
		run_model(&expected, &world);
		analyse(&world, true, &found);
		compare_pairs(&expected, &found, true);
		compare_long(&expected, &found);
		for (uint32_t i = 0; i < found.bugs; i++) {
			findings[rank_of(found.bug[i].worth)]++;
			reasons[found.bug[i].worth]++;
			longer += found.bug[i].key.length > 2 && found.bug[i].worth >= POLICY;
		}
		analyse(&world, false, &found_plain);
		compare_pairs(&expected, &found_plain, false);
		compare_long(&expected, &found_plain);
		same_but_filtered(&found, &found_plain);
		maker_end(&world.m);
	}
	/* The test is worth its name only if it met everything. */
	for (int i = 0; i <= ALL; i++)
		assert_true(reasons[i] > 10);
	assert_true(longer > 10);
	print_message("%u findings (%u of more than two locks), %u notes, %u filtered\n", findings[2], longer,
	              findings[1], findings[0]);
}

/* Sightings come one by one; what was said at the end is what the batch finds. Before a shorter
 * cycle is there to cover it, a longer one may have been said: that is real too. */
static void test_live_finds_what_batch_finds(void **state)
{
	const struct dt_check_options options = {.max_cycle_length = CYCLE_MAX};
	unsigned at_once = 0, later = 0, extra = 0;

	(void)state;
	for (unsigned seed = 1; seed <= 3000; seed++) {
		struct dt_check_state *check;
		make_world(&world, seed);
		found_live.bugs = 0;
		assert_int_equal(dt_facts_settle(world.m.facts), DT_OK);
		assert_int_equal(
		    dt_checks[0]->open(&check, world.m.facts, &dt_alloc_libc, &options, take, &found_live),
		    DT_OK);
		for (uint32_t i = 0; i < world.sights; i++) {
			maker_see(&world.m, world.sight[i].acq, world.sight[i].segment);
			assert_int_equal(dt_facts_settle(world.m.facts), DT_OK);
			assert_int_equal(
			    dt_checks[0]->feed(check, world.sight[i].acq, world.sight[i].segment), DT_OK);
		}
		uint32_t said = found_live.bugs;
		assert_int_equal(dt_checks[0]->finish(check), DT_OK);
		dt_checks[0]->close(check);
		run_model(&expected, &world);
		analyse(&world, false, &found);
		for (uint32_t i = 0; i < found.bugs; i++) {
			const struct bug *twin = find_bug(&found_live, &found.bug[i].key);
			assert_non_null(twin);
			assert_int_equal(rank_of(twin->worth), rank_of(found.bug[i].worth));
			if (found.bug[i].worth >= POLICY) {
				at_once += twin < found_live.bug + said;
				later += twin >= found_live.bug + said;
				assert_true(found.bug[i].key.length > 2 || twin < found_live.bug + said);
			}
		}
		for (uint32_t i = 0; i < found_live.bugs; i++) {
			const struct bug *bug = &found_live.bug[i];
			if (find_bug(&found, &bug->key))
				continue;
			extra++;
			assert_int_equal(rank_of(bug->worth), 2);
			assert_in_range(bug->key.length, 3, CYCLE_MAX);
			assert_int_equal(rank_of(find_bug(&expected, &bug->key)->worth), 2);
			assert_true(all_shown(&found, bug, bug->key.length, 2));
		}
		maker_end(&world.m);
	}
	print_message("%u said at once, %u at the end, %u that shorter ones cover\n", at_once, later, extra);
	/* A longer cycle may be left to the end, where more combinations are looked at. */
	assert_true(at_once > 50 * later);
}

/* An allocator that remembers how large each block is and fails from the `left`-th request on. */
struct strict {
	struct dt_alloc alloc;
	unsigned left, blocks;
};

static void *resize_strict(struct dt_alloc *self, void *block, size_t old_bytes, size_t new_bytes)
{
	struct strict *strict = (struct strict *)self;
	size_t *head = block ? (size_t *)block - 2 : NULL;

	assert_int_equal(head ? head[0] : 0, old_bytes);
	if (new_bytes == 0) {
		strict->blocks -= head != NULL;
		free(head);
		return NULL;
	}
	if (!strict->left)
		return NULL;
	strict->left--;
	strict->blocks += !head;
	head = realloc(head, new_bytes + 2 * sizeof *head);
	assert_non_null(head);
	head[0] = new_bytes;
	return head + 2;
}

static void ignore(void *context, const struct dt_finding *finding)
{
	(void)context;
	(void)finding;
}

static enum dt_err feed_all(struct dt_check_state *check)
{
	enum dt_err err = DT_OK;

	for (uint32_t i = 0; !err && i < world.sights; i++)
		err = dt_checks[0]->feed(check, world.sight[i].acq, world.sight[i].segment);
	return err ? err : dt_checks[0]->finish(check);
}

/* Whatever request fails: an error, no crash, and all memory given back with its right size. */
static void test_no_memory(void **state)
{
	const struct dt_check_options options = {.want_filtered = true};

	(void)state;
	make_world(&world, 5);
	see_all(&world);
	assert_int_equal(dt_facts_settle(world.m.facts), DT_OK);
	for (int live = 0; live < 2; live++) {
		enum dt_err err = DT_ERR_NOMEM;
		for (unsigned left = 0; err != DT_OK; left++) {
			struct strict strict = {{resize_strict}, left, 0};
			struct dt_analysis analysis;
			struct dt_check_state *check;
			if (!live) {
				err = dt_analyse(world.m.facts, &strict.alloc, &options, ignore, NULL,
				                 &analysis);
			} else {
				err = dt_checks[0]->open(&check, world.m.facts, &strict.alloc, &options,
				                         ignore, NULL);
				if (!err) {
					err = feed_all(check);
					dt_checks[0]->close(check);
				}
			}
			assert_true(err == DT_OK || err == DT_ERR_NOMEM);
			assert_int_equal(strict.blocks, 0);
		}
	}
	maker_end(&world.m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_matches_brute_force),
	    cmocka_unit_test(test_live_finds_what_batch_finds),
	    cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
