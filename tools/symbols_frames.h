/* symbols_frames.h: the scopes around an address. Internal to symbols*.c. */
#ifndef SYMBOLS_FRAMES_H
#define SYMBOLS_FRAMES_H

#include "symbols_file.h"

enum { SCOPES_MAX = 128 };

/* The function with code at a link-time address and, in it, the blocks and inlined functions with code
 * there, outermost first: how many of `scopes` (which has room for SCOPES_MAX) are set. *unit, if
 * wanted, is the unit they are in; NULL: none has code there. */
size_t frames_scopes(struct sym_file *file, uint64_t address, Dwarf_Die *scopes, struct sym_unit **unit);

/* Forget all frames known. */
void frames_free(struct symbols *symbols);

#endif
