/* unwind_cursor.h: reading DWARF's byte streams within their bounds. Past the end everything reads
 * as 0 and `bad` stays set, so that one check at the end of a record is enough. */
#ifndef SHIM_UNWIND_CURSOR_H
#define SHIM_UNWIND_CURSOR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct shim_cursor {
	const unsigned char *at, *end;
	bool bad;
};

static inline void shim_cursor_skip(struct shim_cursor *c, uint64_t bytes)
{
	if (bytes > (uint64_t)(c->end - c->at)) {
		c->bad = true;
		c->at = c->end;
	} else {
		c->at += bytes;
	}
}

/* `bytes` is 1, 2, 4 or 8; little-endian, as the machine is. */
static inline uint64_t shim_cursor_fixed(struct shim_cursor *c, unsigned bytes)
{
	const unsigned char *from = c->at;
	uint64_t value = 0;
	shim_cursor_skip(c, bytes);
	if (!c->bad)
		memcpy(&value, from, bytes);
	return value;
}

static inline int64_t shim_cursor_fixed_signed(struct shim_cursor *c, unsigned bytes)
{
	unsigned shift = 64 - 8 * bytes;
	return (int64_t)(shim_cursor_fixed(c, bytes) << shift) >> shift;
}

static inline uint64_t shim_cursor_leb(struct shim_cursor *c, bool is_signed)
{
	uint64_t value = 0, byte;
	unsigned shift = 0;
	do {
		byte = shim_cursor_fixed(c, 1);
		if (shift < 64)
			value |= (byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	if (is_signed && (byte & 0x40) && shift < 64)
		value |= ~(uint64_t)0 << shift;
	return value;
}

static inline uint64_t shim_cursor_uleb(struct shim_cursor *c)
{
	return shim_cursor_leb(c, false);
}

static inline int64_t shim_cursor_sleb(struct shim_cursor *c)
{
	return (int64_t)shim_cursor_leb(c, true);
}

#endif
