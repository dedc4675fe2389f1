/* symbols_units.c: which unit, and which of its functions, has code at an address.
 *
 * .debug_aranges would say, but clang writes none by itself and assemblers leave units out. The units'
 * own ranges are few and quick to read; a unit's functions are read when an address in it is first asked for.
 */
#include "symbols_file.h"

#include <dwarf.h>
#include <stdlib.h>

#include "say.h"
#include "symbols_walk.h"

enum { OVERLAPS_MAX = 64 };

/* Room for one more at the end. */
static void *grow(void *items, size_t count, size_t *room, size_t item_bytes)
{
	if (count < *room)
		return items;
	*room = *room ? 2 * *room : 32;
	items = reallocarray(items, *room, item_bytes);
	if (!items)
		say_out_of_memory();
	return items;
}

static int ranges_by_low(const void *a, const void *b)
{
	const struct sym_unit_range *x = a, *y = b;

	return x->low < y->low ? -1 : x->low > y->low;
}

static int functions_by_low(const void *a, const void *b)
{
	const struct sym_function *x = a, *y = b;

	return x->low < y->low ? -1 : x->low > y->low;
}

static void add_unit(struct sym_file *file, Dwarf_Die *die)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;

	file->units = grow(file->units, file->unit_count, &file->unit_room, sizeof(*file->units));
	file->units[file->unit_count] = (struct sym_unit){.skeleton = *die};
	while ((at = dwarf_ranges(die, at, &base, &low, &high)) > 0) {
		file->ranges =
		    grow(file->ranges, file->range_count, &file->range_room, sizeof(*file->ranges));
		file->ranges[file->range_count++] = (struct sym_unit_range){low, high, file->unit_count};
	}
	file->unit_count++;
}

size_t units_count(struct sym_file *file)
{
	Dwarf_CU *unit = NULL;
	Dwarf_Die die;

	if (file->units_indexed || !file->dwarf)
		return file->unit_count;
	file->units_indexed = true;
	while (dwarf_get_units(file->dwarf, unit, &unit, NULL, NULL, &die, NULL) == 0)
		add_unit(file, &die);
	if (file->range_count)
		qsort(file->ranges, file->range_count, sizeof(*file->ranges), ranges_by_low);
	return file->unit_count;
}

struct sym_unit *units_at(struct sym_file *file, uint64_t address)
{
	size_t low = 0, high;

	units_count(file);
	high = file->range_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (file->ranges[middle].low <= address)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = low; i-- > 0 && low - i <= OVERLAPS_MAX;)
		if (address < file->ranges[i].high)
			return &file->units[file->ranges[i].unit];
	return NULL;
}

Dwarf_Die *units_die(struct sym_unit *unit)
{
	Dwarf_Die split;
	uint8_t type;

	if (!unit->opened) {
		unit->opened = true;
		unit->die = unit->skeleton;
		/* Without its .dwo file there are lines at least. What libdw gives so for a type unit is the
		 * type. */
		if (dwarf_cu_info(unit->skeleton.cu, NULL, &type, NULL, &split, NULL, NULL, NULL) == 0 &&
		    type == DW_UT_skeleton && dwarf_tag(&split) != DW_TAG_invalid)
			unit->die = split;
	}
	return &unit->die;
}

static void add_function(struct sym_unit *unit, Dwarf_Die *die)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;

	while ((at = dwarf_ranges(die, at, &base, &low, &high)) > 0) {
		unit->functions = grow(unit->functions, unit->function_count, &unit->function_room,
		                       sizeof(*unit->functions));
		unit->functions[unit->function_count++] = (struct sym_function){low, high, *die};
	}
}

/* Functions can stand in namespaces, in classes and in each other. */
static void index_functions(struct sym_unit *unit, struct walk *walk, Dwarf_Die *parent, int depth)
{
	Dwarf_Die die;

	if (depth > WALK_DEPTH_MAX || !walk_child(walk, parent, &die))
		return;
	do {
		switch (dwarf_tag(&die)) {
		case DW_TAG_subprogram:
			add_function(unit, &die);
			index_functions(unit, walk, &die, depth + 1);
			break;
		case DW_TAG_namespace:
		case DW_TAG_module:
		case DW_TAG_structure_type:
		case DW_TAG_class_type:
		case DW_TAG_union_type:
		case DW_TAG_lexical_block:
			index_functions(unit, walk, &die, depth + 1);
			break;
		default:
			break;
		}
	} while (walk_next(walk, &die));
}

Dwarf_Die *units_function_at(struct sym_unit *unit, uint64_t address)
{
	struct walk walk = {0};
	size_t low = 0, high;

	if (!unit->indexed) {
		unit->indexed = true;
		index_functions(unit, &walk, units_die(unit), 0);
		if (unit->function_count)
			qsort(unit->functions, unit->function_count, sizeof(*unit->functions),
			      functions_by_low);
	}
	high = unit->function_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (unit->functions[middle].low <= address)
			low = middle + 1;
		else
			high = middle;
	}
	/* The one that begins last is the innermost of nested ones. */
	for (size_t i = low; i-- > 0 && low - i <= OVERLAPS_MAX;)
		if (address < unit->functions[i].high)
			return &unit->functions[i].die;
	return NULL;
}

void units_free(struct sym_file *file)
{
	for (size_t i = 0; i < file->unit_count; i++)
		free(file->units[i].functions);
	free(file->units);
	free(file->ranges);
}
