/* Debug information is looked for by libdwfl, as for a report (build id, .gnu_debuglink, debuginfod). What it
 * was compiled from is known by what the compilers leave: Go's .go.buildinfo, rustc's line in .comment, and
 * the sanitizer runtime's entry point. */
#include "symbols_detail.h"

#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <gelf.h>
#include <string.h>
#include <unistd.h>

static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = dwfl_standard_find_debuginfo,
    .section_address = dwfl_offline_section_address,
};

static void read_symbols(struct symbols_detail *detail, Dwfl_Module *module)
{
	int count = dwfl_module_getsymtab(module);

	for (int i = 0; i < count; i++) {
		GElf_Sym symbol;
		const char *name = dwfl_module_getsym(module, i, &symbol, NULL);

		if (!name)
			continue;
		/* Exported ones of .dynsym do not count: a stripped program has some. */
		if (GELF_ST_TYPE(symbol.st_info) == STT_FUNC && GELF_ST_BIND(symbol.st_info) == STB_LOCAL &&
		    symbol.st_shndx != SHN_UNDEF)
			detail->has_names = true;
		if (strcmp(name, "main") == 0)
			detail->has_names = true;
		if (strcmp(name, "__asan_init") == 0)
			detail->has_asan = true;
	}
}

static bool section_has(Elf_Scn *section, const char *words)
{
	Elf_Data *data = elf_getdata(section, NULL);

	return data && data->d_buf && memmem(data->d_buf, data->d_size, words, strlen(words));
}

static void read_sections(struct symbols_detail *detail, Elf *elf)
{
	size_t names;

	if (!elf || elf_getshdrstrndx(elf, &names) != 0)
		return;
	for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
		GElf_Shdr header;
		const char *name =
		    gelf_getshdr(section, &header) ? elf_strptr(elf, names, header.sh_name) : NULL;

		if (!name)
			continue;
		if (strcmp(name, ".go.buildinfo") == 0)
			detail->is_go = true;
		if (strcmp(name, ".comment") == 0 && section_has(section, "rustc version"))
			detail->is_rust = true;
	}
}

void symbols_detail_read(struct symbols_detail *detail, const char *path)
{
	Dwfl *dwfl = dwfl_begin(&callbacks);
	GElf_Addr bias;
	Dwarf_Addr dwarf_bias;

	*detail = (struct symbols_detail){0};
	if (!dwfl)
		return;
	dwfl_report_begin(dwfl);
	Dwfl_Module *module = dwfl_report_offline(dwfl, path, path, -1);
	dwfl_report_end(dwfl, NULL, NULL);
	if (module) {
		Dwarf *dwarf = dwfl_module_getdwarf(module, &dwarf_bias);
		Dwarf_Off next;
		size_t header_bytes;
		detail->has_lines =
		    dwarf && dwarf_nextcu(dwarf, 0, &next, &header_bytes, NULL, NULL, NULL) == 0;
		read_symbols(detail, module);
		read_sections(detail, dwfl_module_getelf(module, &bias));
	}
	dwfl_end(dwfl);
}

const char *symbols_reader_version(void)
{
	return dwfl_version(NULL);
}
