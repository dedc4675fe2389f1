/* symbols.h: functions, lines and names of data, from symbol tables and DWARF, by elfutils' libdw.
 *
 * Files are opened when an address in them is first asked for. A file whose build id is not the one
 * that the log recorded (rebuilt since) is not used; that, and files that can't be read, are said
 * once each in symbols_warning.
 * Memory: strings live until symbols_close. Threads: one at a time. Failure: less is known. */
#ifndef SYMBOLS_H
#define SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <detect/facts.h>

struct sym_frame {
	const char *function; /* demangled, NULL: not known */
	const char *file;     /* as compiled, normalised; NULL: not known */
	unsigned line, column;
	const char *module; /* base name of the object */
	uint64_t offset;    /* link-time address in it */
	bool inlined;       /* into the next frame */
};

struct symbols;

struct symbols *symbols_open(void);
void symbols_close(struct symbols *symbols);

/* The source frames of a return address (or of an address itself), innermost first; at least one,
 * which has the module and offset when nothing more is known. Results are remembered. */
size_t symbols_frames(struct symbols *symbols, const struct dt_module *module, uint64_t pc,
                      bool is_return_address, struct sym_frame *out, size_t max);

/* "accounts[1].lock", "g_log_mutex", "count_lock (static in count)": what lies at a running address
 * of the module's data; NULL: no symbol. */
const char *symbols_global(struct symbols *symbols, const struct dt_module *module, uint64_t address);

/* The same of a thread-local variable, by where it lies in its module's block of them. */
const char *symbols_thread_local(struct symbols *symbols, const struct dt_module *module, uint64_t offset);

/* "request.id": the variable or parameter of the function around `pc`, a return address, that lies `offset` bytes from
 * the frame's CFA; the stack pointer lies `frame_bytes` below that. NULL: none, or not one. */
const char *symbols_local(struct symbols *symbols, const struct dt_module *module, uint64_t pc, int64_t offset,
                          uint64_t frame_bytes);

/* Where that variable is declared. */
bool symbols_global_place(struct symbols *symbols, const struct dt_module *module, uint64_t address,
                          const char **file, unsigned *line);

/* "cache.lock": the member at `offset` of a heap block that was made by the function around `pc`, when
 * exactly one struct type among those its variables, parameters and result point to has the
 * block's size, and has room there for an object of so many bytes. NULL: none, or not one. */
const char *symbols_heap_member(struct symbols *symbols, const struct dt_module *module, uint64_t pc,
                                uint64_t block_bytes, uint64_t offset, uint64_t bytes);

/* What was wrong with files, one line each; NULL past the last. */
const char *symbols_warning(struct symbols *symbols, size_t index);

#endif
