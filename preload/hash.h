/* hash.h: spreading the bits of a key, for the shim's tables and random choices (the finaliser of
 * splitmix64). */
#ifndef SHIM_HASH_H
#define SHIM_HASH_H

#include <stdint.h>

static inline uint64_t shim_hash64(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

#endif
