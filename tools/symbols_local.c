/* symbols_local.c: which variable of a call lies at a place of its frame. Locations are asked for at the call
 * that the function was at; a variable that lies in a register there is at no place. */
#include "symbols_file.h"

#include <dwarf.h>
#include <stdlib.h>

#include "say.h"
#include "symbols_frames.h"
#include "symbols_types.h"
#include "symbols_walk.h"

/* DWARF's numbers; a frame that rbp is for has it two words below the CFA. */
enum { RBP = 6, RSP = 7, RBP_BELOW_CFA = 16 };

struct search {
	struct sym_file *file;
	uint64_t pc;                         /* link-time, in the call instruction */
	int64_t offset, stack_pointer, base; /* from the CFA; base: what DW_OP_fbreg counts from */
	Dwarf_Die variable, type;
	int64_t start;
	unsigned found;
	bool found_here; /* in a scope that has code at pc */
};

static bool register_value(const struct search *search, unsigned reg, int64_t *value)
{
	*value = reg == RBP ? -RBP_BELOW_CFA : search->stack_pointer;
	return reg == RBP || reg == RSP;
}

static bool frame_base(struct search *search, Dwarf_Die *function)
{
	Dwarf_Attribute attribute;
	Dwarf_Op *ops;
	size_t count;

	if (!dwarf_attr_integrate(function, DW_AT_frame_base, &attribute) ||
	    dwarf_getlocation_addr(&attribute, search->pc, &ops, &count, 1) != 1 || count != 1)
		return false;
	if (ops[0].atom == DW_OP_call_frame_cfa) {
		search->base = 0;
		return true;
	}
	if (ops[0].atom >= DW_OP_reg0 && ops[0].atom <= DW_OP_reg31)
		return register_value(search, ops[0].atom - DW_OP_reg0, &search->base);
	return false;
}

static bool place_of(const struct search *search, Dwarf_Die *die, int64_t *start)
{
	Dwarf_Attribute attribute;
	Dwarf_Op *ops;
	size_t count;

	if (!dwarf_attr_integrate(die, DW_AT_location, &attribute) ||
	    dwarf_getlocation_addr(&attribute, search->pc, &ops, &count, 1) != 1 || count != 1)
		return false;
	if (ops[0].atom == DW_OP_fbreg)
		*start = search->base + (int64_t)ops[0].number;
	else if (ops[0].atom >= DW_OP_breg0 && ops[0].atom <= DW_OP_breg31 &&
	         register_value(search, ops[0].atom - DW_OP_breg0, start))
		*start += (int64_t)ops[0].number;
	else
		return false;
	return true;
}

/* Scopes that are never open together may share a place: the one that the function is in counts. */
static void consider(struct search *search, Dwarf_Die *die, bool here)
{
	Dwarf_Die type;
	int64_t start;

	if (!place_of(search, die, &start) || search->offset < start ||
	    !walk_reference(die, DW_AT_type, &type) ||
	    (uint64_t)(search->offset - start) >= types_size(search->file, &type) ||
	    (search->found_here && !here))
		return;
	search->found = here && !search->found_here ? 1 : search->found + 1;
	search->found_here = here;
	search->variable = *die;
	search->type = type;
	search->start = start;
}

static void search_scope(struct search *search, struct walk *walk, Dwarf_Die *scope, bool here, int depth)
{
	Dwarf_Die die;

	if (depth > WALK_DEPTH_MAX || !walk_child(walk, scope, &die))
		return;
	do {
		int tag = dwarf_tag(&die);
		if (tag == DW_TAG_variable || tag == DW_TAG_formal_parameter)
			consider(search, &die, here);
		else if (tag == DW_TAG_lexical_block || tag == DW_TAG_inlined_subroutine)
			search_scope(search, walk, &die, here && dwarf_haspc(&die, search->pc) == 1,
			             depth + 1);
	} while (walk_next(walk, &die));
}

const char *symbols_local(struct symbols *symbols, const struct dt_module *module, uint64_t pc,
                          int64_t offset, uint64_t frame_bytes)
{
	struct sym_file *file = symbols_file(symbols, module);
	struct search search = {.file = file,
	                        .pc = pc - module->bias - 1 - file->dwarf_bias,
	                        .offset = offset,
	                        .stack_pointer = -(int64_t)frame_bytes};
	struct walk walk = {0};
	Dwarf_Die scopes[SCOPES_MAX];
	char *text = NULL;
	size_t length, i = 0,
	               count = file->module ? frames_scopes(file, pc - module->bias - 1, scopes, NULL) : 0;

	while (i < count && dwarf_tag(&scopes[i]) != DW_TAG_subprogram)
		i++;
	if (i == count || !frame_base(&search, &scopes[i]))
		return NULL;
	search_scope(&search, &walk, &scopes[i], true, 0);
	const char *name = search.found == 1 ? dwarf_diename(&search.variable) : NULL;
	if (!name)
		return NULL;
	FILE *out = open_memstream(&text, &length);
	if (!out)
		say_out_of_memory();
	fputs(name, out);
	types_print_path(out, file, &search.type, (uint64_t)(offset - search.start));
	if (fclose(out) != 0)
		say_out_of_memory();
	const char *kept = symbols_keep(symbols, text);
	free(text);
	return kept;
}
