/* sort.c: heapsort (Williams 1964, Floyd's heap construction): in place, never quadratic whatever
 * a hostile log holds, no recursion. */
#include "sort.h"

#include <string.h>

static void swap(unsigned char *a, unsigned char *b, size_t bytes)
{
	unsigned char piece[64];

	while (bytes) {
		size_t part = bytes < sizeof piece ? bytes : sizeof piece;
		memcpy(piece, a, part);
		memcpy(a, b, part);
		memcpy(b, piece, part);
		a += part;
		b += part;
		bytes -= part;
	}
}

static void sift_down(unsigned char *items, size_t root, size_t count, size_t each, dt_compare *compare,
                      void *context)
{
	for (;;) {
		size_t child = 2 * root + 1;
		if (child >= count)
			return;
		if (child + 1 < count &&
		    compare(items + child * each, items + (child + 1) * each, context) < 0)
			child++;
		if (compare(items + root * each, items + child * each, context) >= 0)
			return;
		swap(items + root * each, items + child * each, each);
		root = child;
	}
}

void dt_sort(void *items, size_t count, size_t each_bytes, dt_compare *compare, void *context)
{
	for (size_t i = count / 2; i-- > 0;)
		sift_down(items, i, count, each_bytes, compare, context);
	for (size_t end = count; end > 1;) {
		end--;
		swap(items, (unsigned char *)items + end * each_bytes, each_bytes);
		sift_down(items, 0, end, each_bytes, compare, context);
	}
}

static int compare_u32(const void *a, const void *b, void *context)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	(void)context;
	return (left > right) - (left < right);
}

void dt_sort_u32(uint32_t *items, size_t count)
{
	dt_sort(items, count, sizeof *items, compare_u32, NULL);
}
