/* claims_format.h: what sections were seen to need, as `detect run --claims=LOG` hands it to the shim: one
 * read-only file, written before the program starts.
 *
 * A section is what a thread does from the moment it holds nothing to the moment it holds nothing again. It
 * is known by the stack of its first acquisition and by the lock taken there. Locks and stacks have names
 * that are the same in every run of the program: hashes of module and offset, so that address-space layout
 * does not matter.
 *
 * The file: struct dt_claims_header, `resources` struct dt_claims_resource by name, `sections` struct
 * dt_claims_section by stack, then first, `needs` struct dt_claims_need. Numbers as the machine has them. */
#ifndef DETECT_CLAIMS_FORMAT_H
#define DETECT_CLAIMS_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define DT_CLAIMS_NAME "avoid.claims" /* in the log folder */
#define DT_CLAIMS_MAGIC "DTCLAIM\n"
enum {
	DT_CLAIMS_VERSION = 1,
	DT_CLAIMS_FRAMES = 16 /* of a stack that its name is made of, innermost first */
};

enum dt_claims_flag {
	DT_CLAIMS_CYCLES =
	    1 /* header: only locks on lock-order cycles are there; all others are left alone */
};

struct dt_claims_header {
	char magic[8];
	uint32_t version, flags;
	uint32_t resources, sections, needs, zero;
};

enum dt_claims_resource_flag {
	DT_CLAIMS_COARSE = 1 /* several locks that have no names of their own: who has one has the resource */
};

struct dt_claims_resource {
	uint64_t name;
	uint32_t units, flags;
};

struct dt_claims_section {
	uint64_t stack, first; /* names */
	uint32_t need_begin, need_count;
};

struct dt_claims_need {
	uint32_t resource, units; /* index; the most that was held or wanted at once */
};

/* Names. The kinds keep apart what else could come out equal. */
enum dt_claims_kind { DT_CLAIMS_GLOBAL = 1, DT_CLAIMS_HEAP, DT_CLAIMS_MADE, DT_CLAIMS_STACK };

static inline uint64_t dt_claims_mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
	return hash ^ hash >> 29;
}

static inline uint64_t dt_claims_bytes(const void *bytes, size_t count)
{
	const unsigned char *at = (const unsigned char *)bytes;
	uint64_t hash = 1;

	for (size_t i = 0; i < count; i++)
		hash = dt_claims_mix(hash, at[i]);
	return hash;
}

/* A module by its build id, or without one by its path. */
static inline uint64_t dt_claims_module(const unsigned char *build_id, size_t build_id_bytes,
                                        const char *path, size_t path_length)
{
	return build_id_bytes ? dt_claims_bytes(build_id, build_id_bytes)
	                      : dt_claims_bytes(path, path_length);
}

/* A name made of two parts; never 0, which is none. */
static inline uint64_t dt_claims_name(enum dt_claims_kind kind, uint64_t part, uint64_t other)
{
	return dt_claims_mix(dt_claims_mix(kind, part), other) | 1;
}

#endif
