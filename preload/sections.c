/* sections.c: two open-addressing tables, lock -> resource and (context, lock) -> section, filled as the
 * program meets what the claims file names. Names are hashed once for each lock and first acquisition, and
 * searched by halves. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <detect/claims_format.h>

#include "hash.h"
#include "identity.h"
#include "modules.h"
#include "options.h"
#include "region.h"
#include "say.h"
#include "sections.h"
#include "tables.h"

enum { LOCKS = 1 << 17, KEYS = 1 << 18, TRIES = 64, SECTIONS = 1 << 14 };

struct lock_row {
	_Atomic uint64_t key;
	uint32_t resource, zero;
};

struct key_row {
	_Atomic uint64_t key;
	_Atomic uint32_t section;
	uint32_t zero;
};

static struct lock_row *locks;
static struct key_row *keys;
static struct shim_section *sections;   /* 0 is none */
static struct shim_resource *resources; /* 0 is none; first those of the file */
static uint32_t section_count, resource_count, lock_count, key_count;

static const struct dt_claims_header *file;
static const struct dt_claims_resource *file_resources;
static const struct dt_claims_section *file_sections;
static const struct dt_claims_need *file_needs;

/* A file that is not as long as it says, or refers to what is not there, is none. */
static bool file_fits(const struct dt_claims_header *h, size_t bytes)
{
	if (bytes < sizeof *h || memcmp(h->magic, DT_CLAIMS_MAGIC, sizeof h->magic) != 0 ||
	    h->version != DT_CLAIMS_VERSION || h->resources >= DT_AVOID_RESOURCES)
		return false;
	uint64_t wanted = sizeof *h + (uint64_t)h->resources * sizeof *file_resources +
	                  (uint64_t)h->sections * sizeof *file_sections +
	                  (uint64_t)h->needs * sizeof *file_needs;
	return wanted == bytes;
}

static void map_file(const char *path)
{
	struct stat about;
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	void *bytes = MAP_FAILED;
	if (fd >= 0 && fstat(fd, &about) == 0 && about.st_size > 0)
		bytes = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (fd >= 0)
		syscall(SYS_close, fd);
	if (bytes == MAP_FAILED || !file_fits(bytes, (size_t)about.st_size)) {
		shim_say("the claims file can't be read: sections are learned as they come");
		return;
	}
	file = bytes;
	file_resources = (const void *)(file + 1);
	file_sections = (const void *)(file_resources + file->resources);
	file_needs = (const void *)(file_sections + file->sections);
}

bool shim_sections_open(void)
{
	locks = shim_region_map(LOCKS * sizeof *locks, true);
	keys = shim_region_map(KEYS * sizeof *keys, true);
	sections = shim_region_map(SECTIONS * sizeof *sections, true);
	resources = shim_region_map(DT_AVOID_RESOURCES * sizeof *resources, true);
	if (!locks || !keys || !sections || !resources)
		return false;
	if (*shim_options.claims_file)
		map_file(shim_options.claims_file);
	shim_sections_forked();
	return true;
}

void shim_sections_forked(void)
{
	section_count = 0;
	resource_count = file ? file->resources : 0;
	lock_count = key_count = 0;
	for (uint32_t i = 0; file && i < file->resources; i++)
		resources[i + 1] = (struct shim_resource){file_resources[i].units,
		                                          file_resources[i].flags & DT_CLAIMS_COARSE};
}

bool shim_sections_given(void)
{
	return file != NULL;
}

static bool only_named(void)
{
	return file && file->flags & DT_CLAIMS_CYCLES;
}

static uint64_t stack_name(uint32_t context)
{
	const uintptr_t *pcs;
	uint64_t hash = DT_CLAIMS_STACK, module, offset;
	size_t count = shim_stack_pcs(context, &pcs);
	for (size_t i = 0; i < count && i < DT_CLAIMS_FRAMES; i++)
		hash = shim_modules_name(pcs[i] - 1, &module, &offset)
		           ? dt_claims_name(DT_CLAIMS_STACK, hash ^ module, offset)
		           : dt_claims_mix(hash, 0);
	return hash | 1;
}

static uint64_t lock_name(const void *lock)
{
	uint64_t module, offset;
	struct shim_origin origin;
	if (shim_modules_name((uintptr_t)lock, &module, &offset))
		return dt_claims_name(DT_CLAIMS_GLOBAL, module, offset);
	if (!shim_identity_origin(lock, &origin))
		return 0;
	if (origin.alloc_context)
		return dt_claims_name(DT_CLAIMS_HEAP, stack_name(origin.alloc_context), origin.offset);
	return origin.init_context ? dt_claims_name(DT_CLAIMS_MADE, stack_name(origin.init_context), 0) : 0;
}

static uint32_t named_resource(uint64_t name)
{
	uint32_t low = 0, high = file && name ? file->resources : 0;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (file_resources[middle].name == name)
			return middle + 1;
		if (file_resources[middle].name < name)
			low = middle + 1;
		else
			high = middle;
	}
	return 0;
}

static uint32_t units_of(const void *lock, uint32_t kind)
{
	return kind == DT_LOCK_RWLOCK ? (uint32_t)DT_AVOID_READERS
	       : kind == DT_LOCK_SEM  ? shim_identity_units_of(lock)
	                              : 1;
}

/* Dynamic: by its address. */
static uint32_t new_resource(const void *lock, uint32_t kind)
{
	uint32_t units = units_of(lock, kind);
	if (only_named() || !units || resource_count + 1 >= DT_AVOID_RESOURCES)
		return 0;
	resources[++resource_count] = (struct shim_resource){units, false};
	return resource_count;
}

static uint64_t lock_key(const void *lock, uint32_t kind)
{
	return (uint64_t)(uintptr_t)lock << 4 | kind;
}

static struct lock_row *lock_row(uint64_t key)
{
	uint32_t at = (uint32_t)(shim_hash64(key) >> 16);
	for (uint32_t tries = 0; tries < TRIES; tries++, at++) {
		struct lock_row *row = &locks[at % LOCKS];
		uint64_t found = atomic_load_explicit(&row->key, memory_order_acquire);
		if (found == key || !found)
			return row;
	}
	return NULL;
}

uint32_t shim_resource_find(const void *lock, uint32_t kind)
{
	struct lock_row *row = lock_row(lock_key(lock, kind));
	return row && atomic_load_explicit(&row->key, memory_order_acquire) ? row->resource : 0;
}

uint32_t shim_resource_get(const void *lock, uint32_t kind)
{
	struct lock_row *row = lock_row(lock_key(lock, kind));
	if (!row)
		return 0;
	if (!atomic_load(&row->key)) {
		if (lock_count >= LOCKS / 4 * 3)
			return 0;
		lock_count++;
		uint32_t named = named_resource(lock_name(lock));
		row->resource = named ? named : new_resource(lock, kind);
		atomic_store_explicit(&row->key, lock_key(lock, kind), memory_order_release);
	}
	return row->resource;
}

const struct shim_resource *shim_resource_at(uint32_t resource)
{
	return &resources[resource];
}

static uint64_t section_key(const struct shim_held *first)
{
	return shim_hash64((uint64_t)(uintptr_t)first->lock * 0x9e3779b97f4a7c15u ^ first->context) | 1;
}

static struct key_row *key_row(uint64_t key)
{
	uint32_t at = (uint32_t)(key >> 20);
	for (uint32_t tries = 0; tries < TRIES; tries++, at++) {
		struct key_row *row = &keys[at % KEYS];
		uint64_t found = atomic_load_explicit(&row->key, memory_order_acquire);
		if (found == key || !found)
			return row;
	}
	return NULL;
}

uint32_t shim_section_find(const struct shim_held *first, bool *known)
{
	uint64_t key = section_key(first);
	struct key_row *row = key_row(key);
	*known = !file || !row || atomic_load_explicit(&row->key, memory_order_acquire) == key;
	return row && *known ? atomic_load(&row->section) : 0;
}

static uint32_t new_section(void)
{
	return section_count + 1 < SECTIONS ? ++section_count : 0;
}

static const struct dt_claims_section *claims_of(uint64_t stack, uint64_t first)
{
	uint32_t low = 0, high = file && first ? file->sections : 0;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct dt_claims_section *at = &file_sections[middle];
		if (at->stack == stack && at->first == first)
			return at;
		if (at->stack < stack || (at->stack == stack && at->first < first))
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static uint32_t copy_claims(const struct dt_claims_section *from)
{
	uint32_t section = from->need_count <= DT_AVOID_NEEDS && from->need_begin <= file->needs &&
	                           from->need_count <= file->needs - from->need_begin
	                       ? new_section()
	                       : 0;
	for (uint32_t i = 0; section && i < from->need_count; i++) {
		const struct dt_claims_need *need = &file_needs[from->need_begin + i];
		if (need->resource < file->resources)
			shim_section_widen(section, need->resource + 1, need->units);
	}
	return section;
}

uint32_t shim_section_load(const struct shim_held *first)
{
	bool known;
	uint64_t key = section_key(first);
	struct key_row *row = key_row(key);
	uint32_t section = shim_section_find(first, &known);
	if (known || key_count >= KEYS / 4 * 3)
		return section;
	const struct dt_claims_section *claims =
	    claims_of(stack_name(first->context), lock_name(first->lock));
	section = claims ? copy_claims(claims) : 0;
	key_count++;
	atomic_store(&row->section, section);
	atomic_store_explicit(&row->key, key, memory_order_release);
	return section;
}

uint32_t shim_section_make(const struct shim_held *first)
{
	uint64_t key = section_key(first);
	struct key_row *row = key_row(key);
	uint32_t section = shim_section_load(first);
	if (section || !row || key_count >= KEYS / 4 * 3 || !(section = new_section()))
		return section;
	key_count += !atomic_load(&row->key);
	atomic_store(&row->section, section);
	atomic_store_explicit(&row->key, key, memory_order_release);
	return section;
}

struct shim_section *shim_section_at(uint32_t section)
{
	return &sections[section];
}

bool shim_section_widen(uint32_t section, uint32_t resource, uint32_t units)
{
	struct shim_section *s = &sections[section];
	uint32_t i = 0;
	while (i < s->count && s->needs[i].resource != resource)
		i++;
	if (i == DT_AVOID_NEEDS)
		return false;
	s->needs[i].resource = resource;
	s->needs[i].units = s->needs[i].units > units ? s->needs[i].units : units;
	if (i == s->count)
		s->count++;
	return true;
}
