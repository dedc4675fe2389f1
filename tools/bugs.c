/* Sorted by bug, since very many findings can each have their own. */
#include "bugs.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	const struct report_finding *one = *(struct report_finding *const *)a,
	                            *other = *(struct report_finding *const *)b;

	if (one->bug != other->bug)
		return one->bug < other->bug ? -1 : 1;
	if (one->rule != other->rule)
		return one->rule < other->rule ? -1 : 1;
	return strcmp(one->fingerprint, other->fingerprint);
}

/* Of one bug: the first of a rule and the first of another. */
static void relate(struct report_finding **findings, size_t count)
{
	const struct report_finding *first = findings[0], *second = NULL;

	for (size_t i = 1; i < count && !second; i++)
		if (findings[i]->rule != first->rule)
			second = findings[i];
	for (size_t i = 0; second && i < count; i++)
		findings[i]->related =
		    findings[i]->rule == first->rule ? second->fingerprint : first->fingerprint;
}

void bugs_relate(struct report_finding **findings, size_t count)
{
	if (!count)
		return;
	qsort(findings, count, sizeof(*findings), compare);
	for (size_t begin = 0, end; begin < count; begin = end) {
		for (end = begin + 1; end < count && findings[end]->bug == findings[begin]->bug; end++)
			;
		relate(&findings[begin], end - begin);
	}
}
