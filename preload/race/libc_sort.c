/* libc_sort.c: functions that call the program back, from code that is not instrumented: what the
 * comparison does has, on the stacks of findings, who sorts below it. */
#include <stdlib.h>

#include "libc.h"

/* Told after the comparisons, whose many small reads would push it out of the shadow.
 * Every element may be moved; of one alone there is nothing to move or compare. */
static size_t sorted_bytes(size_t count, size_t bytes)
{
	return count > 1 ? count * bytes : 0;
}

CALL(void, qsort, (void *base, size_t count, size_t bytes, int (*compare)(const void *, const void *)))
{
	race_libc_enter(PC);
	qsort(base, count, bytes, compare);
	race_libc_leave();
	WRITES(base, sorted_bytes(count, bytes));
}

CALL(void, qsort_r,
     (void *base, size_t count, size_t bytes, int (*compare)(const void *, const void *, void *), void *with))
{
	race_libc_enter(PC);
	qsort_r(base, count, bytes, compare, with);
	race_libc_leave();
	WRITES(base, sorted_bytes(count, bytes));
}

/* The comparison reads what is looked at, and is instrumented itself. */
CALL(void *, bsearch,
     (const void *key, const void *base, size_t count, size_t bytes,
      int (*compare)(const void *, const void *)))
{
	race_libc_enter(PC);
	void *found = bsearch(key, base, count, bytes, compare);
	race_libc_leave();
	return found;
}
