/* steer_format.h: the plan of one attempt to close a lock-order cycle, as `detect confirm` writes it and the
 * shim reads it (option `steer`): at which edges of the cycle threads are held back, for how long, after how
 * many passes.
 *
 * One small file: struct dt_steer, then its frames. Places are module and offset, so that they survive
 * another layout of the address space. A reader checks sizes and ranges before it believes anything. */
#ifndef DETECT_STEER_FORMAT_H
#define DETECT_STEER_FORMAT_H

#include <stdint.h>

#define DT_STEER_MAGIC "DTSTEER\n" /* 8 bytes, no terminator in the file */
#define DT_STEER_VERSION 1u

enum {
	DT_STEER_EDGES = 32,  /* of one cycle */
	DT_STEER_FRAMES = 16, /* innermost ones of a place */
};

/* A return address: in the module with that file name, at that offset from where it was linked. module 0:
 * code of no module, which lies elsewhere in each run: equal to any other such. */
struct dt_steer_frame {
	uint64_t module; /* dt_steer_module() */
	uint64_t offset;
};

/* Frames innermost first. A stack is at the place when it begins so. */
struct dt_steer_place {
	uint32_t first, count;
};

struct dt_steer_edge {
	struct dt_steer_place hold; /* where the lock was acquired that is held */
	struct dt_steer_place want; /* where the next one is about to be acquired */
	uint32_t pause;             /* 1: hold threads back here; 0: let them go on */
	uint32_t skip;              /* after so many that went by */
};

struct dt_steer {
	char magic[8];
	uint32_t version;
	uint32_t bytes; /* of the whole file */
	uint32_t edge_count, frame_count;
	uint64_t pause_ns;  /* one pause, at most */
	uint64_t budget_ns; /* in one process, while any thread is held back */
	struct dt_steer_edge edges[DT_STEER_EDGES];
};

/* What a module is called by: the last part of its path, hashed (FNV-1a, 64 bits); never 0. */
static inline uint64_t dt_steer_module(const char *path)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (const char *at = path; *at; at++)
		if (*at == '/')
			path = at + 1;
	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 0x100000001b3u;
	return hash ? hash : 1;
}

#endif
