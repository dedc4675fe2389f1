/* board_format.h: the board: what each thread waits for at this moment, and what it holds meanwhile.
 *
 * One sparse file a log folder (DT_BOARD_NAME), mapped shared by every process that is observed with
 * that folder, so that a wait-for cycle across processes can be seen, and so that `detect ps` can read
 * it while they run, hang or after they were killed. Without a folder it is private memory of one
 * process.
 *
 * A thread owns one slot for its life. It writes the slot when it is about to block, and when it no longer
 * is; never on the way of an uncontended lock. A writer makes `sequence` odd, writes, and makes it even
 * again; a reader takes what it read between two equal even values.
 *
 * Slots come in groups of DT_BOARD_GROUP; a group belongs to one process (owners[], 0: free). The groups
 * of a process that was killed stay until another needs them.
 *
 * Addresses are those of the slot's process, ids those of its log, times CLOCK_MONOTONIC nanoseconds. */
#ifndef DETECT_BOARD_FORMAT_H
#define DETECT_BOARD_FORMAT_H

#include <stdint.h>

#define DT_BOARD_MAGIC "DTBOARD\n" /* 8 bytes, no terminator in the file */
#define DT_BOARD_VERSION 1u
#define DT_BOARD_NAME "detect.board"

enum {
	DT_BOARD_SLOTS = 1 << 15,
	DT_BOARD_GROUP = 8,
	DT_BOARD_GROUPS = DT_BOARD_SLOTS / DT_BOARD_GROUP,
	DT_BOARD_WORDS = DT_BOARD_SLOTS / 64,
	DT_BOARD_CLAIMS = 512,
	DT_BOARD_HELD = 12
};

/* Held back: about to ask for a lock, and kept from it for a while by the shim (detect confirm). It can go on. */
enum dt_board_state { DT_BOARD_FREE, DT_BOARD_RUNNING, DT_BOARD_BLOCKED, DT_BOARD_HELD_BACK };

enum dt_board_flag { DT_BOARD_PREFERS_WRITER = 1 };

struct dt_board_held {
	uint64_t lock, key; /* key: of a lock shared between processes, 0: private */
	uint32_t id, stack; /* in the log; stack: where it was acquired */
	uint8_t kind, mode; /* enum dt_lock_kind, dt_mode */
	uint16_t units;     /* of a semaphore: how many are held, less one */
	uint32_t zero2;
};

struct dt_board_slot {
	uint32_t sequence;
	uint32_t state; /* enum dt_board_state */
	int32_t pid, tid;
	uint32_t thread;         /* in the log */
	uint32_t held_count;     /* entries of held[] */
	uint64_t held_address;   /* the shim's held stack, in the process's own memory */
	uint64_t thread_address; /* the shim's record of the thread, likewise */
	uint64_t frame;          /* stack address of the blocked call */
	/* Valid in the states DT_BOARD_BLOCKED and DT_BOARD_HELD_BACK: */
	uint64_t object, key;
	uint64_t since_ns;
	uint64_t mutex; /* condition waits */
	uint32_t object_id, stack;
	uint32_t mutex_id;
	uint32_t other_thread;        /* joins: in the log; 0: not known */
	uint8_t op, kind, mode, wait; /* enum dt_op, dt_lock_kind, dt_mode, dt_wait */
	uint32_t flags;               /* enum dt_board_flag */
	uint32_t more_count;          /* entries at held_address, when the locks don't fit held[]; else 0 */
	uint32_t zero;
	struct dt_board_held held[DT_BOARD_HELD];
	uint64_t zeros[2];
};

struct dt_board {
	char magic[8];
	uint32_t version, slot_bytes;
	uint64_t zero[6];
	int32_t owners[DT_BOARD_GROUPS];
	uint64_t blocked[DT_BOARD_WORDS]; /* a bit a slot: blocked */
	uint64_t holders[DT_BOARD_WORDS]; /* blocked or held back while holding something */
	uint64_t claims[DT_BOARD_CLAIMS]; /* cycles that were reported, by a mix of their members' states */
	struct dt_board_slot slots[DT_BOARD_SLOTS];
};

/* What lies at thread_address, and the entries of the held stack, for who may read the process's memory. They
 * are written without any lock: read them twice. */
struct dt_board_thread {
	uint32_t depth, capacity;
	uint64_t held; /* address of struct dt_board_entry [depth] */
};

enum dt_board_entry_how {
	DT_BOARD_ENTRY_KIND = 0xf, /* enum dt_lock_kind */
	DT_BOARD_ENTRY_SHARED = 0x10,
	DT_BOARD_ENTRY_HELD = 0x100 /* without it: wanted, or being written */
};

struct dt_board_entry {
	uint64_t lock, signature;
	uint32_t stack, acq;
	uint32_t how, zero;
};

_Static_assert(sizeof(struct dt_board_slot) == 512, "slots are a power of two");

#endif
