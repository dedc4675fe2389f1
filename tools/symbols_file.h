/* symbols_file.h: an object file of a log, opened by libdwfl at its link-time addresses, and its
 * compilation units. Internal to symbols*.c. */
#ifndef SYMBOLS_FILE_H
#define SYMBOLS_FILE_H

#include <elfutils/libdwfl.h>

#include "say.h"
#define uthash_fatal(message) say_out_of_memory()
#include <uthash.h>

#include "symbols.h"

struct sym_function {
	uint64_t low, high; /* of one of its ranges, as the debug file has them */
	Dwarf_Die die;
};

struct sym_unit {
	Dwarf_Die skeleton; /* has the line table and the ranges */
	Dwarf_Die die;      /* has the rest: the same unless the unit is split */
	bool opened;        /* `die` was looked for */
	bool indexed;       /* `functions` is made: sorted by `low` */
	struct sym_function *functions;
	size_t function_count, function_room;
};

struct sym_unit_range {
	uint64_t low, high;
	size_t unit;
};

struct sym_variable {
	uint64_t address, bytes;
	Dwarf_Die die;
	Dwarf_Die function; /* static in it; without address: in none */
};

/* What was looked for by name in all units. */
struct sym_named {
	UT_hash_handle hh;
	bool found;
	Dwarf_Die die;
	char key[];
};

struct sym_file {
	UT_hash_handle hh;          /* by path */
	struct sym_file *same_path; /* of another build */
	struct symbols *symbols;
	char *path;
	unsigned char *build_id;
	uint32_t build_id_bytes;
	Dwfl *dwfl;
	Dwfl_Module *module; /* NULL: can't be used */
	Dwarf *dwarf;        /* NULL: no debug information */
	Dwarf_Addr dwarf_bias;
	bool units_indexed, variables_indexed;
	struct sym_unit *units;
	size_t unit_count, unit_room;
	struct sym_unit_range *ranges;
	size_t range_count, range_room;
	struct sym_variable *variables;
	size_t variable_count, variable_room;
	struct sym_named *named;
};

struct sym_place; /* symbols_frames.c */
struct sym_kept;  /* symbols.c */

struct symbols {
	struct sym_file *files;
	struct sym_kept *kept;
	struct sym_place *places;
	const char **warnings;
	size_t warning_count;
};

/* The file of a module, opened at the first question. Never NULL. */
struct sym_file *symbols_file(struct symbols *symbols, const struct dt_module *module);

/* A copy that lives as long as the symbols. */
const char *symbols_keep(struct symbols *symbols, const char *text);
const char *symbols_demangled(struct symbols *symbols, const char *name);

/* The path of a source file as its unit's line table has it, from the folder that the unit was compiled in, kept;
 * NULL: none. */
const char *symbols_keep_path(struct symbols *symbols, Dwarf_Die *unit, const char *path);
/* The path that a DW_AT_decl_file or DW_AT_call_file refers to. */
const char *symbols_path_of(struct symbols *symbols, Dwarf_Attribute *file);

/* ---- symbols_units.c ---- */

/* The compilation unit with code at an address of the debug file; NULL: none says so. */
struct sym_unit *units_at(struct sym_file *file, uint64_t address);

/* The function of a unit with code there; NULL: none. */
Dwarf_Die *units_function_at(struct sym_unit *unit, uint64_t address);

/* Where a unit's DIEs are, its .dwo file's when it is split. */
Dwarf_Die *units_die(struct sym_unit *unit);

/* All units of the file. */
size_t units_count(struct sym_file *file);

void units_free(struct sym_file *file);

#endif
