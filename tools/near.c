/* Edit distance with transpositions of neighbours (optimal string alignment): "reprot" is one slip
 * from "report". Three rows of the table are enough. */
#include "near.h"

#include <string.h>

#define NAME_MAX_BYTES 64

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t distance(const char *a, const char *b)
{
	size_t rows[3][NAME_MAX_BYTES + 1], a_length = strlen(a), b_length = strlen(b);

	if (a_length > NAME_MAX_BYTES || b_length > NAME_MAX_BYTES)
		return NAME_MAX_BYTES;
	for (size_t j = 0; j <= b_length; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			row[j] =
			    min(min(above[j] + 1, row[j - 1] + 1), above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = min(row[j], above2[j - 2] + 1);
		}
	}
	return rows[a_length % 3][b_length];
}

const char *near_find(const char *wrong, const char *(*names)(size_t index))
{
	const char *best = NULL, *name;
	size_t best_distance = 0;

	for (size_t i = 0; (name = names(i)); i++) {
		size_t d = distance(wrong, name);

		if (!best || d < best_distance)
			best = name, best_distance = d;
	}
	if (best && best_distance * 5 > strlen(best) * 2 + 2)
		return NULL;
	return best;
}
