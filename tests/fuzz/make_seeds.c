/* Where the log reader's fuzzer starts from: the logs that text logs make, each with the records that no
 * text log makes behind it.
 *
 *   make_seeds FOLDER TEXT_LOG... */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log_write.h"
#include "textlog.h"

enum { TEXT_MAX = 1 << 18 };

static void put(struct dt_log_buffer *log, uint16_t type, void *rec, size_t bytes, const char *rest,
                size_t rest_bytes)
{
	((struct dt_rec *)rec)->type = type;
	if (dt_log_buffer_add(log, rec, bytes, rest, rest_bytes) != DT_OK)
		abort();
}

static void copy_records(struct dt_log_buffer *log, const struct dt_textlog *text)
{
	size_t size;
	const unsigned char *bytes = dt_textlog_bytes(text, &size);

	for (size_t at = DT_LOG_HEADER_BYTES; at < size;) {
		const struct dt_rec *rec = (const void *)(bytes + at);
		size_t rec_bytes = rec->words * (size_t)8;
		if (dt_log_buffer_add(log, rec, rec_bytes, NULL, 0) != DT_OK)
			abort();
		at += rec_bytes;
	}
}

static void put_other_records(struct dt_log_buffer *log)
{
	struct dt_rec_module module = {
	    .id = 2, .path_bytes = 6, .build_id_bytes = 4, .bias = 4096, .start = 4096, .end = 8192};
	struct dt_rec_id end = {.id = 2};
	struct dt_rec_exit ended = {.status = 3};
	struct dt_rec replaced, unfinished;

	put(log, DT_REC_MODULE, &module, sizeof module, "/bank\0abcd", 10);
	put(log, DT_REC_MODULE_END, &end, sizeof end, NULL, 0);
	put(log, DT_REC_RESERVED, &unfinished, sizeof unfinished, NULL, 0);
	put(log, DT_REC_EXIT, &ended, sizeof ended, NULL, 0);
	put(log, DT_REC_EXEC, &replaced, sizeof replaced, NULL, 0);
}

/* In front of the log the byte that says how to read it (fuzz_log_read.c). */
static int write_seed(const char *folder, int number, const struct dt_log_buffer *log)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/seed-%d", folder, number);
	FILE *out = fopen(path, "wb");
	if (!out || fputc(number % 16, out) == EOF ||
	    fwrite(log->bytes, 1, log->size_bytes, out) != log->size_bytes || fclose(out) != 0) {
		fprintf(stderr, "make_seeds: %s: %s\n", path, strerror(errno));
		return 1;
	}
	return 0;
}

static int make_seed(const char *folder, int number, const char *path)
{
	static char lines[TEXT_MAX];
	struct dt_textlog_error error = {0};
	struct dt_log_buffer log;
	struct dt_textlog *text;
	FILE *in = fopen(path, "r");

	if (!in) {
		fprintf(stderr, "make_seeds: %s: %s\n", path, strerror(errno));
		return 1;
	}
	size_t size = fread(lines, 1, sizeof lines, in);
	fclose(in);
	if (dt_textlog_read(&text, &dt_alloc_libc, lines, size, &error) != DT_OK) {
		fprintf(stderr, "make_seeds: %s:%u: %s\n", path, error.line, error.text);
		return 1;
	}
	if (dt_log_buffer_init(&log, &dt_alloc_libc) != DT_OK)
		abort();
	copy_records(&log, text);
	put_other_records(&log);
	int status = write_seed(folder, number, &log);
	dt_log_buffer_fini(&log);
	dt_textlog_free(text);
	return status;
}

int main(int argc, char **argv)
{
	int status = 0;

	if (argc < 3) {
		fprintf(stderr, "usage: make_seeds FOLDER TEXT_LOG...\n");
		return 2;
	}
	for (int i = 2; i < argc && !status; i++)
		status = make_seed(argv[1], i - 2, argv[i]);
	return status;
}
