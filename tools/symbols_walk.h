/* symbols_walk.h: walks over DIEs that a broken or hostile file can neither make endless nor deep.
 *
 * libdw refuses a DW_AT_sibling that leads back, but one that leads into the subtree doubles the walk at
 * every level. A walk here takes DIEs in the order of their offsets only, so that it passes each at
 * most once. Memory: none. */
#ifndef SYMBOLS_WALK_H
#define SYMBOLS_WALK_H

#include <elfutils/libdw.h>
#include <stdbool.h>

enum { WALK_DEPTH_MAX = 256 };

/* One walk from one DIE; all zero at its start. */
struct walk {
	Dwarf_Off reached;
};

/* The first child, and the next sibling in place; false: there is none, or none that can be right. */
bool walk_child(struct walk *walk, Dwarf_Die *parent, Dwarf_Die *child);
bool walk_next(struct walk *walk, Dwarf_Die *die);

/* The DIE that a reference attribute refers to, with what it inherits; false: none. */
bool walk_reference(Dwarf_Die *die, unsigned attribute, Dwarf_Die *target);

/* The declaration or abstract instance that this DIE completes, or itself. */
void walk_origin(Dwarf_Die *die, Dwarf_Die *origin);

/* The DIE that this one stands in; false: it is a unit, or the tree is broken. */
bool walk_parent(Dwarf_Die *die, Dwarf_Die *parent);

bool walk_is_struct(Dwarf_Die *die);
bool walk_is_function(Dwarf_Die *die);

#endif
