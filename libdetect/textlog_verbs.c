/* textlog_verbs.c: words into what a thread did or an object is. One row of a table a verb. */
#include "textlog_run.h"

enum { DEPTH_MAX = 64 };

/* The object of that name, which is new or of that kind. */
static enum dt_err find(struct dt_run *run, const char *name, enum dt_lock_kind kind, uint32_t *object)
{
	*object = dt_run_find_object(run, name);
	if (*object == DT_NOBODY)
		return dt_run_add_object(run, name, kind, object);
	return run->objects.at[*object].kind == kind ? DT_OK
	                                             : dt_run_refuse(run, name, " is something else", NULL);
}

/* Anything that can be got. */
static enum dt_err find_lock(struct dt_run *run, const char *name, enum dt_mode mode, uint32_t *object)
{
	*object = dt_run_find_object(run, name);
	if (*object == DT_NOBODY)
		return dt_run_add_object(run, name, mode == DT_MODE_SHARED ? DT_LOCK_RWLOCK : DT_LOCK_MUTEX,
		                         object);
	enum dt_lock_kind kind = run->objects.at[*object].kind;
	if (mode == DT_MODE_SHARED && kind != DT_LOCK_RWLOCK)
		return dt_run_refuse(run, name, " is no rwlock", NULL);
	return kind == DT_LOCK_MUTEX || kind == DT_LOCK_RWLOCK || kind == DT_LOCK_SPIN || kind == DT_LOCK_SEM
	           ? DT_OK
	           : dt_run_refuse(run, name, " is no lock", NULL);
}

/* The words from `from` on say how. */
static enum dt_err read_how(struct dt_run *run, const struct dt_run_words *words, uint32_t from,
                            struct dt_run_how *how)
{
	*how = (struct dt_run_how){DT_MODE_EXCLUSIVE, DT_WAIT_FOREVER};
	for (uint32_t i = from; i < words->count; i++) {
		if (strcmp(words->at[i], "read") == 0)
			how->mode = DT_MODE_SHARED;
		else if (strcmp(words->at[i], "try") == 0)
			how->wait = DT_WAIT_TRY;
		else if (strcmp(words->at[i], "timed") == 0)
			how->wait = DT_WAIT_TIMED;
		else
			return dt_run_refuse(run, words->at[i], ": not read, try or timed", NULL);
	}
	return DT_OK;
}

/* Of calls that can be timed, and nothing else. */
static enum dt_err read_timed(struct dt_run *run, const struct dt_run_words *words, uint32_t from,
                              struct dt_run_how *how)
{
	enum dt_err err = read_how(run, words, from, how);

	if (!err && (how->mode == DT_MODE_SHARED || how->wait == DT_WAIT_TRY))
		return dt_run_refuse(run, words->at[from], ": not timed", NULL);
	return err;
}

static enum dt_err do_got(struct dt_run *run, uint32_t thread, const struct dt_run_words *words)
{
	struct dt_run_how how;
	uint32_t object;
	enum dt_err err = read_how(run, words, 1, &how);

	err = err ? err : find_lock(run, words->at[0], how.mode, &object);
	return err ? err : dt_run_got(run, thread, object, how);
}

static enum dt_err do_want(struct dt_run *run, uint32_t thread, const struct dt_run_words *words)
{
	struct dt_run_how how;
	uint32_t object;
	enum dt_err err = read_how(run, words, 1, &how);

	err = err ? err : find_lock(run, words->at[0], how.mode, &object);
	return err ? err : dt_run_want(run, thread, object, how);
}

static enum dt_err do_rel(struct dt_run *run, uint32_t thread, const struct dt_run_words *words)
{
	uint32_t object;
	enum dt_err err = find_lock(run, words->at[0], DT_MODE_EXCLUSIVE, &object);

	return err ? err : dt_run_release(run, thread, object);
}

static enum dt_err do_create(struct dt_run *run, uint32_t thread, const struct dt_run_words *words)
{
	return dt_run_create(run, thread, words->at[0], words->count > 1 ? words->at[1] : NULL);
}

static enum dt_err do_join(struct dt_run *run, uint32_t thread, const struct dt_run_words *words)
{
	struct dt_run_how how;
	uint32_t joined = dt_run_find_thread(run, words->at[0]);

	if (joined == DT_NOBODY)
		return dt_run_refuse(run, words->at[0], " is no thread", NULL);
	enum dt_err err = read_timed(run, words, 1, &how);
	return err ? err : dt_run_join(run, thread, joined, how);
}

static enum dt_err do_wait(struct dt_run *run, uint32_t thread, const struct dt_run_words *words)
{
	struct dt_run_how how;
	uint32_t cond, mutex;
	enum dt_err err = read_timed(run, words, 2, &how);

	err = err ? err : find(run, words->at[0], DT_LOCK_COND, &cond);
	err = err ? err : find(run, words->at[1], DT_LOCK_MUTEX, &mutex);
	return err ? err : dt_run_wait(run, thread, cond, mutex, how);
}

static enum dt_err do_signal(struct dt_run *run, uint32_t thread, const struct dt_run_words *words)
{
	uint32_t cond;
	enum dt_err err = find(run, words->at[0], DT_LOCK_COND, &cond);

	return err ? err : dt_run_signal(run, thread, cond);
}

static enum dt_err do_await(struct dt_run *run, uint32_t thread, const struct dt_run_words *words)
{
	struct dt_run_how how;
	uint32_t sem;
	enum dt_err err = read_timed(run, words, 1, &how);

	err = err ? err : find(run, words->at[0], DT_LOCK_SEM, &sem);
	return err ? err : dt_run_await(run, thread, sem, how);
}

static enum dt_err do_post(struct dt_run *run, uint32_t thread, const struct dt_run_words *words)
{
	uint32_t sem;
	enum dt_err err = find(run, words->at[0], DT_LOCK_SEM, &sem);

	return err ? err : dt_run_post(run, thread, sem);
}

static enum dt_err do_barrier(struct dt_run *run, uint32_t thread, const struct dt_run_words *words)
{
	uint32_t barrier = dt_run_find_object(run, words->at[0]);

	if (barrier == DT_NOBODY || run->objects.at[barrier].kind != DT_LOCK_BARRIER)
		return dt_run_refuse(run, words->at[0], " is no barrier: declare it, with its count", NULL);
	return dt_run_barrier(run, thread, barrier);
}

static enum dt_err do_once(struct dt_run *run, uint32_t thread, const struct dt_run_words *words)
{
	uint32_t once;
	enum dt_err err = find(run, words->at[0], DT_LOCK_ONCE, &once);

	return err ? err : dt_run_once(run, thread, once);
}

static enum dt_err do_destroy(struct dt_run *run, uint32_t thread, const struct dt_run_words *words)
{
	uint32_t object = dt_run_find_object(run, words->at[0]);

	if (object == DT_NOBODY)
		return dt_run_refuse(run, words->at[0], " is not there", NULL);
	return dt_run_destroy(run, thread, object);
}

static enum dt_err do_name(struct dt_run *run, uint32_t thread, const struct dt_run_words *words)
{
	return dt_run_name(run, thread, words->at[0]);
}

static enum dt_err do_exit(struct dt_run *run, uint32_t thread, const struct dt_run_words *words)
{
	(void)words;
	return dt_run_exit(run, thread);
}

/* The signal of that name. */
static enum dt_err read_signal(struct dt_run *run, const char *name, uint32_t *signal)
{
	*signal = dt_run_signal_number(name);
	return *signal ? DT_OK : dt_run_refuse(run, name, " is no signal", NULL);
}

static enum dt_err do_handles(struct dt_run *run, uint32_t thread, const struct dt_run_words *words)
{
	uint32_t signal;
	enum dt_err err = read_signal(run, words->at[0], &signal);

	return err ? err : dt_run_handles(run, thread, signal);
}

static enum dt_err do_returns(struct dt_run *run, uint32_t thread, const struct dt_run_words *words)
{
	(void)words;
	return dt_run_returns(run, thread);
}

static enum dt_err do_blocks(struct dt_run *run, uint32_t thread, const struct dt_run_words *words)
{
	uint32_t signal;
	enum dt_err err = read_signal(run, words->at[0], &signal);

	if (!err)
		run->threads.at[thread].blocked |= (uint64_t)1 << (signal - 1);
	return err;
}

static enum dt_err do_unblocks(struct dt_run *run, uint32_t thread, const struct dt_run_words *words)
{
	uint32_t signal;
	enum dt_err err = read_signal(run, words->at[0], &signal);

	if (!err)
		run->threads.at[thread].blocked &= ~((uint64_t)1 << (signal - 1));
	return err;
}

static const struct verb {
	const char *name;
	uint32_t min_words, max_words;
	bool takes_up; /* what it waited for itself */
	enum dt_err (*act)(struct dt_run *run, uint32_t thread, const struct dt_run_words *words);
} verbs[] = {
    {"got", 1, 3, true, do_got},          {"want", 1, 3, false, do_want},
    {"rel", 1, 1, false, do_rel},         {"create", 1, 2, false, do_create},
    {"join", 1, 2, false, do_join},       {"wait", 2, 3, false, do_wait},
    {"signal", 1, 1, false, do_signal},   {"broadcast", 1, 1, false, do_signal},
    {"barrier", 1, 1, false, do_barrier}, {"once", 1, 1, false, do_once},
    {"destroy", 1, 1, false, do_destroy}, {"name", 1, 1, false, do_name},
    {"exit", 0, 0, false, do_exit},       {"await", 1, 2, false, do_await},
    {"post", 1, 1, false, do_post},       {"handles", 1, 1, false, do_handles},
    {"returns", 0, 0, false, do_returns}, {"blocks", 1, 1, false, do_blocks},
    {"unblocks", 1, 1, false, do_unblocks}, {"forks", 2, 2, false, dt_run_forks},
    {"reaps", 2, 2, false, dt_run_reaps},
};

/* PLACE > PLACE..., the innermost last, from word `from` on; or `?`. */
static enum dt_err read_places(struct dt_run *run, const struct dt_run_words *words, uint32_t from,
                               uint32_t *stack)
{
	uint64_t pc[DEPTH_MAX];
	uint32_t depth = (words->count - from + 1) / 2;
	enum dt_err err = DT_OK;

	*stack = 0;
	if (words->count == from + 1 && strcmp(words->at[from], "?") == 0)
		return DT_OK;
	if ((words->count - from) % 2 == 0)
		return dt_run_refuse(run, "at: a place is missing", NULL);
	if (depth > DEPTH_MAX)
		return dt_run_refuse(run, "at: too many places", NULL);
	for (uint32_t i = 0; !err && i < depth; i++) {
		if (i && strcmp(words->at[from + 2 * i - 1], ">") != 0)
			return dt_run_refuse(run, words->at[from + 2 * i - 1], ": not >", NULL);
		err = dt_run_place(run, words->at[from + 2 * i], &pc[depth - 1 - i]);
	}
	return err ? err : dt_run_stack(run, pc, depth, stack);
}

/* Take "at PLACE..." off the end of an event. */
static enum dt_err read_line_place(struct dt_run *run, struct dt_run_words *words, uint32_t thread)
{
	struct dt_run_thread *t = &run->threads.at[thread];
	uint32_t at = 2;

	t->has_line_stack = false;
	while (at < words->count && strcmp(words->at[at], "at") != 0)
		at++;
	if (at == words->count)
		return DT_OK;
	t->has_line_stack = true;
	enum dt_err err = read_places(run, words, at + 1, &t->line_stack);
	words->count = at;
	return err;
}

static enum dt_err set_place(struct dt_run *run, const struct dt_run_words *words, uint32_t thread)
{
	run->threads.at[thread].has_stack = true;
	return read_places(run, words, 2, &run->threads.at[thread].stack);
}

static enum dt_err act(struct dt_run *run, uint32_t thread, struct dt_run_words *words)
{
	const char *name = words->at[1];
	const struct verb *verb = verbs, *end = verbs + sizeof verbs / sizeof *verbs;

	while (verb < end && strcmp(verb->name, name) != 0)
		verb++;
	if (verb == end)
		return dt_run_refuse(run, name, " is nothing that a thread does", NULL);
	words->count -= 2;
	memmove(words->at, words->at + 2, words->count * sizeof *words->at);
	if (words->count < verb->min_words)
		return dt_run_refuse(run, name, ": a word is missing", NULL);
	if (words->count > verb->max_words)
		return dt_run_refuse(run, name, ": too many words", NULL);
	enum dt_err err = verb->takes_up ? DT_OK : dt_run_resume(run, thread);
	return err ? err : verb->act(run, thread, words);
}

static enum dt_err read_event(struct dt_run *run, struct dt_run_words *words)
{
	uint32_t thread = dt_run_find_thread(run, words->at[0]);
	enum dt_err err = DT_OK;

	if (words->count < 2)
		return dt_run_refuse(run, words->at[0], ": a verb is missing", NULL);
	if (thread == DT_NOBODY)
		err = dt_run_add_thread(run, words->at[0], &thread);
	if (err)
		return err;
	if (strcmp(words->at[1], "at") == 0)
		return set_place(run, words, thread);
	err = read_line_place(run, words, thread);
	return err ? err : act(run, thread, words);
}

static enum dt_err declare(struct dt_run *run, const struct dt_run_words *words, enum dt_lock_kind kind,
                           uint32_t *object)
{
	if (words->count < 2)
		return dt_run_refuse(run, words->at[0], ": a name is missing", NULL);
	if (dt_run_find_object(run, words->at[1]) != DT_NOBODY)
		return dt_run_refuse(run, words->at[1], " is there already", NULL);
	return dt_run_add_object(run, words->at[1], kind, object);
}

static enum dt_err declare_lock(struct dt_run *run, const struct dt_run_words *words)
{
	static const struct {
		const char *word;
		enum dt_lock_kind kind; /* 0: it is a flag */
		uint16_t flag;
	} attributes[] = {
	    {"mutex", DT_LOCK_MUTEX, 0},
	    {"rwlock", DT_LOCK_RWLOCK, 0},
	    {"spin", DT_LOCK_SPIN, 0},
	    {"sem", DT_LOCK_SEM, 0},
	    {"recursive", 0, DT_LOCK_RECURSIVE},
	    {"errorcheck", 0, DT_LOCK_ERRORCHECK},
	    {"prefer-writer", 0, DT_LOCK_PREFER_WRITER},
	    {"class", 0, DT_LOCK_CLASS},
	};
	uint32_t object;
	enum dt_err err = declare(run, words, DT_LOCK_MUTEX, &object);

	for (uint32_t i = 2; !err && i < words->count; i++) {
		if (run->objects.at[object].kind == DT_LOCK_SEM && words->at[i][0] >= '1' && words->at[i][0] <= '9' &&
		    !words->at[i][1]) {
			run->objects.at[object].units = (uint32_t)(words->at[i][0] - '0');
			continue;
		}
		size_t a = 0, count = sizeof attributes / sizeof *attributes;
		while (a < count && strcmp(attributes[a].word, words->at[i]) != 0)
			a++;
		if (a == count)
			return dt_run_refuse(run, words->at[i], " is nothing that a lock can be", NULL);
		if (attributes[a].kind == DT_LOCK_SEM)
			run->objects.at[object].units = 1;
		if (attributes[a].kind)
			run->objects.at[object].kind = attributes[a].kind;
		run->objects.at[object].flags |= attributes[a].flag;
	}
	return err;
}

static enum dt_err declare_cond(struct dt_run *run, const struct dt_run_words *words)
{
	uint32_t object;

	if (words->count > 2)
		return dt_run_refuse(run, "cond: too many words", NULL);
	return declare(run, words, DT_LOCK_COND, &object);
}

static enum dt_err declare_barrier(struct dt_run *run, const struct dt_run_words *words)
{
	uint32_t object, count = 0;

	if (words->count != 3)
		return dt_run_refuse(run, "barrier: a name and a count are wanted", NULL);
	for (const char *digit = words->at[2]; *digit; digit++) {
		if (*digit < '0' || *digit > '9' || count > 9999)
			return dt_run_refuse(run, words->at[2], " is no count of threads", NULL);
		count = count * 10 + (uint32_t)(*digit - '0');
	}
	if (!count)
		return dt_run_refuse(run, words->at[2], " is no count of threads", NULL);
	enum dt_err err = declare(run, words, DT_LOCK_BARRIER, &object);
	if (!err)
		run->objects.at[object].barrier_count = count;
	return err;
}

static enum dt_err declare_handler(struct dt_run *run, const struct dt_run_words *words)
{
	uint32_t signal;

	if (words->count != 2)
		return dt_run_refuse(run, "handler: a signal is wanted", NULL);
	enum dt_err err = read_signal(run, words->at[1], &signal);
	if (!err)
		run->handled |= (uint64_t)1 << (signal - 1);
	return err;
}

static const struct {
	const char *word;
	enum dt_err (*declare)(struct dt_run *run, const struct dt_run_words *words);
} declarations[] = {
    {"lock", declare_lock},
    {"cond", declare_cond},
    {"barrier", declare_barrier},
    {"handler", declare_handler},
    {"process", dt_run_process},
    {"shared", dt_run_shared},
};

enum dt_err dt_run_read(struct dt_run *run, struct dt_run_words *words)
{
	for (size_t i = 0; i < sizeof declarations / sizeof *declarations; i++)
		if (strcmp(declarations[i].word, words->at[0]) == 0)
			return declarations[i].declare(run, words);
	return read_event(run, words);
}
