/* symbols_file.h: one object file of a log, opened by libdwfl at its link-time addresses. Internal to
 * symbols*.c. */
#ifndef SYMBOLS_FILE_H
#define SYMBOLS_FILE_H

#include <elfutils/libdwfl.h>

#include "symbols.h"

struct sym_variable {
	uint64_t address, bytes;
	Dwarf_Off die;
	Dwarf_Off function; /* static in it; 0: in none */
};

struct sym_file {
	struct sym_file *next;
	char *path;
	unsigned char *build_id;
	uint32_t build_id_bytes;
	Dwfl *dwfl;
	Dwfl_Module *module; /* NULL: can't be used */
	Dwarf *dwarf;        /* NULL: no debug information */
	Dwarf_Addr dwarf_bias;
	struct sym_variable *variables;
	size_t variable_count, variable_room;
	bool indexed;
};

struct sym_file *symbols_file(struct symbols *symbols, const struct dt_module *module);

/* A copy that lives as long as the symbols. */
const char *symbols_keep(struct symbols *symbols, const char *text);

/* The compilation unit that has code at a link-time address. */
bool symbols_unit_at(struct sym_file *file, uint64_t address, Dwarf_Die *unit);

/* A function's or variable's name as a person writes it: demangled and qualified. NULL: none. */
const char *symbols_die_name(struct symbols *symbols, Dwarf_Die *die);
const char *symbols_demangled(struct symbols *symbols, const char *name);

void symbols_variables_free(struct sym_file *file);

#endif
