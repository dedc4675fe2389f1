/* symbols_data.c: names of data. DWARF says which variable and which member of it; where it doesn't, the
 * symbol table says which object. An index of all variables with a fixed address is made per file, at
 * the first question. */
#include "symbols_data.h"

#include <dwarf.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "symbols_names.h"
#include "symbols_types.h"
#include "symbols_walk.h"

enum { OVERLAPS_MAX = 64 };

/* Thread-local variables are in the same index, at where they lie in their block, apart from all addresses.
 */
#define THREAD_LOCAL_SPACE (UINT64_C(1) << 63)

void data_free(struct sym_file *file)
{
	free(file->variables);
}

/* Its place in the block, and then "of the thread". */
static bool place_in_block(const Dwarf_Op *ops, size_t count, uint64_t *place)
{
	if (count != 2 ||
	    (ops[1].atom != DW_OP_GNU_push_tls_address && ops[1].atom != DW_OP_form_tls_address) ||
	    (ops[0].atom != DW_OP_const4u && ops[0].atom != DW_OP_const8u && ops[0].atom != DW_OP_addr))
		return false;
	*place = THREAD_LOCAL_SPACE + ops[0].number;
	return true;
}

/* DW_OP_addr alone: a variable at a fixed place. */
static bool fixed_address(Dwarf_Die *die, uint64_t *address)
{
	Dwarf_Attribute attribute, indirect;
	Dwarf_Addr value;
	Dwarf_Op *ops;
	size_t count;

	if (!dwarf_attr(die, DW_AT_location, &attribute) || dwarf_getlocation(&attribute, &ops, &count) != 0)
		return false;
	if (place_in_block(ops, count, address))
		return true;
	if (count != 1)
		return false;
	if (ops[0].atom == DW_OP_addr) {
		*address = ops[0].number;
		return true;
	}
	if ((ops[0].atom == DW_OP_addrx || ops[0].atom == DW_OP_GNU_addr_index) &&
	    dwarf_getlocation_attr(&attribute, &ops[0], &indirect) == 0 &&
	    dwarf_formaddr(&indirect, &value) == 0) {
		*address = value;
		return true;
	}
	return false;
}

static void add_variable(struct sym_file *file, Dwarf_Die *die, const Dwarf_Die *function)
{
	uint64_t address;

	if (!fixed_address(die, &address))
		return;
	if (file->variable_count == file->variable_room) {
		file->variable_room = file->variable_room ? 2 * file->variable_room : 256;
		file->variables =
		    reallocarray(file->variables, file->variable_room, sizeof(*file->variables));
		if (!file->variables)
			say_out_of_memory();
	}
	/* The size is asked when it matters: a type may have to be looked for. */
	file->variables[file->variable_count++] = (struct sym_variable){
	    .address = address >= THREAD_LOCAL_SPACE ? address : address + file->dwarf_bias,
	    .die = *die,
	    .function = *function};
}

/* Variables among a DIE's children, and in what scopes they open. */
static void index_below(struct sym_file *file, struct walk *walk, Dwarf_Die *parent,
                        const Dwarf_Die *function, int depth)
{
	Dwarf_Die die;

	if (depth > WALK_DEPTH_MAX || !walk_child(walk, parent, &die))
		return;
	do {
		switch (dwarf_tag(&die)) {
		case DW_TAG_variable:
			add_variable(file, &die, function);
			break;
		case DW_TAG_subprogram:
		case DW_TAG_inlined_subroutine:
			index_below(file, walk, &die, &die, depth + 1);
			break;
		case DW_TAG_namespace:
		case DW_TAG_lexical_block:
		case DW_TAG_structure_type:
		case DW_TAG_class_type:
			index_below(file, walk, &die, function, depth + 1);
			break;
		default:
			break;
		}
	} while (walk_next(walk, &die));
}

static int by_address(const void *a, const void *b)
{
	const struct sym_variable *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

static void index_variables(struct sym_file *file)
{
	const Dwarf_Die none = {0};
	size_t count = units_count(file);

	file->variables_indexed = true;
	for (size_t i = 0; i < count; i++) {
		struct walk walk = {0};
		index_below(file, &walk, units_die(&file->units[i]), &none, 0);
	}
	if (file->variable_count)
		qsort(file->variables, file->variable_count, sizeof(*file->variables), by_address);
}

/* By its type, or by its definition's where the array there has more to say. */
static uint64_t size_of_variable(struct sym_file *file, struct sym_variable *variable)
{
	Dwarf_Die type;

	if (!variable->bytes && walk_reference(&variable->die, DW_AT_type, &type))
		variable->bytes = types_size(file, &type);
	return variable->bytes;
}

static struct sym_variable *find_variable(struct sym_file *file, uint64_t address)
{
	if (!file->dwarf)
		return NULL;
	if (!file->variables_indexed)
		index_variables(file);
	size_t low = 0, high = file->variable_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (file->variables[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	/* Several at one address: declarations repeated in units; any with a size will do. */
	for (size_t i = low; i-- > 0 && low - i <= OVERLAPS_MAX;) {
		struct sym_variable *variable = &file->variables[i];
		if (address - variable->address < size_of_variable(file, variable))
			return variable;
	}
	return NULL;
}

/* What the linker calls it, and how far in it is; NULL: no object there. */
static const char *symbol_at(struct sym_file *file, uint64_t address, uint64_t *offset)
{
	GElf_Sym symbol;
	GElf_Off within;
	GElf_Word section;
	const char *name =
	    dwfl_module_addrinfo(file->module, address, &within, &symbol, &section, NULL, NULL);

	if (!name || GELF_ST_TYPE(symbol.st_info) != STT_OBJECT ||
	    (symbol.st_size && within >= symbol.st_size))
		return NULL;
	*offset = within;
	return name;
}

struct text {
	FILE *out;
	char *bytes;
	size_t length;
};

static void begin_text(struct text *text)
{
	text->out = open_memstream(&text->bytes, &text->length);
	if (!text->out)
		say_out_of_memory();
}

static const char *keep_text(struct symbols *symbols, struct text *text)
{
	if (fclose(text->out) != 0)
		say_out_of_memory();
	const char *kept = symbols_keep(symbols, text->bytes);
	free(text->bytes);
	return kept;
}

/* Of a function that was inlined everywhere clang 14 leaves no name, but its static variables have it in
 * theirs: "count.lock", demangled "count()::lock". */
static const char *function_in_symbol(struct sym_file *file, struct sym_variable *variable, const char *name)
{
	uint64_t offset;
	const char *symbol = symbol_at(file, variable->address, &offset);

	if (!symbol || offset)
		return NULL;
	symbol = symbols_demangled(file->symbols, symbol);
	size_t length = strlen(symbol), tail = strlen(name);
	if (length <= tail || strcmp(symbol + length - tail, name) != 0)
		return NULL;
	length -= tail;
	if (symbol[length - 1] == '.')
		length -= 1;
	else if (length > 1 && memcmp(symbol + length - 2, "::", 2) == 0)
		length -= 2;
	else
		return NULL;
	if (!length)
		return NULL;
	char *function = strndup(symbol, length);
	if (!function)
		say_out_of_memory();
	const char *kept = symbols_keep(file->symbols, function);
	free(function);
	return kept;
}

static const char *function_name(struct sym_file *file, struct sym_variable *variable, const char *name)
{
	if (!variable->function.addr)
		return NULL;
	const char *function = symbols_die_name(file->symbols, &variable->function);
	return function ? function : function_in_symbol(file, variable, name);
}

static const char *variable_name(struct sym_file *file, struct sym_variable *variable, uint64_t address)
{
	struct symbols *symbols = file->symbols;
	const char *name = variable->function.addr ? dwarf_diename(&variable->die) : NULL;
	struct text text;
	Dwarf_Die type;

	if (!name)
		name = symbols_die_name(symbols, &variable->die);
	if (!name)
		return NULL;
	begin_text(&text);
	fputs(name, text.out);
	if (walk_reference(&variable->die, DW_AT_type, &type))
		types_print_path(text.out, file, &type, address - variable->address);
	const char *in = function_name(file, variable, name);
	if (in)
		fprintf(text.out, " (static in %s)", in);
	return keep_text(symbols, &text);
}

/* A library's variable that the program has its own copy of (a copy relocation): the program has the
 * symbol and its units the declaration. */
static bool declared_type(struct sym_file *file, const char *symbol, uint64_t offset, Dwarf_Die *type)
{
	Dwarf_Die declared;

	return file->dwarf && symbols_find_declared(file, symbol, &declared) &&
	       walk_reference(&declared, DW_AT_type, type) && offset < types_size(file, type);
}

static const char *symbol_name(struct sym_file *file, uint64_t address)
{
	struct text text;
	Dwarf_Die type;
	uint64_t offset;
	const char *symbol = symbol_at(file, address, &offset);

	if (!symbol)
		return NULL;
	begin_text(&text);
	fputs(symbols_demangled(file->symbols, symbol), text.out);
	if (declared_type(file, symbol, offset, &type))
		types_print_path(text.out, file, &type, offset);
	else if (offset)
		fprintf(text.out, "+0x%llx", (unsigned long long)offset);
	return keep_text(file->symbols, &text);
}

const char *symbols_global(struct symbols *symbols, const struct dt_module *module, uint64_t address)
{
	struct sym_file *file = symbols_file(symbols, module);
	uint64_t at = address - module->bias;

	if (!file->module)
		return NULL;
	struct sym_variable *variable = find_variable(file, at);
	const char *name = variable ? variable_name(file, variable, at) : NULL;
	return name ? name : symbol_name(file, at);
}

const char *symbols_thread_local(struct symbols *symbols, const struct dt_module *module, uint64_t offset)
{
	struct sym_file *file = symbols_file(symbols, module);
	uint64_t at = THREAD_LOCAL_SPACE + offset;
	struct sym_variable *variable = file->module ? find_variable(file, at) : NULL;

	return variable ? variable_name(file, variable, at) : NULL;
}

bool symbols_global_place(struct symbols *symbols, const struct dt_module *module, uint64_t address,
                          const char **path, unsigned *line)
{
	struct sym_file *file = symbols_file(symbols, module);
	struct sym_variable *variable = file->module ? find_variable(file, address - module->bias) : NULL;
	Dwarf_Attribute decl_file, decl_line;
	Dwarf_Word number;

	/* What a definition leaves out is its declaration's. */
	if (!variable || !dwarf_attr_integrate(&variable->die, DW_AT_decl_file, &decl_file) ||
	    !dwarf_attr_integrate(&variable->die, DW_AT_decl_line, &decl_line) ||
	    dwarf_formudata(&decl_line, &number) != 0)
		return false;
	const char *kept = symbols_path_of(symbols, &decl_file);
	if (!kept)
		return false;
	*path = kept;
	*line = (unsigned)number;
	return true;
}
