/* hash.h: 64-bit keys made of contents: the same thing has the same key in every run and on every machine.
 *
 * FNV-1a (Fowler, Noll, Vo), then the finaliser of MurmurHash3, which spreads what FNV leaves in the low
 * bits. A million keys collide with a probability of 3e-8. No adversary is kept out. No memory, any thread.
 */
#ifndef TOOLS_HASH_H
#define TOOLS_HASH_H

#include <stdint.h>

#define HASH_START UINT64_C(0xcbf29ce484222325)

static inline uint64_t hash_byte(uint64_t hash, unsigned char byte)
{
	return (hash ^ byte) * UINT64_C(0x100000001b3);
}

/* The NUL too, so that "ab","c" is not "a","bc"; NULL is not "". */
static inline uint64_t hash_string(uint64_t hash, const char *text)
{
	if (!text)
		return hash_byte(hash, 0xff);
	for (; *text; text++)
		hash = hash_byte(hash, (unsigned char)*text);
	return hash_byte(hash, 0);
}

static inline uint64_t hash_number(uint64_t hash, uint64_t number)
{
	for (int i = 0; i < 8; i++)
		hash = hash_byte(hash, (unsigned char)(number >> (8 * i)));
	return hash;
}

/* The key: never 0, which is none. Signed, as databases have it. */
static inline int64_t hash_end(uint64_t hash)
{
	hash ^= hash >> 33;
	hash *= UINT64_C(0xff51afd7ed558ccd);
	hash ^= hash >> 33;
	hash *= UINT64_C(0xc4ceb9fe1a85ec53);
	hash ^= hash >> 33;
	return hash ? (int64_t)hash : 1;
}

#endif
