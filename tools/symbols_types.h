/* symbols_types.h: DWARF types: the member path at an offset, structs behind pointers. A type of which a
 * unit has the declaration only is looked for in the file's others. Internal to symbols*.c. */
#ifndef SYMBOLS_TYPES_H
#define SYMBOLS_TYPES_H

#include <stdio.h>

#include "symbols_file.h"

/* Print ".member[3].lock" for what lies at `offset` of an object of `type`, down to a lock; "+0x28" for
 * what no member covers. */
void types_print_path(FILE *out, struct sym_file *file, const Dwarf_Die *type, uint64_t offset);

/* Can what lies at `offset` of an object of `type` have so many bytes? Not if it is a number or a pointer of fewer; a
 * lock, an array, a union or what nothing is known of can. */
bool types_has_room(struct sym_file *file, const Dwarf_Die *type, uint64_t offset, uint64_t bytes);

/* Bytes of a type; 0: not known. */
uint64_t types_size(struct sym_file *file, const Dwarf_Die *type);

/* From a declaration to the definition, in place, if there is one. */
void types_complete(struct sym_file *file, Dwarf_Die *type);

/* One step through a typedef or qualifier, in place; false: it is none. */
bool types_step(Dwarf_Die *type);

#endif
