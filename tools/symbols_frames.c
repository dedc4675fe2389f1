/* symbols_frames.c: the source frames of an address, as eu-addr2line -i has them: the line table gives
 * the innermost place, each inlined call its caller's. Every place is worked out once. */
#include "symbols_frames.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "symbols_names.h"
#include "symbols_walk.h"

enum { FRAMES_MAX = 64 };

struct sym_place {
	UT_hash_handle hh;
	struct place_key {
		const struct sym_file *file;
		uint64_t offset;
	} key;
	size_t count;
	struct sym_frame frames[];
};

static bool has_code(Dwarf_Die *die)
{
	return dwarf_hasattr(die, DW_AT_low_pc) || dwarf_hasattr(die, DW_AT_ranges);
}

/* Blocks without ranges of their own are searched too: what is in them may have some. */
static size_t scopes_below(struct walk *walk, Dwarf_Die *parent, Dwarf_Addr address, Dwarf_Die *scopes,
                           size_t count)
{
	Dwarf_Die die;

	if (count == SCOPES_MAX || !walk_child(walk, parent, &die))
		return count;
	do {
		int tag = dwarf_tag(&die);
		if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_lexical_block)
			continue;
		if (dwarf_haspc(&die, address) > 0) {
			scopes[count] = die;
			return scopes_below(walk, &die, address, scopes, count + 1);
		}
		if (tag == DW_TAG_lexical_block && !has_code(&die)) {
			scopes[count] = die;
			size_t deeper = scopes_below(walk, &die, address, scopes, count + 1);
			if (deeper > count + 1)
				return deeper;
		}
	} while (walk_next(walk, &die));
	return count;
}

size_t frames_scopes(struct sym_file *file, uint64_t address, Dwarf_Die *scopes, struct sym_unit **found)
{
	struct walk walk = {0};
	uint64_t at = address - file->dwarf_bias;
	struct sym_unit *unit = file->dwarf ? units_at(file, at) : NULL;
	Dwarf_Die *function = unit ? units_function_at(unit, at) : NULL;

	if (found)
		*found = unit;
	if (!function)
		return 0;
	scopes[0] = *function;
	return scopes_below(&walk, function, at, scopes, 1);
}

static unsigned constant(Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;

	return dwarf_attr(die, name, &attribute) && dwarf_formudata(&attribute, &value) == 0 ? (unsigned)value
	                                                                                     : 0;
}

static void line_at(struct sym_file *file, struct sym_unit *unit, uint64_t address, struct sym_frame *frame)
{
	Dwarf_Line *line = dwarf_getsrc_die(&unit->skeleton, address - file->dwarf_bias);
	int number = 0, column = 0;

	if (!line)
		return;
	dwarf_lineno(line, &number);
	dwarf_linecol(line, &column);
	frame->file = symbols_keep_path(file->symbols, &unit->skeleton, dwarf_linesrc(line, NULL, NULL));
	frame->line = (unsigned)number;
	frame->column = (unsigned)column;
}

/* The place that an inlined instance was called from. */
static void call_site(struct symbols *symbols, Dwarf_Die *inlined, struct sym_frame *caller)
{
	Dwarf_Attribute file;

	caller->line = constant(inlined, DW_AT_call_line);
	caller->column = constant(inlined, DW_AT_call_column);
	if (dwarf_attr(inlined, DW_AT_call_file, &file))
		caller->file = symbols_path_of(symbols, &file);
}

static const char *symbol_name(struct sym_file *file, uint64_t address)
{
	const char *name = file->module ? dwfl_module_addrname(file->module, address) : NULL;

	return name ? symbols_demangled(file->symbols, name) : NULL;
}

static size_t work_out(struct sym_file *file, uint64_t address, struct sym_frame *out)
{
	Dwarf_Die scopes[SCOPES_MAX];
	struct sym_unit *unit = NULL;
	size_t count = 0;

	for (size_t i = frames_scopes(file, address, scopes, &unit); i-- > 0 && count < FRAMES_MAX - 1;) {
		if (!walk_is_function(&scopes[i]))
			continue;
		out[count].function = symbols_die_name(file->symbols, &scopes[i]);
		if (i > 0) {
			out[count].inlined = true;
			call_site(file->symbols, &scopes[i], &out[count + 1]);
		}
		count++;
	}
	if (unit)
		line_at(file, unit, address, &out[0]);
	/* Assembly has lines but no functions; without debug information there is only the symbol. */
	if (!count)
		count = 1;
	if (!out[count - 1].function)
		out[count - 1].function = symbol_name(file, address);
	return count;
}

static struct sym_place *add_place(struct symbols *symbols, struct sym_file *file,
                                   const struct place_key *key)
{
	struct sym_frame frames[FRAMES_MAX] = {{0}};
	size_t count = work_out(file, key->offset, frames);
	const char *base = strrchr(file->path, '/');
	struct sym_place *place = calloc(1, sizeof(*place) + count * sizeof(*frames));

	if (!place)
		say_out_of_memory();
	place->key = *key;
	place->count = count;
	for (size_t i = 0; i < count; i++)
		frames[i].module = base ? base + 1 : file->path;
	memcpy(place->frames, frames, count * sizeof(*frames));
	HASH_ADD(hh, symbols->places, key, sizeof(place->key), place);
	return place;
}

size_t symbols_frames(struct symbols *symbols, const struct dt_module *module, uint64_t pc,
                      bool is_return_address, struct sym_frame *out, size_t max)
{
	struct sym_file *file = symbols_file(symbols, module);
	struct place_key key;
	struct sym_place *place;

	memset(&key, 0, sizeof(key));
	key.file = file;
	key.offset = pc - module->bias - is_return_address;
	HASH_FIND(hh, symbols->places, &key, sizeof(key), place);
	if (!place)
		place = add_place(symbols, file, &key);
	size_t count = place->count < max ? place->count : max;
	for (size_t i = 0; i < count; i++) {
		out[i] = place->frames[i];
		out[i].offset = pc - module->bias;
	}
	return count;
}

void frames_free(struct symbols *symbols)
{
	struct sym_place *place, *next;

	HASH_ITER(hh, symbols->places, place, next)
	{
		HASH_DEL(symbols->places, place);
		free(place);
	}
}
