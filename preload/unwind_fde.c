/* unwind_fde.c: from a pc to the FDE that covers it.
 *
 * _dl_find_object (glibc 2.35) is lock-free and async-signal-safe: it names the object and its
 * .eh_frame_hdr, a table sorted by address. Its format is the LSB's "DWARF Extensions". The table
 * and what it leads to must lie in the one readable segment that the object's program headers
 * give for it. */
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

#include "unwind_cfi.h"
#include "unwind_cursor.h"

#pragma weak _dl_find_object

enum {
	ENC_ABSPTR = 0x00,
	ENC_UDATA2 = 0x02,
	ENC_UDATA4 = 0x03,
	ENC_UDATA8 = 0x04,
	ENC_SDATA2 = 0x0a,
	ENC_SDATA4 = 0x0b,
	ENC_SDATA8 = 0x0c,
	ENC_FORMAT = 0x0f,
	ENC_PCREL = 0x10,
	ENC_DATAREL = 0x30,
	ENC_BASE = 0xf0,
	ROW_BYTES = 8
};

struct segment {
	const unsigned char *start, *end;
};

static bool readable(uintptr_t start, uintptr_t bytes)
{
	enum { PAGE_BYTES = 4096 };
	if (start + bytes < start || bytes > 16 * PAGE_BYTES)
		return false;
	for (uintptr_t at = start & ~(uintptr_t)7; at < start + bytes;
	     at = (at + PAGE_BYTES) & ~(uintptr_t)(PAGE_BYTES - 1))
		if (!shim_memory_readable(at))
			return false;
	return true;
}

/* The readable segment that the object's .eh_frame_hdr lies in, from program headers that are
 * believed when they name that very table. */
static bool find_segment_by(uintptr_t headers, size_t count, const struct dl_find_object *object,
                            struct segment *segment)
{
	const ElfW(Phdr) *header = (const void *)headers;
	uintptr_t load = object->dlfo_link_map->l_addr, table = (uintptr_t)object->dlfo_eh_frame;
	bool named = false, found = false;
	if (headers % 8 || count > UINT16_MAX || !readable(headers, count * sizeof *header))
		return false;
	for (size_t i = 0; i < count; i++) {
		uintptr_t start = load + header[i].p_vaddr, bytes = header[i].p_filesz;
		if (header[i].p_type == PT_GNU_EH_FRAME && start == table)
			named = true;
		if (header[i].p_type == PT_LOAD && (header[i].p_flags & PF_R) && table - start < bytes) {
			*segment = (struct segment){(const void *)start, (const void *)(start + bytes)};
			found = true;
		}
	}
	return named && found;
}

/* A library's mapping begins with its ELF header. The program's may have holes, and then what
 * _dl_find_object calls its mapping begins elsewhere; but the kernel tells where its headers are. */
static bool find_segment(const struct dl_find_object *object, struct segment *segment)
{
	uintptr_t map = (uintptr_t)object->dlfo_map_start;
	const ElfW(Ehdr) *elf = object->dlfo_map_start;
	if (readable(map, sizeof *elf) && memcmp(elf->e_ident, ELFMAG, SELFMAG) == 0 &&
	    elf->e_phentsize == sizeof(ElfW(Phdr)) && elf->e_phoff < (uintptr_t)object->dlfo_map_end - map &&
	    find_segment_by(map + elf->e_phoff, elf->e_phnum, object, segment))
		return true;
	return find_segment_by(getauxval(AT_PHDR), getauxval(AT_PHNUM), object, segment);
}

/* An encoded pointer; `table` is what data-relative ones count from. */
static uintptr_t encoded(struct shim_cursor *c, uint8_t encoding, const unsigned char *table)
{
	uintptr_t base = 0, value = 0;
	if ((encoding & ENC_BASE) == ENC_PCREL)
		base = (uintptr_t)c->at;
	else if ((encoding & ENC_BASE) == ENC_DATAREL)
		base = (uintptr_t)table;
	else if (encoding & ENC_BASE)
		c->bad = true;
	switch (encoding & ENC_FORMAT) {
	case ENC_ABSPTR:
	case ENC_UDATA8:
	case ENC_SDATA8:
		value = shim_cursor_fixed(c, 8);
		break;
	case ENC_UDATA4:
		value = shim_cursor_fixed(c, 4);
		break;
	case ENC_UDATA2:
		value = shim_cursor_fixed(c, 2);
		break;
	case ENC_SDATA4:
		value = (uintptr_t)shim_cursor_fixed_signed(c, 4);
		break;
	case ENC_SDATA2:
		value = (uintptr_t)shim_cursor_fixed_signed(c, 2);
		break;
	default:
		c->bad = true;
	}
	return base + value;
}

/* Binary search: the place of the last FDE that starts at or before `pc`. */
static const unsigned char *search(const unsigned char *table, const struct segment *segment, uintptr_t pc)
{
	struct shim_cursor c = {table, segment->end, false};
	uint64_t version = shim_cursor_fixed(&c, 1), frame_encoding = shim_cursor_fixed(&c, 1);
	uint64_t count_encoding = shim_cursor_fixed(&c, 1), table_encoding = shim_cursor_fixed(&c, 1);
	(void)shim_cursor_fixed(&c, 4);
	uint64_t count = shim_cursor_fixed(&c, 4);
	if (c.bad || version != 1 || (frame_encoding & ENC_FORMAT) != ENC_SDATA4 ||
	    count_encoding != ENC_UDATA4 || table_encoding != (ENC_DATAREL | ENC_SDATA4) ||
	    count > (uint64_t)(c.end - c.at) / ROW_BYTES)
		return NULL;
	int64_t wanted = (int64_t)(pc - (uintptr_t)table);
	uint64_t low = 0, high = count;
	int32_t row[2];
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		memcpy(row, c.at + middle * ROW_BYTES, sizeof row);
		if (row[0] <= wanted)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	memcpy(row, c.at + (low - 1) * ROW_BYTES, sizeof row);
	uintptr_t place = (uintptr_t)table + (uintptr_t)(intptr_t)row[1];
	return place - (uintptr_t)segment->start < (uintptr_t)(segment->end - segment->start)
	           ? (const void *)place
	           : NULL;
}

/* A record (CIE or FDE) at `place`, without its length word. */
static struct shim_cursor record(const unsigned char *place, const unsigned char *end)
{
	struct shim_cursor c = {place, end, false};
	uint64_t bytes = shim_cursor_fixed(&c, 4);
	if (bytes == 0 || bytes >= 0xfffffff0u || bytes > (uint64_t)(c.end - c.at))
		c.bad = true;
	else
		c.end = c.at + bytes;
	return c;
}

/* The data that the augmentation string's letters name, up to its end. */
static bool augmentation(struct shim_cursor *c, const char *letters, const unsigned char *table,
                         struct shim_fde *fde)
{
	if (!*letters)
		return true;
	if (*letters++ != 'z')
		return false;
	uint64_t bytes = shim_cursor_uleb(c);
	struct shim_cursor data = *c;
	shim_cursor_skip(c, bytes);
	data.end = c->at;
	for (; *letters; letters++) {
		uint8_t encoding;
		switch (*letters) {
		case 'R':
			fde->encoding = (uint8_t)shim_cursor_fixed(&data, 1);
			break;
		case 'P':
			encoding = (uint8_t)shim_cursor_fixed(&data, 1);
			/* The personality's place may hold the address of its address: only its size counts.
			 */
			encoded(&data, encoding & ENC_FORMAT, table);
			break;
		case 'L':
			shim_cursor_fixed(&data, 1);
			break;
		case 'S':
			fde->is_signal = true;
			break;
		default:
			return false;
		}
	}
	return !data.bad && !c->bad;
}

static bool read_cie(const unsigned char *place, const unsigned char *table, struct shim_fde *fde,
                     bool *augmented)
{
	struct shim_cursor c = record(place, fde->end);
	uint64_t id = shim_cursor_fixed(&c, 4), version = shim_cursor_fixed(&c, 1);
	const char *letters = (const char *)c.at;
	while (!c.bad && shim_cursor_fixed(&c, 1))
		;
	if (c.bad || id != 0 || (version != 1 && version != 3))
		return false;
	fde->code_align = shim_cursor_uleb(&c);
	fde->data_align = shim_cursor_sleb(&c);
	uint64_t ra = version == 1 ? shim_cursor_fixed(&c, 1) : shim_cursor_uleb(&c);
	*augmented = *letters != '\0';
	if (ra != SHIM_RA || !augmentation(&c, letters, table, fde))
		return false;
	fde->cie_program = c.at;
	fde->cie_program_end = c.end;
	return !c.bad;
}

static bool read_fde(const unsigned char *place, const unsigned char *table, struct shim_fde *fde)
{
	struct shim_cursor c = record(place, fde->end);
	const unsigned char *id_place = c.at;
	uint64_t distance = shim_cursor_fixed(&c, 4);
	bool augmented;
	if (c.bad || distance == 0 || distance > (uint64_t)(id_place - fde->base) ||
	    !read_cie(id_place - distance, table, fde, &augmented))
		return false;
	fde->start = encoded(&c, fde->encoding, table);
	fde->size = encoded(&c, fde->encoding & ENC_FORMAT, table);
	if (augmented)
		shim_cursor_skip(&c, shim_cursor_uleb(&c));
	fde->program = c.at;
	fde->program_end = c.end;
	return !c.bad;
}

bool shim_fde_find(uintptr_t pc, struct shim_fde *fde)
{
	struct dl_find_object object;
	struct segment segment = {NULL, NULL};
	if (!_dl_find_object || _dl_find_object((void *)pc, &object) != 0 || !object.dlfo_eh_frame ||
	    !find_segment(&object, &segment))
		return false;
	const unsigned char *table = object.dlfo_eh_frame, *place = search(table, &segment, pc);
	*fde = (struct shim_fde){.base = segment.start, .end = segment.end};
	return place && read_fde(place, table, fde) && pc - fde->start < fde->size;
}
