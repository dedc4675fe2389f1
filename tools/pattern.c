/* Backtracks to the last star only, which is enough for patterns of one alphabet: O(pattern x text). */
#include "pattern.h"

#include <stddef.h>
#include <string.h>

struct pattern {
	const char *at, *end;
	bool tied;     /* at the text's end too */
	bool has_ones; /* `?` is any one character */
};

static bool match_here(struct pattern pattern, const char *text)
{
	const char *star = NULL, *resume = NULL;

	for (;;) {
		if (pattern.at < pattern.end && *pattern.at == '*') {
			star = pattern.at++;
			resume = text;
		} else if (pattern.at == pattern.end && (!pattern.tied || !*text)) {
			return true;
		} else if (pattern.at < pattern.end && *text &&
		           (*pattern.at == *text || (pattern.has_ones && *pattern.at == '?'))) {
			pattern.at++, text++;
		} else if (star && *resume) {
			pattern.at = star + 1;
			text = ++resume;
		} else {
			return false;
		}
	}
}

bool pattern_in(const char *pattern, const char *text)
{
	size_t length = strlen(pattern);
	bool from_start = length && pattern[0] == '^';

	if (!text)
		return false;
	if (from_start)
		pattern++, length--;
	const bool to_end = length && pattern[length - 1] == '$';
	const struct pattern here = {.at = pattern, .end = pattern + length - to_end, .tied = to_end};
	do {
		if (match_here(here, text))
			return true;
	} while (!from_start && *text++);
	return false;
}

bool pattern_whole(const char *pattern, const char *text)
{
	const struct pattern whole = {
	    .at = pattern, .end = pattern + strlen(pattern), .tied = true, .has_ones = true};

	return text && match_here(whole, text);
}
