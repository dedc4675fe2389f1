/* Lines that are wanted are kept as numbers, sorted at the end, so that each file is read once from its
 * beginning to the last line that is wanted. */
#include "excerpts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#include "safe.h"

enum {
	AROUND = 5,                     /* lines before and behind */
	LINE_BYTES = 500,               /* of one line */
	TOTAL_BYTES = 32 * 1024 * 1024, /* of all; what comes later has no lines */
};

struct excerpt_file {
	const char *name; /* key: as the frame has it */
	const char *path; /* as people know it */
	char *real;       /* to open */
	unsigned *lines;
	size_t count, room;
	int number;
	UT_hash_handle hh;
};

struct excerpts {
	struct source *source;
	struct arena *arena;
	struct excerpt_file *files; /* in order of their numbers */
	struct excerpt_file *next;
	bool begun;
	int count;
	size_t bytes;
};

struct excerpts *excerpts_open(struct source *source)
{
	struct excerpts *excerpts = must_realloc(NULL, 1, sizeof(*excerpts));

	*excerpts = (struct excerpts){.source = source, .arena = arena_new()};
	return excerpts;
}

void excerpts_close(struct excerpts *excerpts)
{
	for (struct excerpt_file *file = excerpts->files; file; file = file->hh.next)
		free(file->lines);
	HASH_CLEAR(hh, excerpts->files);
	arena_free(excerpts->arena);
	free(excerpts);
}

static bool ends_as_source(const char *path)
{
	static const char *const endings[] = {"c",   "h",   "cc",  "hh",  "cpp", "hpp", "cxx",
	                                      "hxx", "C",   "H",   "c++", "h++", "inl", "m",
	                                      "mm",  "ipp", "tcc", "def", "rs",  "S"};
	const char *dot = strrchr(model_base_name(path), '.');

	for (size_t i = 0; dot && i < sizeof(endings) / sizeof(*endings); i++)
		if (strcmp(dot + 1, endings[i]) == 0)
			return true;
	return false;
}

static struct excerpt_file *add_file(struct excerpts *excerpts, const struct spot *spot, const char *name)
{
	struct excerpt_file *file = arena_alloc(excerpts->arena, sizeof(*file));

	file->name = arena_copy(excerpts->arena, name);
	file->path = arena_copy(excerpts->arena, spot->path);
	file->number = excerpts->count++;
	if (spot->in_root)
		file->real =
		    arena_printf(excerpts->arena, "%s/%s", source_root(excerpts->source), spot->path);
	else
		file->real = arena_copy(excerpts->arena, spot->path);
	HASH_ADD_KEYPTR(hh, excerpts->files, file->name, strlen(file->name), file);
	return file;
}

int excerpts_want(struct excerpts *excerpts, const struct report_frame *frame)
{
	struct excerpt_file *file;
	struct spot spot;

	if (!frame->file || !frame->line || !source_frame_spot(excerpts->source, frame, &spot) ||
	    !spot.is_source || !ends_as_source(spot.path))
		return -1;
	HASH_FIND_STR(excerpts->files, frame->file, file);
	if (!file)
		file = add_file(excerpts, &spot, frame->file);
	if (file->count == file->room) {
		file->room = file->room ? 2 * file->room : 16;
		file->lines = must_realloc(file->lines, file->room, sizeof(*file->lines));
	}
	file->lines[file->count++] = frame->line;
	return file->number;
}

static int by_number(const void *a, const void *b)
{
	unsigned left = *(const unsigned *)a, right = *(const unsigned *)b;

	return (left > right) - (left < right);
}

/* A pipe or a device would wait or never end. */
static FILE *open_regular(const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	FILE *in = NULL;

	if (fd >= 0 && fstat(fd, st) == 0 && S_ISREG(st->st_mode))
		in = fdopen(fd, "r");
	if (!in && fd >= 0)
		close(fd);
	return in;
}

static void put_line(struct excerpts *excerpts, struct arena *arena, json_t *lines, unsigned number,
                     char *text, size_t length)
{
	char key[16];

	while (length && (text[length - 1] == '\n' || text[length - 1] == '\r'))
		length--;
	length = length > LINE_BYTES ? LINE_BYTES : length;
	text[length] = '\0';
	snprintf(key, sizeof(key), "%u", number);
	json_put(lines, key, json_text(arena, text));
	excerpts->bytes += length + 16;
}

/* `file->lines` is sorted. */
static void read_lines(struct excerpts *excerpts, struct arena *arena, const struct excerpt_file *file,
                       FILE *in, json_t *lines)
{
	char *text = NULL;
	size_t room = 0, at = 0;
	ssize_t length;

	for (unsigned number = 1; at < file->count && excerpts->bytes < TOTAL_BYTES; number++) {
		length = getline(&text, &room, in);
		if (length < 0)
			break;
		while (at < file->count && file->lines[at] + AROUND < number)
			at++;
		if (at < file->count && file->lines[at] <= number + AROUND)
			put_line(excerpts, arena, lines, number, text, (size_t)length);
	}
	free(text);
}

json_t *excerpts_next(struct excerpts *excerpts, uint64_t run_ns)
{
	struct excerpt_file *file = excerpts->begun ? excerpts->next : excerpts->files;
	struct arena *arena;
	struct stat st;

	excerpts->begun = true;
	if (!file)
		return NULL;
	excerpts->next = file->hh.next;
	arena = arena_new();
	json_t *object = json_object(), *lines = json_object();
	FILE *in = open_regular(file->real, &st);
	bool newer = false;
	if (in) {
		newer = run_ns && (uint64_t)st.st_mtim.tv_sec > run_ns / 1000000000u;
		qsort(file->lines, file->count, sizeof(*file->lines), by_number);
		read_lines(excerpts, arena, file, in, lines);
		fclose(in);
	}
	json_put(object, "path", json_text(arena, file->path));
	json_put(object, "newer", json_boolean(newer));
	json_put(object, "lines", lines);
	arena_free(arena);
	return object;
}
