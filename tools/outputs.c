/* Files are told apart by device and inode, so that two names of one file are found too; terminals and
 * pipes can take many reports one after the other. */
#include "outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena.h"
#include "say.h"

void outputs_add(struct outputs *outputs, const struct emitter *emitter, const char *path)
{
	outputs->list = must_realloc(outputs->list, outputs->count + 1, sizeof(*outputs->list));
	outputs->list[outputs->count++] = (struct output){.emitter = emitter, .path = path};
}

static bool close_file(struct output *output)
{
	FILE *file = output->file;

	output->file = NULL;
	return !file || (file == stdout ? fflush(file) : fclose(file)) == 0;
}

void outputs_close(struct outputs *outputs)
{
	for (size_t i = 0; i < outputs->count; i++)
		close_file(&outputs->list[i]);
	free(outputs->list);
	*outputs = (struct outputs){0};
}

FILE *outputs_open_file(const char *path)
{
	if (strcmp(path, "-") == 0)
		return stdout;
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
	return fd < 0 ? NULL : fdopen(fd, "w");
}

bool outputs_empty_file(FILE *file)
{
	struct stat st;

	if (file == stdout || file == stderr || fstat(fileno(file), &st) || !S_ISREG(st.st_mode))
		return true;
	return ftruncate(fileno(file), 0) == 0;
}

static bool is_same_file(FILE *left, FILE *right)
{
	struct stat a, b;

	if (left == right) /* stdout: one after the other */
		return false;
	return fstat(fileno(left), &a) == 0 && fstat(fileno(right), &b) == 0 && S_ISREG(a.st_mode) &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

char *outputs_open(struct outputs *outputs, FILE *main)
{
	for (size_t i = 0; i < outputs->count; i++) {
		struct output *output = &outputs->list[i];

		output->file = outputs_open_file(output->path);
		if (!output->file)
			return must_printf("--format=%s: %s: %s", output->emitter->name, output->path,
			                   strerror(errno));
		bool shared = is_same_file(output->file, main);
		for (size_t j = 0; j < i; j++)
			shared = shared || is_same_file(output->file, outputs->list[j].file);
		if (shared)
			return must_printf("--format=%s: %s: another report goes there already",
			                   output->emitter->name, output->path);
	}
	return NULL;
}

bool outputs_write(struct outputs *outputs, const struct emit *like)
{
	bool all = true;

	for (size_t i = 0; i < outputs->count; i++) {
		struct output *output = &outputs->list[i];
		struct emit emit = *like;

		emit.out = output->file;
		emit.colour = false;
		bool written = outputs_empty_file(output->file) && emit_report(output->emitter, &emit);
		if (!close_file(output) || !written) {
			say("--format=%s: %s: %s", output->emitter->name, output->path, strerror(errno));
			all = false;
		}
	}
	return all;
}
