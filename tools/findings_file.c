/* The outermost object is walked by hand, so that jansson sees one finding at a time. */
#include "findings_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena.h"
#include "mapped.h"

struct reader {
	const char *path, *start, *at, *end;
	bool has_format, has_findings;
	findings_file_visit *visit;
	void *context;
	size_t count;
};

static unsigned line_of(const struct reader *reader, const char *at)
{
	unsigned line = 1;

	for (const char *c = reader->start; c < at; c++)
		line += *c == '\n';
	return line;
}

static char *complain(const struct reader *reader, const char *what)
{
	return must_printf("%s:%u: %s", reader->path, line_of(reader, reader->at), what);
}

static void skip_space(struct reader *reader)
{
	while (reader->at < reader->end && strchr(" \t\r\n", *reader->at) && *reader->at)
		reader->at++;
}

static bool take(struct reader *reader, char wanted)
{
	skip_space(reader);
	if (reader->at == reader->end || *reader->at != wanted)
		return false;
	reader->at++;
	return true;
}

/* Any value. NULL, or what is wrong. */
static char *take_value(struct reader *reader, json_t **value)
{
	json_error_t error;

	skip_space(reader);
	*value = json_loadb(reader->at, (size_t)(reader->end - reader->at),
	                    JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY, &error);
	if (*value) {
		reader->at += error.position;
		return NULL;
	}
	return must_printf("%s:%u: %s", reader->path,
	                   line_of(reader, reader->at) + (error.line > 0 ? (unsigned)error.line - 1 : 0),
	                   error.text);
}

static char *take_finding(struct reader *reader)
{
	json_t *finding;
	char *why = take_value(reader, &finding);

	if (why)
		return why;
	const char *fingerprint = json_string_value(json_object_get(finding, "fingerprint"));
	reader->count++;
	if (fingerprint)
		reader->visit(reader->context, fingerprint, finding);
	else
		why = must_printf("%s: finding %zu has no fingerprint", reader->path, reader->count);
	json_decref(finding);
	return why;
}

static char *take_findings(struct reader *reader)
{
	reader->has_findings = true;
	if (!take(reader, '['))
		return complain(reader, "\"findings\" is no array");
	if (take(reader, ']'))
		return NULL;
	do {
		char *why = take_finding(reader);
		if (why)
			return why;
	} while (take(reader, ','));
	return take(reader, ']') ? NULL : complain(reader, "expected ',' or ']' after a finding");
}

static char *check_member(struct reader *reader, const char *key, const json_t *value)
{
	if (strcmp(key, "format") == 0) {
		const char *format = json_string_value(value);
		reader->has_format = format && strcmp(format, "libdetect-findings") == 0;
	} else if (strcmp(key, "version") == 0 && json_integer_value(value) != 1) {
		return must_printf("%s: a report of format version %lld, but this detect reads version 1",
		                   reader->path, (long long)json_integer_value(value));
	}
	return NULL;
}

static char *take_member(struct reader *reader)
{
	json_t *key, *value;
	char *why = take_value(reader, &key);

	if (why)
		return why;
	const char *name = json_string_value(key);
	if (!name)
		why = complain(reader, "expected a member's name");
	else if (!take(reader, ':'))
		why = complain(reader, "expected ':' after a member's name");
	else if (strcmp(name, "findings") == 0)
		why = take_findings(reader);
	else if (!(why = take_value(reader, &value))) {
		why = check_member(reader, name, value);
		json_decref(value);
	}
	json_decref(key);
	return why;
}

static char *take_report(struct reader *reader)
{
	char *why;

	if (!take(reader, '{'))
		return complain(reader, "not a libdetect JSON report: it begins with no '{'");
	if (!take(reader, '}')) {
		do {
			why = take_member(reader);
			if (why)
				return why;
		} while (take(reader, ','));
		if (!take(reader, '}'))
			return complain(reader, "expected ',' or '}'");
	}
	skip_space(reader);
	if (reader->at != reader->end)
		return complain(reader, "something follows the report's end");
	if (!reader->has_format)
		return must_printf("%s: not a libdetect JSON report (no \"format\": \"libdetect-findings\")",
		                   reader->path);
	return reader->has_findings ? NULL : must_printf("%s: a report without \"findings\"", reader->path);
}

/* What can't be mapped: a pipe. */
static char *slurp(const char *path, int fd, void **bytes, size_t *size)
{
	size_t room = 0;
	ssize_t got;

	*bytes = NULL;
	*size = 0;
	do {
		if (*size == room) {
			room = room ? 2 * room : 65536;
			*bytes = must_realloc(*bytes, room, 1);
		}
		got = read(fd, (char *)*bytes + *size, room - *size);
		if (got > 0)
			*size += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	if (got == 0)
		return NULL;
	free(*bytes);
	return must_printf("%s: %s", path, strerror(errno));
}

static char *open_bytes(const char *path, void **bytes, size_t *size, bool *is_mapped)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	char *why = NULL;

	if (fd < 0 || fstat(fd, &st) < 0) {
		why = must_printf("%s: %s", path, strerror(errno));
	} else if (S_ISREG(st.st_mode) && st.st_size > 0) {
		*is_mapped = true;
		*size = (size_t)st.st_size;
		*bytes = mapped_open(path, fd, *size, false);
		if (!*bytes)
			why = must_printf("%s: %s", path, strerror(errno));
	} else {
		*is_mapped = false;
		why = slurp(path, fd, bytes, size);
	}
	if (fd >= 0)
		close(fd);
	return why;
}

char *findings_file_read(const char *path, findings_file_visit *visit, void *context)
{
	void *bytes = NULL;
	size_t size = 0;
	bool is_mapped = false;
	char *why = open_bytes(path, &bytes, &size, &is_mapped);

	if (why)
		return why;
	struct reader reader = {
	    .path = path,
	    .start = bytes,
	    .at = bytes,
	    .end = (const char *)bytes + size,
	    .visit = visit,
	    .context = context,
	};
	why = take_report(&reader);
	if (is_mapped)
		mapped_close(bytes, size);
	else
		free(bytes);
	return why;
}
