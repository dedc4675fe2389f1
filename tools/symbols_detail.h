/* symbols_detail.h: how much can be said of a program's code, before it is run. For `detect doctor`.
 * Threads: one at a time. Failure: less is known. */
#ifndef SYMBOLS_DETAIL_H
#define SYMBOLS_DETAIL_H

#include <stdbool.h>

struct symbols_detail {
	bool has_lines; /* DWARF, in it or beside it */
	bool has_names; /* a symbol table of its own functions */
	bool is_go, is_rust, has_asan;
};

void symbols_detail_read(struct symbols_detail *detail, const char *path);

/* Version of the library that reads them. */
const char *symbols_reader_version(void);

#endif
