/* symbols_names.h: names of DIEs as a person writes them, and DIEs by name. Strings are kept by the
 * symbols. Internal to symbols*.c. */
#ifndef SYMBOLS_NAMES_H
#define SYMBOLS_NAMES_H

#include "symbols_file.h"

/* "bank::Teller<int>::serve(int)", "bank::(anonymous namespace)::internal" (the compiler left no
 * linkage name, so no parameters), "transfer"; NULL: none. */
const char *symbols_die_name(struct symbols *symbols, Dwarf_Die *die);

/* The definition, in whatever unit, of a struct or class of which this one only has the declaration. */
bool symbols_find_struct(struct sym_file *file, Dwarf_Die *declared, Dwarf_Die *defined);

/* A unit's declaration of a variable that is defined in another file, by what the linker calls it. */
bool symbols_find_declared(struct sym_file *file, const char *symbol, Dwarf_Die *declared);

void symbols_named_free(struct sym_file *file);

#endif
