/* near.h: "did you mean": the name of a list that is nearest to a mistyped one. */
#ifndef TOOLS_NEAR_H
#define TOOLS_NEAR_H

#include <stddef.h>

/* `names` gives the name of row `index`, NULL past the end. Returns the nearest by edit distance,
 * or NULL when none is near enough to be a slip of the fingers. */
const char *near_find(const char *wrong, const char *(*names)(size_t index));

#endif
