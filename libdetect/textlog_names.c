/* textlog_names.c: what the words of a text log stand for, and the records that say so. */
#include "textlog_run.h"

#include <stdarg.h>

/* A module of our own, in which each place has PLACE_BYTES of code. */
enum { PLACES_MAX = 1 << 20, PLACE_BYTES = 16, MODULE = 1 };
static const uint64_t code_start = 0x400000, data_start = 0x10000000;
static const char path[] = "textlog";

static enum dt_err add_process(struct dt_run *run)
{
	struct dt_rec_process process = {
	    .head = {.type = DT_REC_PROCESS}, .argc = 1, .text_bytes = 2 * sizeof path};
	struct dt_rec_module module = {
	    .head = {.type = DT_REC_MODULE},
	    .id = MODULE,
	    .path_bytes = sizeof path,
	    .bias = code_start,
	    .start = code_start,
	    .end = code_start + (uint64_t)PLACES_MAX * PLACE_BYTES,
	};
	char words[2 * sizeof path]; /* its name, and the file of that name */

	memcpy(words, path, sizeof path);
	memcpy(words + sizeof path, path, sizeof path);
	enum dt_err err = dt_log_buffer_add(&run->log, &process, sizeof process, words, sizeof words);
	return err ? err : dt_log_buffer_add(&run->log, &module, sizeof module, path, sizeof path);
}

enum dt_err dt_run_init(struct dt_run *run, struct dt_alloc *alloc, struct dt_textlog_error *error)
{
	*run = (struct dt_run){.alloc = alloc, .error = error};
	enum dt_err err = dt_log_buffer_init(&run->log, alloc);

	return err ? err : add_process(run);
}

void dt_run_fini(struct dt_run *run)
{
	for (uint32_t i = 0; i < run->threads.count; i++) {
		dt_vec_fini(&run->threads.at[i].held, run->alloc);
		dt_vec_fini(&run->threads.at[i].handling, run->alloc);
	}
	for (uint32_t i = 0; i < run->objects.count; i++)
		dt_vec_fini(&run->objects.at[i].arrived, run->alloc);
	for (uint32_t i = 0; i < run->stacks.count; i++)
		if (run->stacks.at[i].pc)
			run->alloc->resize(run->alloc, run->stacks.at[i].pc,
			                   run->stacks.at[i].count * sizeof(uint64_t), 0);
	dt_vec_fini(&run->threads, run->alloc);
	dt_vec_fini(&run->objects, run->alloc);
	dt_vec_fini(&run->places, run->alloc);
	dt_vec_fini(&run->stacks, run->alloc);
	dt_vec_fini(&run->acqs, run->alloc);
	dt_vec_fini(&run->object_of_id, run->alloc);
	dt_vec_fini(&run->signal_sets, run->alloc);
	dt_pairmap_fini(&run->sighted, run->alloc);
	dt_log_buffer_fini(&run->log);
}

enum dt_err dt_run_refuse(struct dt_run *run, const char *word, ...)
{
	va_list words;
	size_t used = 0;

	if (!run->error)
		return DT_ERR_SYNTAX;
	run->error->line = run->line;
	va_start(words, word);
	for (; word; word = va_arg(words, const char *))
		while (*word && used < sizeof run->error->text - 1)
			run->error->text[used++] = *word++;
	va_end(words);
	run->error->text[used] = '\0';
	return DT_ERR_SYNTAX;
}

uint32_t dt_run_find_thread(const struct dt_run *run, const char *name)
{
	for (uint32_t i = 0; i < run->threads.count; i++)
		if (strcmp(run->threads.at[i].name, name) == 0)
			return i;
	return DT_NOBODY;
}

uint32_t dt_run_find_object(const struct dt_run *run, const char *name)
{
	for (uint32_t i = 0; i < run->objects.count; i++)
		if (strcmp(run->objects.at[i].name, name) == 0)
			return i;
	return DT_NOBODY;
}

enum dt_err dt_run_add_object(struct dt_run *run, const char *name, enum dt_lock_kind kind, uint32_t *object)
{
	struct dt_run_object *o = dt_vec_push(&run->objects, run->alloc);

	if (!o)
		return DT_ERR_NOMEM;
	o->name = name;
	o->kind = kind;
	o->writer = DT_NOBODY;
	*object = run->objects.count - 1;
	return DT_OK;
}

enum dt_err dt_run_object_id(struct dt_run *run, uint32_t object, uint32_t stack, uint32_t *id)
{
	struct dt_run_object *o = &run->objects.at[object];

	*id = o->id;
	if (*id)
		return DT_OK;
	enum dt_err err = dt_run_use_stack(run, stack);
	uint32_t *known = err ? NULL : dt_vec_push(&run->object_of_id, run->alloc);
	if (!known)
		return DT_ERR_NOMEM;
	*known = object;
	*id = o->id = run->object_of_id.count;
	struct dt_rec_lock rec = {
	    .head = {.type = DT_REC_LOCK, .flags = o->flags},
	    .id = *id,
	    .kind = (uint8_t)o->kind,
	    .units = (uint16_t)o->units,
	    .address = data_start + object * (uint64_t)64,
	    .first_stack = stack,
	};
	return dt_log_buffer_add(&run->log, &rec, sizeof rec, NULL, 0);
}

/* "line:" and the number. */
static void name_line(char *to, uint32_t line)
{
	char digits[10];
	int count = 0;

	memcpy(to, "line:", 5);
	to += 5;
	do
		digits[count++] = (char)('0' + line % 10);
	while (line /= 10);
	while (count)
		*to++ = digits[--count];
	*to = '\0';
}

static const char *place_name(const struct dt_run_place *place)
{
	return place->name ? place->name : place->made;
}

enum dt_err dt_run_place(struct dt_run *run, const char *name, uint64_t *pc)
{
	char made[sizeof run->places.at->made] = "";
	uint32_t at = 0;

	if (!name)
		name_line(made, run->line);
	while (at < run->places.count && strcmp(place_name(&run->places.at[at]), name ? name : made) != 0)
		at++;
	if (at == PLACES_MAX)
		return dt_run_refuse(run, "too many places", NULL);
	if (at == run->places.count) {
		struct dt_run_place *place = dt_vec_push(&run->places, run->alloc);
		if (!place)
			return DT_ERR_NOMEM;
		place->name = name;
		memcpy(place->made, made, sizeof made);
	}
	/* A return address: the call is before it. */
	*pc = code_start + at * (uint64_t)PLACE_BYTES + PLACE_BYTES / 2;
	return DT_OK;
}

const char *dt_run_place_name(const struct dt_run *run, uint64_t pc)
{
	uint64_t at = (pc - code_start) / PLACE_BYTES;

	return pc >= code_start && at < run->places.count ? place_name(&run->places.at[at]) : NULL;
}

enum dt_err dt_run_stack(struct dt_run *run, const uint64_t *pc, uint32_t count, uint32_t *stack)
{
	for (*stack = 1; *stack <= run->stacks.count; ++*stack) {
		const struct dt_run_stack *s = &run->stacks.at[*stack - 1];
		if (s->count == count && memcmp(s->pc, pc, count * sizeof *pc) == 0)
			return DT_OK;
	}
	struct dt_run_stack *s = dt_vec_push(&run->stacks, run->alloc);
	if (!s)
		return DT_ERR_NOMEM;
	s->pc = run->alloc->resize(run->alloc, NULL, 0, count * sizeof *pc);
	if (!s->pc)
		return DT_ERR_NOMEM;
	memcpy(s->pc, pc, count * sizeof *pc);
	s->count = count;
	return DT_OK;
}

enum dt_err dt_run_use_stack(struct dt_run *run, uint32_t stack)
{
	struct dt_run_stack *s = stack ? &run->stacks.at[stack - 1] : NULL;

	if (!s || s->logged)
		return DT_OK;
	s->logged = true;
	struct dt_rec_stack rec = {
	    .head = {.type = DT_REC_STACK},
	    .id = stack,
	    .count = (uint16_t)s->count,
	    .exact = (uint16_t)s->count,
	};
	return dt_log_buffer_add(&run->log, &rec, sizeof rec, s->pc, s->count * sizeof *s->pc);
}
