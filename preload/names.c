/* names.c: a look into .symtab (or .dynsym) of a file mapped for the moment. Every offset read from
 * the file is checked against its size: the file may have changed since it was loaded. */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "names.h"

#pragma weak _dl_find_object

struct image {
	const char *bytes;
	size_t size;
};

static bool open_image(struct image *image, const char *path)
{
	struct stat about;
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	void *p = MAP_FAILED;
	if (fstat(fd, &about) == 0 && about.st_size > 0)
		p = (void *)syscall(SYS_mmap, NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, (off_t)0);
	syscall(SYS_close, fd);
	if (p == MAP_FAILED)
		return false;
	*image = (struct image){p, (size_t)about.st_size};
	return true;
}

static const void *inside(const struct image *image, uint64_t offset, uint64_t bytes)
{
	return offset <= image->size && bytes <= image->size - offset ? image->bytes + offset : NULL;
}

static const ElfW(Shdr) *section(const struct image *image, uint32_t type)
{
	const ElfW(Ehdr) *elf = inside(image, 0, sizeof *elf);
	if (!elf || memcmp(elf->e_ident, ELFMAG, SELFMAG) || elf->e_shentsize != sizeof(ElfW(Shdr)))
		return NULL;
	const ElfW(Shdr) *all = inside(image, elf->e_shoff, (uint64_t)elf->e_shnum * sizeof *all);
	for (unsigned i = 0; all && i < elf->e_shnum; i++)
		if (all[i].sh_type == type)
			return &all[i];
	return NULL;
}

static const char *text_of(const struct image *image, const ElfW(Shdr) *symbols, uint32_t name)
{
	const ElfW(Ehdr) *elf = (const void *)image->bytes;
	if (symbols->sh_link >= elf->e_shnum)
		return NULL;
	const ElfW(Shdr) *strings = (const ElfW(Shdr) *)(image->bytes + elf->e_shoff) + symbols->sh_link;
	const char *table = inside(image, strings->sh_offset, strings->sh_size);
	if (!table || name >= strings->sh_size || !memchr(table + name, '\0', strings->sh_size - name))
		return NULL;
	return table + name;
}

/* The symbol of that type whose extent covers `value`. */
static bool add_symbol(struct shim_text *text, const struct image *image, uint64_t value, int type)
{
	const ElfW(Shdr) *table = section(image, SHT_SYMTAB);
	if (!table)
		table = section(image, SHT_DYNSYM);
	const ElfW(Sym) *symbols = table ? inside(image, table->sh_offset, table->sh_size) : NULL;
	for (uint64_t i = 0; symbols && i < table->sh_size / sizeof *symbols; i++) {
		const ElfW(Sym) *s = &symbols[i];
		if (ELF64_ST_TYPE(s->st_info) != type || value < s->st_value || value - s->st_value >= s->st_size)
			continue;
		const char *name = text_of(image, table, s->st_name);
		if (!name || !*name)
			continue;
		shim_text_add(text, name);
		if (value > s->st_value) {
			shim_text_add(text, "+");
			shim_text_hex(text, value - s->st_value);
		}
		return true;
	}
	return false;
}

static void add(struct shim_text *text, uintptr_t address, uintptr_t lookup, int type)
{
	struct dl_find_object found;
	if (!_dl_find_object || _dl_find_object((void *)lookup, &found) != 0) {
		shim_text_hex(text, address);
		return;
	}
	const char *path = found.dlfo_link_map->l_name;
	if (!path || !*path)
		path = "/proc/self/exe";
	uint64_t value = lookup - found.dlfo_link_map->l_addr;
	int saved = errno;
	struct image image;
	bool named = false;
	if (open_image(&image, path)) {
		named = add_symbol(text, &image, value, type);
		syscall(SYS_munmap, image.bytes, image.size);
	}
	errno = saved;
	if (named)
		return;
	const char *base = strrchr(path, '/');
	shim_text_add(text, base ? base + 1 : path);
	shim_text_add(text, "+");
	shim_text_hex(text, address - found.dlfo_link_map->l_addr);
}

void shim_names_add_code(struct shim_text *text, uintptr_t pc)
{
	add(text, pc, pc - 1, STT_FUNC);
}

void shim_names_add_data(struct shim_text *text, uintptr_t address)
{
	add(text, address, address, STT_OBJECT);
}
