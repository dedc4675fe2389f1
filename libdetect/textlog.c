/* textlog.c: a text into lines, lines into words, and what was made of them back to its names. */
#include "textlog.h"

#include "textlog_run.h"

struct expect {
	const char *text;
	uint32_t line;
};

struct dt_textlog {
	struct dt_run run;
	char *text; /* a copy, cut into words */
	size_t text_bytes;
	DT_VEC(struct expect) expects;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static enum dt_err cut(struct dt_run *run, char *line, struct dt_run_words *words)
{
	words->count = 0;
	for (char *at = line;;) {
		while (is_blank(*at))
			at++;
		if (!*at)
			return DT_OK;
		if (words->count == DT_RUN_WORDS_MAX)
			return dt_run_refuse(run, "too many words", NULL);
		words->at[words->count++] = at;
		while (*at && !is_blank(*at))
			at++;
		if (*at)
			*at++ = '\0';
	}
}

/* `expect` and what comes behind it, kept whole. */
static enum dt_err keep_expect(struct dt_textlog *textlog, char *text)
{
	size_t length = strlen(text);
	struct expect *expect = dt_vec_push(&textlog->expects, textlog->run.alloc);

	if (!expect)
		return DT_ERR_NOMEM;
	while (length && is_blank(text[length - 1]))
		text[--length] = '\0';
	while (is_blank(*text))
		text++;
	*expect = (struct expect){text, textlog->run.line};
	return DT_OK;
}

static enum dt_err read_line(struct dt_textlog *textlog, char *line)
{
	static const char expect[] = "expect";
	struct dt_run *run = &textlog->run;
	struct dt_run_words words;
	char *comment = strchr(line, '#');

	if (comment)
		*comment = '\0';
	while (is_blank(*line))
		line++;
	if (strncmp(line, expect, sizeof expect - 1) == 0 &&
	    (is_blank(line[sizeof expect - 1]) || !line[sizeof expect - 1]))
		return keep_expect(textlog, line + sizeof expect - 1);
	enum dt_err err = cut(run, line, &words);
	return err || !words.count ? err : dt_run_read(run, &words);
}

static enum dt_err read_lines(struct dt_textlog *textlog)
{
	char *line = textlog->text, *end = textlog->text + textlog->text_bytes - 1;
	enum dt_err err = DT_OK;

	while (!err && line < end) {
		char *next = memchr(line, '\n', (size_t)(end - line));
		next = next ? next : end;
		*next = '\0';
		textlog->run.line++;
		if (strlen(line) != (size_t)(next - line))
			return dt_run_refuse(&textlog->run, "a zero byte", NULL);
		err = read_line(textlog, line);
		line = next + 1;
	}
	return err;
}

enum dt_err dt_textlog_read(struct dt_textlog **out, struct dt_alloc *alloc, const char *text,
                            size_t text_bytes, struct dt_textlog_error *error)
{
	struct dt_textlog *textlog = alloc->resize(alloc, NULL, 0, sizeof *textlog);

	*out = NULL;
	if (!textlog)
		return DT_ERR_NOMEM;
	memset(textlog, 0, sizeof *textlog);
	enum dt_err err = dt_run_init(&textlog->run, alloc, error);
	textlog->text = err ? NULL : alloc->resize(alloc, NULL, 0, text_bytes + 1);
	if (!textlog->text) {
		dt_textlog_free(textlog);
		return DT_ERR_NOMEM;
	}
	textlog->text_bytes = text_bytes + 1;
	memcpy(textlog->text, text, text_bytes);
	textlog->text[text_bytes] = '\0';
	err = read_lines(textlog);
	if (err)
		dt_textlog_free(textlog);
	else
		*out = textlog;
	return err;
}

void dt_textlog_free(struct dt_textlog *textlog)
{
	if (!textlog)
		return;
	struct dt_alloc *alloc = textlog->run.alloc;
	dt_run_fini(&textlog->run);
	dt_vec_fini(&textlog->expects, alloc);
	if (textlog->text)
		alloc->resize(alloc, textlog->text, textlog->text_bytes, 0);
	alloc->resize(alloc, textlog, sizeof *textlog, 0);
}

const void *dt_textlog_bytes(const struct dt_textlog *textlog, size_t *size_bytes)
{
	*size_bytes = textlog->run.log.size_bytes;
	return textlog->run.log.bytes;
}

const char *dt_textlog_expect(const struct dt_textlog *textlog, uint32_t index, uint32_t *line)
{
	if (index >= textlog->expects.count)
		return NULL;
	if (line)
		*line = textlog->expects.at[index].line;
	return textlog->expects.at[index].text;
}

const char *dt_textlog_place_name(const struct dt_textlog *textlog, uint64_t pc)
{
	return dt_run_place_name(&textlog->run, pc);
}

const char *dt_textlog_lock_name(const struct dt_textlog *textlog, uint32_t id)
{
	const struct dt_run *run = &textlog->run;

	return id - 1 < run->object_of_id.count ? run->objects.at[run->object_of_id.at[id - 1]].name : NULL;
}

const char *dt_textlog_thread_name(const struct dt_textlog *textlog, uint32_t id)
{
	return id - 1 < textlog->run.threads.count ? textlog->run.threads.at[id - 1].name : NULL;
}

uint32_t dt_textlog_lock_id(const struct dt_textlog *textlog, const char *name)
{
	const struct dt_run *run = &textlog->run;

	for (uint32_t id = run->object_of_id.count; id; id--)
		if (strcmp(run->objects.at[run->object_of_id.at[id - 1]].name, name) == 0)
			return id;
	return 0;
}

uint32_t dt_textlog_thread_id(const struct dt_textlog *textlog, const char *name)
{
	uint32_t thread = dt_run_find_thread(&textlog->run, name);

	return thread == DT_NOBODY ? 0 : thread + 1;
}
