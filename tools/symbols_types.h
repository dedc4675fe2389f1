/* symbols_types.h: DWARF types: the member path at an offset, structs behind pointers. */
#ifndef SYMBOLS_TYPES_H
#define SYMBOLS_TYPES_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Print ".member[3].lock" for what lies at `offset` of an object of `type`, down to a lock. */
void types_print_path(FILE *out, Dwarf_Die *type, uint64_t offset);

/* The type behind DW_AT_type, without typedefs and qualifiers. */
bool types_of(Dwarf_Die *die, Dwarf_Die *type);

/* A pointer's target, peeled too. */
bool types_pointed_to(Dwarf_Die *type, Dwarf_Die *target);

bool types_is_struct(Dwarf_Die *type);

#endif
