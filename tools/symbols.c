/* symbols.c: files and frames.
 *
 * Each file is reported to libdwfl at base 0, so addresses are link-time ones and one opened file
 * serves all processes and load addresses. Inlined frames come from the concrete scope tree, as
 * eu-addr2line -i has them: the line table gives the innermost line, each inlined call its caller's. */
#include "symbols_file.h"

#include <dwarf.h>
#include <gelf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define uthash_fatal(message) abort()
#include <uthash.h>

#include "say.h"

enum { FRAMES_MAX = 64 };

/* libstdc++'s, part of the C++ ABI. */
char *__cxa_demangle(const char *mangled, char *buffer, size_t *length, int *status);

struct kept {
	UT_hash_handle hh;
	char text[];
};

struct known_place {
	UT_hash_handle hh;
	struct place_key {
		const struct sym_file *file;
		uint64_t offset;
	} key;
	size_t count;
	struct sym_frame frames[];
};

struct symbols {
	struct sym_file *files;
	struct kept *kept;
	struct known_place *places;
	const char **warnings;
	size_t warning_count;
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
		say_usage("out of memory");
	return block;
}

struct symbols *symbols_open(void)
{
	/* Never wait for a network server that the user did not ask for. */
	return must(calloc(1, sizeof(struct symbols)));
}

const char *symbols_keep(struct symbols *symbols, const char *text)
{
	struct kept *known;
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
		return;
	symbols->warnings = must(realloc(symbols->warnings, (symbols->warning_count + 1) * sizeof(*symbols->warnings)));
	symbols->warnings[symbols->warning_count++] = symbols_keep(symbols, line);
	free(line);
}

const char *symbols_warning(struct symbols *symbols, size_t index)
{
	return index < symbols->warning_count ? symbols->warnings[index] : NULL;
}

void symbols_close(struct symbols *symbols)
{
	struct kept *kept, *next_kept;
	struct known_place *place, *next_place;

	if (!symbols)
		return;
	while (symbols->files) {
		struct sym_file *file = symbols->files;
		symbols->files = file->next;
		symbols_variables_free(file);
		if (file->dwfl)
			dwfl_end(file->dwfl);
		free(file->path);
		free(file->build_id);
		free(file);
	}
	HASH_ITER(hh, symbols->places, place, next_place) {
		HASH_DEL(symbols->places, place);
		free(place);
	}
	HASH_ITER(hh, symbols->kept, kept, next_kept) {
		HASH_DEL(symbols->kept, kept);
		free(kept);
	}
	free(symbols->warnings);
	free(symbols);
}

static bool same_build(const struct sym_file *file, const unsigned char *bits, int bytes)
{
	return !file->build_id_bytes || ((uint32_t)bytes == file->build_id_bytes &&
	                                 memcmp(bits, file->build_id, file->build_id_bytes) == 0);
}

static void open_dwfl(struct symbols *symbols, struct sym_file *file)
{
	const unsigned char *bits;
	GElf_Addr where;

	if (access(file->path, R_OK) < 0) {
		warn(symbols, file->path, strerror(errno));
		return;
	}
	file->dwfl = dwfl_begin(&callbacks);
	if (!file->dwfl)
		return;
	dwfl_report_begin(file->dwfl);
	Dwfl_Module *module = dwfl_report_elf(file->dwfl, file->path, file->path, -1, 0, true);
	dwfl_report_end(file->dwfl, NULL, NULL);
	if (!module) {
		warn(symbols, file->path, dwfl_errmsg(-1));
		return;
	}
	if (!same_build(file, bits, dwfl_module_build_id(module, &bits, &where))) {
		warn(symbols, file->path, "built anew since it ran: no lines for it");
		return;
	}
	file->module = module;
	file->dwarf = dwfl_module_getdwarf(module, &file->dwarf_bias);
}

/* The kernel's own, which is in no file. */
static bool has_file(const char *path)
{
	return *path == '/';
}

struct sym_file *symbols_file(struct symbols *symbols, const struct dt_module *module)
{
	for (struct sym_file *file = symbols->files; file; file = file->next)
		if (strcmp(file->path, module->path) == 0 && file->build_id_bytes == module->build_id_bytes &&
		    memcmp(file->build_id, module->build_id, module->build_id_bytes) == 0)
			return file;
	struct sym_file *file = must(calloc(1, sizeof(*file)));
	file->path = must(strdup(module->path));
	file->build_id = must(malloc(module->build_id_bytes + 1));
	memcpy(file->build_id, module->build_id, module->build_id_bytes);
	file->build_id_bytes = module->build_id_bytes;
	file->next = symbols->files;
	symbols->files = file;
	if (has_file(file->path))
		open_dwfl(symbols, file);
	return file;
}

const char *symbols_demangled(struct symbols *symbols, const char *name)
{
	int status;
	char *plain = strncmp(name, "_Z", 2) == 0 ? __cxa_demangle(name, NULL, NULL, &status) : NULL;
	const char *kept = symbols_keep(symbols, plain ? plain : name);

	free(plain);
	return kept;
}

const char *symbols_die_name(struct symbols *symbols, Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	const char *linkage = NULL;

	if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) ||
	    dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute))
		linkage = dwarf_formstring(&attribute);
	const char *name = linkage ? linkage : dwarf_diename(die);
	return name ? symbols_demangled(symbols, name) : NULL;
}

/* clang writes no .debug_aranges by itself: then every unit is asked. */
bool symbols_unit_at(struct sym_file *file, uint64_t address, Dwarf_Die *unit)
{
	Dwarf_Addr bias;
	Dwarf_Die *found = dwfl_module_addrdie(file->module, address, &bias);

	if (found) {
		*unit = *found;
		return true;
	}
	found = NULL;
	while ((found = dwfl_module_nextcu(file->module, found, &bias))) {
		if (dwarf_haspc(found, address - bias) > 0) {
			*unit = *found;
			return true;
		}
	}
	return false;
}

/* "./src/../x.c" and "src/x.c" are one file: fold "." and "..". In place. */
static void normalise(char *path)
{
	char *parts[256], *to = path, *save;
	size_t count = 0;
	bool absolute = *path == '/';
	char *copy = must(strdup(path));

	for (char *part = strtok_r(copy, "/", &save); part && count < 256; part = strtok_r(NULL, "/", &save)) {
		if (strcmp(part, ".") == 0)
			continue;
		if (strcmp(part, "..") == 0 && count && strcmp(parts[count - 1], "..") != 0)
			count--;
		else
			parts[count++] = part;
	}
	if (absolute)
		*to++ = '/';
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(parts[i]);
		if (i)
			*to++ = '/';
		memcpy(to, parts[i], length);
		to += length;
	}
	*to = '\0';
	free(copy);
}

static const char *keep_file(struct symbols *symbols, const char *path)
{
	if (!path)
		return NULL;
	char *copy = must(strdup(path));
	normalise(copy);
	const char *kept = symbols_keep(symbols, copy);
	free(copy);
	return kept;
}

/* By the unit itself: without .debug_aranges libdwfl would not find its line table. */
static void line_at(struct symbols *symbols, struct sym_file *file, Dwarf_Die *unit, uint64_t address,
                    struct sym_frame *frame)
{
	Dwarf_Line *line = dwarf_getsrc_die(unit, address - file->dwarf_bias);
	int number = 0, column = 0;

	if (!line)
		return;
	dwarf_lineno(line, &number);
	dwarf_linecol(line, &column);
	frame->file = keep_file(symbols, dwarf_linesrc(line, NULL, NULL));
	frame->line = (unsigned)number;
	frame->column = (unsigned)column;
}

static unsigned constant(Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;

	return dwarf_attr(die, name, &attribute) && dwarf_formudata(&attribute, &value) == 0 ? (unsigned)value : 0;
}

/* The place that an inlined instance was called from. */
static void call_site(struct symbols *symbols, Dwarf_Die *unit, Dwarf_Die *inlined, struct sym_frame *caller)
{
	Dwarf_Files *files;
	size_t count;
	unsigned index = constant(inlined, DW_AT_call_file);

	caller->line = constant(inlined, DW_AT_call_line);
	caller->column = constant(inlined, DW_AT_call_column);
	if (index && dwarf_getsrcfiles(unit, &files, &count) == 0 && index < count)
		caller->file = keep_file(symbols, dwarf_filesrc(files, index, NULL, NULL));
}

/* Frames from the debug information; 0: it has none here. */
static size_t dwarf_frames(struct symbols *symbols, struct sym_file *file, uint64_t address, struct sym_frame *out)
{
	Dwarf_Die unit, *scopes = NULL, *tree = NULL;
	size_t count = 0;

	if (!file->dwarf || !symbols_unit_at(file, address, &unit))
		return 0;
	int n = dwarf_getscopes(&unit, address - file->dwarf_bias, &scopes);
	int depth = n > 0 ? dwarf_getscopes_die(&scopes[0], &tree) : 0;
	for (int i = 0; i < depth && count < FRAMES_MAX - 1; i++) {
		int tag = dwarf_tag(&tree[i]);
		if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
			continue;
		out[count].function = symbols_die_name(symbols, &tree[i]);
		if (count == 0)
			line_at(symbols, file, &unit, address, &out[0]);
		if (tag == DW_TAG_subprogram) {
			count++;
			break;
		}
		out[count].inlined = true;
		call_site(symbols, &unit, &tree[i], &out[count + 1]);
		count++;
	}
	free(scopes);
	free(tree);
	return count;
}

static struct known_place *find_frames(struct symbols *symbols, struct sym_file *file, const struct place_key *key)
{
	struct sym_frame frames[FRAMES_MAX] = {{0}};
	size_t count = 0;

	if (file->module) {
		count = dwarf_frames(symbols, file, key->offset, frames);
		if (!count) {
			const char *name = dwfl_module_addrname(file->module, key->offset);
			frames[0].function = name ? symbols_demangled(symbols, name) : NULL;
			count = 1;
		}
	}
	count += !count;
	const char *base = strrchr(file->path, '/');
	struct known_place *place = must(calloc(1, sizeof(*place) + count * sizeof(*frames)));
	place->key = *key;
	place->count = count;
	for (size_t i = 0; i < count; i++)
		frames[i].module = base ? base + 1 : file->path;
	memcpy(place->frames, frames, count * sizeof(*frames));
	HASH_ADD(hh, symbols->places, key, sizeof(place->key), place);
	return place;
}

size_t symbols_frames(struct symbols *symbols, const struct dt_module *module, uint64_t pc, bool is_return_address,
                      struct sym_frame *out, size_t max)
{
	struct place_key key;
	struct known_place *place;

	memset(&key, 0, sizeof(key));
	key.file = symbols_file(symbols, module);
	key.offset = pc - module->bias - is_return_address;
	HASH_FIND(hh, symbols->places, &key, sizeof(key), place);
	if (!place)
		place = find_frames(symbols, (struct sym_file *)key.file, &key);
	size_t count = place->count < max ? place->count : max;
	for (size_t i = 0; i < count; i++) {
		out[i] = place->frames[i];
		out[i].offset = pc - module->bias;
	}
	return count;
}
