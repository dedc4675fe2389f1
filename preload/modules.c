/* modules.c: the module map, made on demand instead of by a hook on dlopen: a wrapper of dlopen
 * would change whose RUNPATH is searched. */
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <detect/claims_format.h>

#include "identity.h"
#include "log.h"
#include "modules.h"
#include "race/race.h"
#include "shim.h"
#include "unwind.h"

enum { MODULES = 4096, PATH_BYTES = 4096, WRITING = 1 };

struct module {
	_Atomic uintptr_t start;  /* 0: free; WRITING: being written */
	uintptr_t end;
	uint32_t id;
	const struct link_map *map;
};

static struct module modules[MODULES];
static _Atomic uint32_t module_count, module_ids;

#pragma weak _dl_find_object

static const struct module *find_known(uintptr_t address)
{
	uint32_t n = atomic_load_explicit(&module_count, memory_order_acquire);
	for (uint32_t i = 0; i < n; i++) {
		uintptr_t start = atomic_load_explicit(&modules[i].start, memory_order_acquire);
		if (start > WRITING && address >= start && address < modules[i].end)
			return &modules[i];
	}
	return NULL;
}

/* A module's program headers. Those of the program itself the kernel tells; its mapping may have
 * holes, and what the loader takes for its start is then no ELF header. */
static const ElfW(Phdr) *segments_of(const struct dl_find_object *found, size_t *count)
{
	const struct link_map *map = found->dlfo_link_map;
	const ElfW(Ehdr) *elf = found->dlfo_map_start;
	if (!map->l_name || !*map->l_name) {
		*count = getauxval(AT_PHNUM);
		return (const void *)getauxval(AT_PHDR);
	}
	if (memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0)
		return NULL;
	*count = elf->e_phnum;
	return (const void *)((const char *)elf + elf->e_phoff);
}

static const unsigned char *build_id_in(const char *at, const char *end, uint16_t *bytes)
{
	while (at + sizeof(ElfW(Nhdr)) <= end) {
		const ElfW(Nhdr) *note = (const void *)at;
		const char *name = at + sizeof *note;
		const char *value = name + ((note->n_namesz + 3u) & ~3u);
		if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && !memcmp(name, "GNU", 4)) {
			*bytes = (uint16_t)note->n_descsz;
			return (const unsigned char *)value;
		}
		at = value + ((note->n_descsz + 3u) & ~3u);
	}
	return NULL;
}

struct described {
	uintptr_t start, end;
	const unsigned char *build_id;
	uint16_t build_id_bytes;
};

static void describe(const struct dl_find_object *found, struct described *d)
{
	size_t count = 0;
	const ElfW(Phdr) *segments = segments_of(found, &count);
	uintptr_t bias = found->dlfo_link_map->l_addr;
	*d = (struct described){(uintptr_t)found->dlfo_map_start, (uintptr_t)found->dlfo_map_end, NULL, 0};
	for (size_t i = 0; segments && i < count; i++) {
		uintptr_t start = bias + segments[i].p_vaddr, end = start + segments[i].p_memsz;
		if (segments[i].p_type == PT_LOAD) {
			d->start = start < d->start ? start : d->start;
			d->end = end > d->end ? end : d->end;
		} else if (segments[i].p_type == PT_NOTE && !d->build_id) {
			d->build_id = build_id_in((const char *)start, (const char *)end, &d->build_id_bytes);
		}
	}
}

static size_t module_path(const struct link_map *map, char *path)
{
	if (map->l_name && *map->l_name == '/') {
		size_t n = strnlen(map->l_name, PATH_BYTES - 1);
		memcpy(path, map->l_name, n);
		path[n] = '\0';
		return n + 1;
	}
	const char *name = map->l_name ? map->l_name : "";
	if (!*name) {
		/* The program itself has no name in the loader's list. */
		long n = syscall(SYS_readlink, "/proc/self/exe", path, PATH_BYTES - 1);
		if (n > 0) {
			path[n] = '\0';
			return (size_t)n + 1;
		}
	} else if (strchr(name, '/')) {
		/* Loaded by a relative path: the folder may change later. */
		long n = syscall(SYS_getcwd, path, PATH_BYTES - 1);
		size_t length = strnlen(name, PATH_BYTES - 1);
		if (n > 0 && (size_t)n + length + 1 < PATH_BYTES) {
			path[n - 1] = '/';
			memcpy(path + n, name, length + 1);
			return (size_t)n + length + 1;
		}
	}
	size_t n = strnlen(name, PATH_BYTES - 1);
	memcpy(path, name, n);
	path[n] = '\0';
	return n + 1;
}

static void log_module(const struct link_map *map, const struct described *d, uint32_t id)
{
	char path[PATH_BYTES];
	struct dt_rec_module rec = {.head = {DT_REC_MODULE, 0, 0}, .id = id, .bias = map->l_addr, .start = d->start, .end = d->end};
	rec.build_id_bytes = d->build_id_bytes;
	rec.path_bytes = (uint16_t)module_path(map, path);
	shim_log_append(&rec.head, sizeof rec, path, rec.path_bytes, d->build_id, d->build_id_bytes);
}

/* A slot whose module is gone is used again. When all are taken the module is logged every time. */
static void remember(const struct link_map *map, const struct described *d, uint32_t id)
{
	for (uint32_t i = 0; i < MODULES; i++) {
		uintptr_t start = 0;
		if (!atomic_compare_exchange_strong(&modules[i].start, &start, WRITING))
			continue;
		modules[i].end = d->end;
		modules[i].id = id;
		modules[i].map = map;
		atomic_store_explicit(&modules[i].start, d->start, memory_order_release);
		uint32_t n = atomic_load(&module_count);
		while (n < i + 1 && !atomic_compare_exchange_weak(&module_count, &n, i + 1))
			;
		return;
	}
}

void shim_modules_see(uintptr_t address)
{
	struct dl_find_object found;
	if (find_known(address) || !_dl_find_object || _dl_find_object((void *)address, &found) != 0)
		return;
	uint32_t id = atomic_fetch_add(&module_ids, 1) + 1;
	struct described d;
	describe(&found, &d);
	remember(found.dlfo_link_map, &d, id);
	log_module(found.dlfo_link_map, &d, id);
}

bool shim_modules_name(uintptr_t address, uint64_t *name, uint64_t *offset)
{
	struct dl_find_object found;
	if (!_dl_find_object || _dl_find_object((void *)address, &found) != 0)
		return false;
	struct described d;
	char path[PATH_BYTES];
	describe(&found, &d);
	size_t length = d.build_id_bytes ? 0 : module_path(found.dlfo_link_map, path) - 1;
	*name = dt_claims_module(d.build_id, d.build_id_bytes, path, length);
	*offset = address - found.dlfo_link_map->l_addr;
	return true;
}

void shim_modules_unloaded(void)
{
	uint32_t n = atomic_load(&module_count);
	bool gone = false;
	for (uint32_t i = 0; i < n; i++) {
		uintptr_t start = atomic_load(&modules[i].start);
		struct dl_find_object found;
		if (start <= WRITING || (_dl_find_object((void *)start, &found) == 0 && found.dlfo_link_map == modules[i].map))
			continue;
		gone = true;
		uintptr_t end = modules[i].end;
		struct dt_rec_id rec = {{DT_REC_MODULE_END, 0, 0}, modules[i].id, 0};
		SHIM_LOG(&rec);
		shim_identity_range_ended(start, end - start);
		shim_race_unmapped(start, end - start);
		shim_unwind_forget(start, end);
		atomic_store(&modules[i].start, 0);
	}
	if (!gone)
		return;
	/* What a thread remembers of a context is checked against the epoch when a generation differs. */
	atomic_fetch_add(&shim_code_epoch, 1);
	for (uint32_t i = 0; i < SHIM_GENERATIONS; i++)
		atomic_fetch_add(&shim_generation[i], 1);
}

void shim_modules_forked(void)
{
	for (uint32_t i = 0; i < MODULES; i++)
		atomic_store(&modules[i].start, 0);
	atomic_store(&module_count, 0);
}

bool shim_modules_has(const void *address)
{
	struct dl_find_object found;
	return _dl_find_object && _dl_find_object((void *)(uintptr_t)address, &found) == 0;
}
