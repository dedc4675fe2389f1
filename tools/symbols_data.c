/* symbols_data.c: names of data. The symbol table says which object, DWARF which member of it: an index
 * of all variables with a fixed address is made per file, at the first question. */
#include "symbols_file.h"

#include <dwarf.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "symbols_types.h"

enum { NESTING_MAX = 64, SCOPES_MAX = 64 };

void symbols_variables_free(struct sym_file *file)
{
	free(file->variables);
}

/* DW_OP_addr alone: a variable at a fixed place. */
static bool fixed_address(Dwarf_Die *die, uint64_t *address)
{
	Dwarf_Attribute attribute;
	Dwarf_Op *ops;
	size_t count;

	if (!dwarf_attr(die, DW_AT_location, &attribute) || dwarf_getlocation(&attribute, &ops, &count) != 0 ||
	    count != 1)
		return false;
	if (ops[0].atom == DW_OP_addr) {
		*address = ops[0].number;
		return true;
	}
	Dwarf_Attribute indirect;
	Dwarf_Addr value;
	if ((ops[0].atom == DW_OP_addrx || ops[0].atom == DW_OP_GNU_addr_index) &&
	    dwarf_getlocation_attr(&attribute, &ops[0], &indirect) == 0 && dwarf_formaddr(&indirect, &value) == 0) {
		*address = value;
		return true;
	}
	return false;
}

static void add_variable(struct sym_file *file, Dwarf_Die *die, Dwarf_Off function)
{
	uint64_t address;
	Dwarf_Die type;
	Dwarf_Word size = 0;

	if (!fixed_address(die, &address))
		return;
	if (types_of(die, &type))
		dwarf_aggregate_size(&type, &size);
	if (file->variable_count == file->variable_room) {
		size_t room = file->variable_room ? 2 * file->variable_room : 256;
		struct sym_variable *more = realloc(file->variables, room * sizeof(*more));
		if (!more)
			say_usage("out of memory");
		file->variables = more;
		file->variable_room = room;
	}
	file->variables[file->variable_count++] =
	    (struct sym_variable){address + file->dwarf_bias, size, dwarf_dieoffset(die), function};
}

/* Variables among a DIE's children, and in what scopes they open. */
static void index_below(struct sym_file *file, Dwarf_Die *parent, Dwarf_Off function, int nesting)
{
	Dwarf_Die die;

	if (nesting > NESTING_MAX || dwarf_child(parent, &die) != 0)
		return;
	do {
		switch (dwarf_tag(&die)) {
		case DW_TAG_variable:
			add_variable(file, &die, function);
			break;
		case DW_TAG_subprogram:
			index_below(file, &die, dwarf_dieoffset(&die), nesting + 1);
			break;
		case DW_TAG_namespace:
		case DW_TAG_lexical_block:
		case DW_TAG_structure_type:
		case DW_TAG_class_type:
		case DW_TAG_inlined_subroutine:
			index_below(file, &die, function, nesting + 1);
			break;
		default:
			break;
		}
	} while (dwarf_siblingof(&die, &die) == 0);
}

static int by_address(const void *a, const void *b)
{
	const struct sym_variable *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

static const struct sym_variable *find_variable(struct sym_file *file, uint64_t address)
{
	if (!file->indexed) {
		Dwarf_Die *unit = NULL;
		Dwarf_Addr bias;
		file->indexed = true;
		while ((unit = dwfl_module_nextcu(file->module, unit, &bias)))
			index_below(file, unit, 0, 0);
		if (file->variable_count)
			qsort(file->variables, file->variable_count, sizeof(*file->variables), by_address);
	}
	size_t low = 0, high = file->variable_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (file->variables[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	/* Several at one address: declarations repeated in units; any with a size will do. */
	for (size_t i = low; i-- > 0 && low - i < SCOPES_MAX;) {
		const struct sym_variable *v = &file->variables[i];
		if (address - v->address < v->bytes)
			return v;
	}
	return NULL;
}

/* What the linker calls it: with namespaces and classes, but a static local's is made up. */
static const char *symbol_at(struct symbols *symbols, struct sym_file *file, uint64_t address, uint64_t *offset)
{
	GElf_Sym symbol;
	GElf_Off within;
	GElf_Word section;
	const char *name = dwfl_module_addrinfo(file->module, address, &within, &symbol, &section, NULL, NULL);

	if (!name || GELF_ST_TYPE(symbol.st_info) != STT_OBJECT || (symbol.st_size && within >= symbol.st_size))
		return NULL;
	*offset = within;
	return symbols_demangled(symbols, name);
}

static const char *variable_name(struct symbols *symbols, struct sym_file *file, const struct sym_variable *variable,
                                 uint64_t address)
{
	Dwarf_Die die, type, function;
	Dwarf_Attribute attribute;
	char *text = NULL;
	size_t length;
	uint64_t within;

	if (!dwarf_offdie(file->dwarf, variable->die, &die))
		return NULL;
	const char *name = variable->function ? dwarf_diename(&die) : symbols_die_name(symbols, &die);
	const char *symbol = symbol_at(symbols, file, variable->address, &within);
	/* The symbol of a C++ variable is qualified; a C one's has a suffix when it is static. */
	if (!variable->function && symbol && within == 0 && strstr(symbol, "::"))
		name = symbol;
	if (!name)
		name = symbol;
	if (!name)
		return NULL;
	FILE *out = open_memstream(&text, &length);
	if (!out)
		say_usage("out of memory");
	fputs(name, out);
	if (dwarf_attr_integrate(&die, DW_AT_type, &attribute) && dwarf_formref_die(&attribute, &type))
		types_print_path(out, &type, address - variable->address);
	if (variable->function && dwarf_offdie(file->dwarf, variable->function, &function)) {
		const char *in = symbols_die_name(symbols, &function);
		if (in)
			fprintf(out, " (static in %s)", in);
	}
	fclose(out);
	const char *kept = symbols_keep(symbols, text);
	free(text);
	return kept;
}

const char *symbols_global(struct symbols *symbols, const struct dt_module *module, uint64_t address)
{
	struct sym_file *file = symbols_file(symbols, module);
	uint64_t at = address - module->bias, offset;
	char text[32];

	if (!file->module)
		return NULL;
	const struct sym_variable *variable = file->dwarf ? find_variable(file, at) : NULL;
	const char *name = variable ? variable_name(symbols, file, variable, at) : NULL;
	if (name)
		return name;
	const char *symbol = symbol_at(symbols, file, at, &offset);
	if (!symbol || !offset)
		return symbol;
	snprintf(text, sizeof(text), "+0x%llx", (unsigned long long)offset);
	size_t length = strlen(symbol) + strlen(text) + 1;
	char *joined = malloc(length);
	if (!joined)
		say_usage("out of memory");
	snprintf(joined, length, "%s%s", symbol, text);
	const char *kept = symbols_keep(symbols, joined);
	free(joined);
	return kept;
}

bool symbols_global_place(struct symbols *symbols, const struct dt_module *module, uint64_t address,
                          const char **file_name, unsigned *line)
{
	struct sym_file *file = symbols_file(symbols, module);
	const struct sym_variable *variable =
	    file->module && file->dwarf ? find_variable(file, address - module->bias) : NULL;
	Dwarf_Die die, declared;
	Dwarf_Attribute attribute;
	int number;

	if (!variable || !dwarf_offdie(file->dwarf, variable->die, &die))
		return false;
	/* A definition may leave its place to the declaration it completes. */
	if (!dwarf_decl_file(&die) && dwarf_attr(&die, DW_AT_specification, &attribute) &&
	    dwarf_formref_die(&attribute, &declared))
		die = declared;
	const char *name = dwarf_decl_file(&die);
	if (!name || dwarf_decl_line(&die, &number) != 0)
		return false;
	*file_name = symbols_keep(symbols, name);
	*line = (unsigned)number;
	return true;
}

/* Among the types pointed to, the one of that size; false once there are two. */
static bool only_struct(Dwarf_Die *die, uint64_t bytes, Dwarf_Die *best, bool *found)
{
	Dwarf_Die type, target;
	Dwarf_Word size;

	if (!types_of(die, &type) || !types_pointed_to(&type, &target) || !types_is_struct(&target) ||
	    dwarf_aggregate_size(&target, &size) != 0 || size != bytes)
		return true;
	if (*found && dwarf_dieoffset(best) != dwarf_dieoffset(&target))
		return false;
	*best = target;
	*found = true;
	return true;
}

static bool only_struct_below(Dwarf_Die *scope, uint64_t bytes, Dwarf_Die *best, bool *found, int nesting)
{
	Dwarf_Die die;

	if (nesting > NESTING_MAX || dwarf_child(scope, &die) != 0)
		return true;
	do {
		int tag = dwarf_tag(&die);
		if ((tag == DW_TAG_variable || tag == DW_TAG_formal_parameter) && !only_struct(&die, bytes, best, found))
			return false;
		if (tag == DW_TAG_lexical_block && !only_struct_below(&die, bytes, best, found, nesting + 1))
			return false;
	} while (dwarf_siblingof(&die, &die) == 0);
	return true;
}

const char *symbols_heap_member(struct symbols *symbols, const struct dt_module *module, uint64_t pc,
                                uint64_t block_bytes, uint64_t offset)
{
	struct sym_file *file = symbols_file(symbols, module);
	uint64_t address = pc - module->bias - 1;
	Dwarf_Die unit, *scopes = NULL, best;
	bool found = false, only = true;
	char *text = NULL;
	size_t length;

	if (!file->module || !file->dwarf || !symbols_unit_at(file, address, &unit))
		return NULL;
	int count = dwarf_getscopes(&unit, address - file->dwarf_bias, &scopes);
	for (int i = 0; i < count && only; i++) {
		int tag = dwarf_tag(&scopes[i]);
		only = only_struct_below(&scopes[i], block_bytes, &best, &found, 0) &&
		       only_struct(&scopes[i], block_bytes, &best, &found);
		if (tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine)
			break;
	}
	free(scopes);
	if (!found || !only || !dwarf_diename(&best))
		return NULL;
	FILE *out = open_memstream(&text, &length);
	if (!out)
		say_usage("out of memory");
	fputs(dwarf_diename(&best), out);
	types_print_path(out, &best, offset);
	fclose(out);
	const char *kept = symbols_keep(symbols, text);
	free(text);
	return kept;
}
