/* sort.h: sorting for the engine. The C library's qsort may call malloc, which the shim must not.
 *
 * Memory: none; sorts in place. Threads: any. Failure: none. Not stable: give a total order. */
#ifndef DT_SORT_H
#define DT_SORT_H

#include <stddef.h>
#include <stdint.h>

/* Below 0: a comes before b. */
typedef int dt_compare(const void *a, const void *b, void *context);

void dt_sort(void *items, size_t count, size_t each_bytes, dt_compare *compare, void *context);

/* Ascending numbers. */
void dt_sort_u32(uint32_t *items, size_t count);

#endif
