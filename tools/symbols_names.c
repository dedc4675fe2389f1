/* symbols_names.c: qualified names. gcc writes a linkage name only for what other files can see, so the
 * names of internal functions, variables and lambdas are put together from the scopes they stand in.
 *
 * Looking for a name walks all units, once for each name asked: it is asked for seldom (an incomplete
 * type, a variable copied out of a library). */
#include "symbols_names.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "symbols_walk.h"

enum { SCOPES_MAX = 32 };

static bool is_c(Dwarf_Die *die)
{
	Dwarf_Die unit;

	if (!dwarf_diecu(die, &unit, NULL, NULL))
		return false;
	switch (dwarf_srclang(&unit)) {
	case DW_LANG_C:
	case DW_LANG_C89:
	case DW_LANG_C99:
	case DW_LANG_C11:
		return true;
	default:
		return false;
	}
}

static bool is_scope(Dwarf_Die *die)
{
	switch (dwarf_tag(die)) {
	case DW_TAG_namespace:
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
	case DW_TAG_subprogram:
		return true;
	default:
		return false;
	}
}

static unsigned count_unnamed(struct walk *walk, Dwarf_Die *parent, Dwarf_Off last, int depth)
{
	Dwarf_Die die;
	unsigned count = 0;

	if (depth > WALK_DEPTH_MAX || !walk_child(walk, parent, &die))
		return 0;
	do {
		if (dwarf_dieoffset(&die) > last)
			break;
		if (walk_is_struct(&die) && !dwarf_diename(&die))
			count++;
		else if (dwarf_tag(&die) == DW_TAG_lexical_block)
			count += count_unnamed(walk, &die, last, depth + 1);
	} while (walk_next(walk, &die));
	return count;
}

/* gcc names neither a lambda's class nor, where no other file sees it, its function. Like the demangler
 * we number a scope's. */
static void print_name(FILE *out, Dwarf_Die *die, Dwarf_Die *scope, Dwarf_Die *within)
{
	const char *name = dwarf_diename(die), *inner = dwarf_diename(within);

	if (!name && dwarf_tag(die) == DW_TAG_namespace)
		name = "(anonymous namespace)";
	if (name) {
		fputs(name, out);
		return;
	}
	struct walk walk = {0};
	unsigned number = scope ? count_unnamed(&walk, scope, dwarf_dieoffset(die), 0) : 0;
	fprintf(out, "{%s#%u}", inner && strcmp(inner, "operator()") == 0 ? "lambda" : "unnamed", number);
}

/* `within`: what stands in it that is asked for; at the outset the DIE itself. */
static void print_qualified(FILE *out, Dwarf_Die *die, Dwarf_Die *within, int depth)
{
	Dwarf_Die origin, scope, inner;
	bool found;

	walk_origin(die, &origin);
	inner = origin;
	for (int i = 0; (found = walk_parent(&inner, &scope)) && !is_scope(&scope) && i < WALK_DEPTH_MAX; i++)
		inner = scope;
	found = found && is_scope(&scope) && depth < SCOPES_MAX;
	if (found) {
		print_qualified(out, &scope, &origin, depth + 1);
		fputs("::", out);
	}
	print_name(out, &origin, found ? &scope : NULL, within);
}

static const char *qualified(struct symbols *symbols, Dwarf_Die *die)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		say_out_of_memory();
	print_qualified(out, die, die, 0);
	if (fclose(out) != 0)
		say_out_of_memory();
	const char *kept = symbols_keep(symbols, text);
	free(text);
	return kept;
}

static const char *linkage_name(Dwarf_Die *die)
{
	Dwarf_Attribute attribute;

	if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) ||
	    dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute))
		return dwarf_formstring(&attribute);
	return NULL;
}

const char *symbols_die_name(struct symbols *symbols, Dwarf_Die *die)
{
	Dwarf_Die origin;
	const char *name = linkage_name(die);

	if (name)
		return symbols_demangled(symbols, name);
	name = dwarf_diename(die);
	if (!name)
		return NULL;
	walk_origin(die, &origin);
	return is_c(&origin) ? symbols_keep(symbols, name) : qualified(symbols, die);
}

/* ---- By name. ---- */

struct search {
	struct sym_file *file;
	const char *plain; /* the last part of it */
	const char *name;
	bool (*is)(struct search *search, Dwarf_Die *die);
	Dwarf_Die *found;
};

static bool is_definition(struct search *search, Dwarf_Die *die)
{
	const char *name;

	return walk_is_struct(die) && !dwarf_hasattr(die, DW_AT_declaration) && (name = dwarf_diename(die)) &&
	       strcmp(name, search->plain) == 0 &&
	       strcmp(symbols_die_name(search->file->symbols, die), search->name) == 0;
}

static bool is_declared_variable(struct search *search, Dwarf_Die *die)
{
	if (dwarf_tag(die) != DW_TAG_variable || !dwarf_hasattr(die, DW_AT_declaration))
		return false;
	const char *name = linkage_name(die);
	if (!name)
		name = dwarf_diename(die);
	return name && strcmp(name, search->name) == 0;
}

static bool search_below(struct search *search, struct walk *walk, Dwarf_Die *parent, int depth)
{
	Dwarf_Die die;

	if (depth > WALK_DEPTH_MAX || !walk_child(walk, parent, &die))
		return false;
	do {
		if (search->is(search, &die)) {
			*search->found = die;
			return true;
		}
		if (is_scope(&die) && search_below(search, walk, &die, depth + 1))
			return true;
	} while (walk_next(walk, &die));
	return false;
}

/* The answer is remembered, "there is none" too. `kind` tells apart what is looked for. */
static bool search_units(struct search *search, char kind)
{
	struct sym_file *file = search->file;
	struct sym_named *known;
	size_t length = strlen(search->name);
	char *key = malloc(length + 2);

	if (!key)
		say_out_of_memory();
	key[0] = kind;
	memcpy(key + 1, search->name, length + 1);
	HASH_FIND(hh, file->named, key, length + 1, known);
	if (!known) {
		known = calloc(1, sizeof(*known) + length + 2);
		if (!known)
			say_out_of_memory();
		memcpy(known->key, key, length + 2);
		HASH_ADD_KEYPTR(hh, file->named, known->key, length + 1, known);
		search->found = &known->die;
		size_t count = units_count(file);
		for (size_t i = 0; i < count && !known->found; i++) {
			struct walk walk = {0};
			known->found = search_below(search, &walk, units_die(&file->units[i]), 0);
		}
	}
	free(key);
	search->found = &known->die;
	return known->found;
}

bool symbols_find_struct(struct sym_file *file, Dwarf_Die *declared, Dwarf_Die *defined)
{
	struct search search = {.file = file, .plain = dwarf_diename(declared), .is = is_definition};

	if (!search.plain)
		return false;
	search.name = symbols_die_name(file->symbols, declared);
	if (!search_units(&search, 's'))
		return false;
	*defined = *search.found;
	return true;
}

bool symbols_find_declared(struct sym_file *file, const char *symbol, Dwarf_Die *declared)
{
	struct search search = {.file = file, .name = symbol, .is = is_declared_variable};

	if (!search_units(&search, 'v'))
		return false;
	*declared = *search.found;
	return true;
}

void symbols_named_free(struct sym_file *file)
{
	struct sym_named *named, *next;

	HASH_ITER(hh, file->named, named, next)
	{
		HASH_DEL(file->named, named);
		free(named);
	}
}
