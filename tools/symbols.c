/* symbols.c: files and strings.
 *
 * Each file is reported to libdwfl at base 0, so addresses are link-time ones and one opened file
 * serves all processes and load addresses. libdwfl's own callbacks find separate debug files (by build
 * id, by .gnu_debuglink, dwz's and .dwo files). They ask a debuginfod server only when the
 * user's DEBUGINFOD_URLS names one. */
#include "symbols_file.h"

#include <dwarf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"
#include "symbols_data.h"
#include "symbols_frames.h"
#include "symbols_names.h"

/* Beyond it a mangled name is taken as it is: what it would stand for is for nobody to read. */
enum { MANGLED_MAX = 16384 };

/* libstdc++'s, part of the C++ ABI. */
char *__cxa_demangle(const char *mangled, char *buffer, size_t *length, int *status);

struct sym_kept {
	UT_hash_handle hh;
	char text[];
};

static char *debug_path; /* NULL: libdwfl's default, :.debug:/usr/lib/debug */

static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = dwfl_standard_find_debuginfo,
    .debuginfo_path = &debug_path,
};

static void *must(void *block)
{
	if (!block)
		say_out_of_memory();
	return block;
}

struct symbols *symbols_open(void)
{
	return must(calloc(1, sizeof(struct symbols)));
}

const char *symbols_keep(struct symbols *symbols, const char *text)
{
	struct sym_kept *known;
	size_t length = strlen(text);

	HASH_FIND(hh, symbols->kept, text, length, known);
	if (!known) {
		known = must(malloc(sizeof(*known) + length + 1));
		memcpy(known->text, text, length + 1);
		HASH_ADD_KEYPTR(hh, symbols->kept, known->text, length, known);
	}
	return known->text;
}

static void warn(struct symbols *symbols, const char *path, const char *what)
{
	char *line = NULL;

	if (asprintf(&line, "%s: %s", path, what) < 0)
		say_out_of_memory();
	symbols->warnings =
	    must(reallocarray(symbols->warnings, symbols->warning_count + 1, sizeof(*symbols->warnings)));
	symbols->warnings[symbols->warning_count++] = symbols_keep(symbols, line);
	free(line);
}

const char *symbols_warning(struct symbols *symbols, size_t index)
{
	return index < symbols->warning_count ? symbols->warnings[index] : NULL;
}

static void free_file(struct sym_file *file)
{
	symbols_named_free(file);
	data_free(file);
	units_free(file);
	if (file->dwfl)
		dwfl_end(file->dwfl);
	free(file->path);
	free(file->build_id);
	free(file);
}

void symbols_close(struct symbols *symbols)
{
	struct sym_file *file, *next_file;
	struct sym_kept *kept, *next_kept;

	if (!symbols)
		return;
	frames_free(symbols);
	HASH_ITER(hh, symbols->files, file, next_file)
	{
		HASH_DEL(symbols->files, file);
		while (file) {
			struct sym_file *other = file->same_path;
			free_file(file);
			file = other;
		}
	}
	HASH_ITER(hh, symbols->kept, kept, next_kept)
	{
		HASH_DEL(symbols->kept, kept);
		free(kept);
	}
	free(symbols->warnings);
	free(symbols);
}

/* ---- Files. ---- */

static bool same_build_id(const struct sym_file *file, const unsigned char *bits, uint32_t bytes)
{
	return bytes == file->build_id_bytes && (!bytes || memcmp(bits, file->build_id, bytes) == 0);
}

/* Without a recorded build id there is nothing to compare. */
static bool same_build(const struct sym_file *file, Dwfl_Module *module)
{
	const unsigned char *bits = NULL;
	GElf_Addr where;
	int bytes = dwfl_module_build_id(module, &bits, &where);

	return !file->build_id_bytes || (bytes > 0 && same_build_id(file, bits, (uint32_t)bytes));
}

/* A regular file only: of a pipe's or a device's reading there may be no end. -1: can't, and said. */
static int open_regular(struct symbols *symbols, const char *path)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &status) != 0) {
		warn(symbols, path, strerror(errno));
	} else if (!S_ISREG(status.st_mode)) {
		warn(symbols, path, "not a regular file");
	} else {
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

static void open_dwfl(struct symbols *symbols, struct sym_file *file)
{
	int fd = open_regular(symbols, file->path);

	if (fd < 0)
		return;
	file->dwfl = must(dwfl_begin(&callbacks));
	dwfl_report_begin(file->dwfl);
	Dwfl_Module *module = dwfl_report_elf(file->dwfl, file->path, file->path, fd, 0, true);
	if (!module) {
		warn(symbols, file->path, dwfl_errmsg(-1));
		close(fd); /* else it is the module's */
	}
	dwfl_report_end(file->dwfl, NULL, NULL);
	if (!module)
		return;
	if (!same_build(file, module)) {
		warn(symbols, file->path, "built anew since it ran: no lines for it");
		return;
	}
	file->module = module;
	file->dwarf = dwfl_module_getdwarf(module, &file->dwarf_bias);
}

/* The kernel's own is in none. */
static bool has_file(const char *path)
{
	return *path == '/';
}

static struct sym_file *new_file(struct symbols *symbols, const struct dt_module *module)
{
	struct sym_file *file = must(calloc(1, sizeof(*file)));

	file->symbols = symbols;
	file->path = must(strdup(module->path));
	file->build_id_bytes = module->build_id_bytes;
	if (module->build_id_bytes) {
		file->build_id = must(malloc(module->build_id_bytes));
		memcpy(file->build_id, module->build_id, module->build_id_bytes);
	}
	if (has_file(file->path))
		open_dwfl(symbols, file);
	return file;
}

struct sym_file *symbols_file(struct symbols *symbols, const struct dt_module *module)
{
	struct sym_file *first, *file;

	HASH_FIND_STR(symbols->files, module->path, first);
	for (file = first; file; file = file->same_path)
		if (same_build_id(file, module->build_id, module->build_id_bytes))
			return file;
	file = new_file(symbols, module);
	if (first) {
		file->same_path = first->same_path;
		first->same_path = file;
	} else {
		HASH_ADD_KEYPTR(hh, symbols->files, file->path, strlen(file->path), file);
	}
	return file;
}

/* ---- Strings. ---- */

const char *symbols_demangled(struct symbols *symbols, const char *name)
{
	bool mangled = strncmp(name, "_Z", 2) == 0 && strnlen(name, MANGLED_MAX) < MANGLED_MAX;
	int status;
	char *plain = mangled ? __cxa_demangle(name, NULL, NULL, &status) : NULL;
	const char *kept = symbols_keep(symbols, plain ? plain : name);

	free(plain);
	return kept;
}

/* Fold "." and ".." ("./src/../x.c" and "x.c" are one file), in place: it only gets shorter. */
static void normalise(char *path)
{
	bool absolute = *path == '/';
	char *begin = path + absolute, *to = begin, *from = begin;

	while (*from) {
		size_t length = strcspn(from, "/");
		char *last = to; /* the part before, if there is one */
		while (last > begin && last[-1] != '/')
			last--;
		bool above = to > begin && !(to - last == 2 && memcmp(last, "..", 2) == 0);
		if (length == 2 && memcmp(from, "..", 2) == 0 && (above || absolute)) {
			to = last > begin ? last - 1 : begin;
		} else if (length && !(length == 1 && *from == '.')) {
			if (to > begin)
				*to++ = '/';
			memmove(to, from, length);
			to += length;
		}
		from += length;
		from += *from == '/';
	}
	*to = '\0';
}

/* libdw joins the folder of compilation to the paths of DWARF 4, but of DWARF 5 leaves them relative to it
 * ("../src/x.c" of Meson), or joins it when the file lies right in it. */
static const char *unit_folder(Dwarf_Die *unit, const char *path)
{
	Dwarf_Attribute attribute;
	const char *folder = NULL;

	if (*path != '/' && dwarf_attr(unit, DW_AT_comp_dir, &attribute))
		folder = dwarf_formstring(&attribute);
	size_t length = folder ? strlen(folder) : 0;
	return length && !(strncmp(path, folder, length) == 0 && path[length] == '/') ? folder : NULL;
}

const char *symbols_keep_path(struct symbols *symbols, Dwarf_Die *unit, const char *path)
{
	if (!path)
		return NULL;
	const char *folder = unit_folder(unit, path);
	size_t room = (folder ? strlen(folder) + 1 : 0) + strlen(path) + 1;
	char *copy = must(malloc(room));
	snprintf(copy, room, "%s%s%s", folder ? folder : "", folder ? "/" : "", path);
	normalise(copy);
	const char *kept = symbols_keep(symbols, copy);
	free(copy);
	return kept;
}

/* Of the unit that the attribute was written in. From DWARF 5 on file 0 is one too. */
const char *symbols_path_of(struct symbols *symbols, Dwarf_Attribute *file)
{
	Dwarf_Half version;
	Dwarf_Die unit;
	Dwarf_Files *files;
	Dwarf_Word index;
	size_t count;

	if (dwarf_formudata(file, &index) != 0 ||
	    dwarf_cu_info(file->cu, &version, NULL, &unit, NULL, NULL, NULL, NULL) != 0 ||
	    (version < 5 && !index) || dwarf_getsrcfiles(&unit, &files, &count) != 0 || index >= count)
		return NULL;
	return symbols_keep_path(symbols, &unit, dwarf_filesrc(files, index, NULL, NULL));
}
