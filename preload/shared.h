/* shared.h: which file's memory an address lies in, as every process that maps it would say.
 *
 * Threads: any. Memory: a scratch mapping during the call. Failure: an address that is not in shared memory,
 * or /proc that can't be read, gives false. Slow (reads /proc/self/maps): once a lock's life. */
#ifndef SHIM_SHARED_H
#define SHIM_SHARED_H

#include <stdbool.h>
#include <stdint.h>

struct shim_shared {
	uint64_t device, inode, offset;
};

bool shim_shared_place(const void *address, struct shim_shared *place);

/* The same in one word, never 0; 0 when it is not shared. */
uint64_t shim_shared_key(const void *address);

#endif
