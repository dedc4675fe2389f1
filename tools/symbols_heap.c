/* symbols_heap.c: what a heap block is, by the function that made it: the one struct of the block's size
 * among the types that the function's variables, parameters, result and template arguments name. */
#include "symbols_file.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "symbols_frames.h"
#include "symbols_names.h"
#include "symbols_types.h"
#include "symbols_walk.h"

enum { POINTERS_MAX = 2, STEPS_MAX = 32 }; /* `struct cache **out` is a way to return one */

struct guess {
	struct sym_file *file;
	uint64_t bytes;
	Dwarf_Die type;
	const char *name; /* NULL: none yet */
	bool ambiguous;
};

/* A struct without a tag is called by its last typedef. */
static void consider(struct guess *guess, const Dwarf_Die *start)
{
	Dwarf_Die type = *start;
	const char *alias = NULL;

	for (int i = 0; i < STEPS_MAX; i++) {
		if (dwarf_tag(&type) == DW_TAG_typedef)
			alias = dwarf_diename(&type);
		if (!types_step(&type))
			break;
	}
	types_complete(guess->file, &type);
	if (!walk_is_struct(&type) || types_size(guess->file, &type) != guess->bytes)
		return;
	const char *name = dwarf_diename(&type) ? symbols_die_name(guess->file->symbols, &type) : alias;
	if (!name)
		return;
	if (guess->name && strcmp(guess->name, name) != 0)
		guess->ambiguous = true;
	guess->type = type;
	guess->name = name;
}

static void consider_pointed(struct guess *guess, Dwarf_Die *typed)
{
	Dwarf_Die type;

	if (!walk_reference(typed, DW_AT_type, &type))
		return;
	for (int pointers = 0; pointers < POINTERS_MAX; pointers++) {
		for (int i = 0; i < STEPS_MAX && types_step(&type); i++)
			;
		int tag = dwarf_tag(&type);
		if ((tag != DW_TAG_pointer_type && tag != DW_TAG_reference_type) ||
		    !walk_reference(&type, DW_AT_type, &type))
			return;
		consider(guess, &type);
	}
}

static void consider_scope(struct guess *guess, struct walk *walk, Dwarf_Die *scope, int depth)
{
	Dwarf_Die die, type;

	if (depth > WALK_DEPTH_MAX || !walk_child(walk, scope, &die))
		return;
	do {
		switch (dwarf_tag(&die)) {
		case DW_TAG_variable:
		case DW_TAG_formal_parameter:
			consider_pointed(guess, &die);
			break;
		case DW_TAG_template_type_parameter:
			if (walk_reference(&die, DW_AT_type, &type))
				consider(guess, &type);
			break;
		case DW_TAG_lexical_block:
			consider_scope(guess, walk, &die, depth + 1);
			break;
		default:
			break;
		}
	} while (walk_next(walk, &die));
}

/* The instance may have lost variables that its origin has. */
static void consider_function(struct guess *guess, Dwarf_Die *function)
{
	struct walk walk = {0}, origin_walk = {0};
	Dwarf_Die origin;

	consider_pointed(guess, function);
	consider_scope(guess, &walk, function, 0);
	walk_origin(function, &origin);
	if (origin.addr != function->addr)
		consider_scope(guess, &origin_walk, &origin, 0);
}

const char *symbols_heap_member(struct symbols *symbols, const struct dt_module *module, uint64_t pc,
                                uint64_t block_bytes, uint64_t offset, uint64_t bytes)
{
	struct sym_file *file = symbols_file(symbols, module);
	struct guess guess = {.file = file, .bytes = block_bytes};
	Dwarf_Die scopes[SCOPES_MAX];
	char *text = NULL;
	size_t length;

	if (!block_bytes || offset >= block_bytes)
		return NULL;
	/* Outwards through what was inlined, until one function knows. */
	size_t count = frames_scopes(file, pc - module->bias - 1, scopes, NULL);
	for (size_t i = count; i-- > 0 && !guess.name;)
		if (walk_is_function(&scopes[i]))
			consider_function(&guess, &scopes[i]);
	if (!guess.name || guess.ambiguous || !types_has_room(file, &guess.type, offset, bytes))
		return NULL;
	FILE *out = open_memstream(&text, &length);
	if (!out)
		say_out_of_memory();
	fputs(guess.name, out);
	types_print_path(out, file, &guess.type, offset);
	if (fclose(out) != 0)
		say_out_of_memory();
	const char *kept = symbols_keep(symbols, text);
	free(text);
	return kept;
}
