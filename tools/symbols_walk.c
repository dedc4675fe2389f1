/* symbols_walk.c: a tree of DIEs in the order of the file. Offsets only grow in a well-formed tree, and
 * a subtree lies between its root and the root's next sibling: that bounds every walk by the file's
 * size, and finds parents by offset. */
#include "symbols_walk.h"

#include <dwarf.h>

enum { ORIGINS_MAX = 16 };

static bool pass(struct walk *walk, Dwarf_Die *die)
{
	Dwarf_Off offset = dwarf_dieoffset(die);

	if (offset == (Dwarf_Off)-1 || offset <= walk->reached)
		return false;
	walk->reached = offset;
	return true;
}

bool walk_child(struct walk *walk, Dwarf_Die *parent, Dwarf_Die *child)
{
	return dwarf_child(parent, child) == 0 && pass(walk, child);
}

bool walk_next(struct walk *walk, Dwarf_Die *die)
{
	Dwarf_Die next;

	if (dwarf_siblingof(die, &next) != 0 || !pass(walk, &next))
		return false;
	*die = next;
	return true;
}

bool walk_reference(Dwarf_Die *die, unsigned name, Dwarf_Die *target)
{
	Dwarf_Attribute attribute;

	return dwarf_attr_integrate(die, name, &attribute) && dwarf_formref_die(&attribute, target);
}

void walk_origin(Dwarf_Die *die, Dwarf_Die *origin)
{
	Dwarf_Attribute attribute;
	Dwarf_Die next;

	*origin = *die;
	for (int i = 0; i < ORIGINS_MAX; i++) {
		if (!dwarf_attr(origin, DW_AT_abstract_origin, &attribute) &&
		    !dwarf_attr(origin, DW_AT_specification, &attribute))
			return;
		if (!dwarf_formref_die(&attribute, &next))
			return;
		*origin = next;
	}
}

bool walk_parent(Dwarf_Die *die, Dwarf_Die *parent)
{
	Dwarf_Off wanted = dwarf_dieoffset(die);
	Dwarf_Die unit, child, next;

	if (wanted == (Dwarf_Off)-1 || !dwarf_diecu(die, &unit, NULL, NULL) ||
	    dwarf_dieoffset(&unit) == wanted)
		return false;
	*parent = unit;
	for (int depth = 0; depth < WALK_DEPTH_MAX; depth++) {
		struct walk walk = {dwarf_dieoffset(parent)};
		if (!walk_child(&walk, parent, &child) || dwarf_dieoffset(&child) > wanted)
			return false;
		/* To the last child that doesn't begin behind it. */
		for (next = child; walk_next(&walk, &next) && dwarf_dieoffset(&next) <= wanted;)
			child = next;
		if (dwarf_dieoffset(&child) == wanted)
			return true;
		*parent = child;
	}
	return false;
}

bool walk_is_struct(Dwarf_Die *die)
{
	int tag = dwarf_tag(die);

	return tag == DW_TAG_structure_type || tag == DW_TAG_class_type;
}

bool walk_is_function(Dwarf_Die *die)
{
	int tag = dwarf_tag(die);

	return tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine;
}
