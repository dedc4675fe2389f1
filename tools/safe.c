/* UTF-8 validation after the table of RFC 3629, section 4: the second byte's range depends on the
 * first, all later bytes are continuation bytes. */
#include "safe.h"

#include <stdbool.h>
#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

static bool is_continuation(unsigned char byte)
{
	return (byte & 0xC0) == 0x80;
}

size_t safe_utf8_next(const char *text, uint32_t *code_point)
{
	const unsigned char *b = (const unsigned char *)text;
	size_t length;
	uint32_t point;

	if (b[0] < 0x80) {
		*code_point = b[0];
		return 1;
	} else if (b[0] >= 0xC2 && b[0] <= 0xDF) {
		length = 2, point = b[0] & 0x1F;
	} else if ((b[0] & 0xF0) == 0xE0) {
		length = 3, point = b[0] & 0x0F;
	} else if (b[0] >= 0xF0 && b[0] <= 0xF4) {
		length = 4, point = b[0] & 0x07;
	} else {
		return 0;
	}
	for (size_t i = 1; i < length; i++) {
		if (!is_continuation(b[i]))
			return 0;
		point = point << 6 | (b[i] & 0x3F);
	}
	if ((length == 3 && point < 0x800) || (length == 4 && (point < 0x10000 || point > 0x10FFFF)) ||
	    (point >= 0xD800 && point <= 0xDFFF))
		return 0;
	*code_point = point;
	return length;
}

/* C0, DEL, C1, line separators and bidirectional overrides; and what is no character at all, which
 * XML does not allow. */
static bool is_unprintable(uint32_t point)
{
	return point < 0x20 || (point >= 0x7F && point <= 0x9F) || (point >= 0x200E && point <= 0x200F) ||
	       (point >= 0x2028 && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069) ||
	       (point >= 0xFDD0 && point <= 0xFDEF) || (point & 0xFFFE) == 0xFFFE;
}

/* The longest piece: \u{10FFFF}, and its NUL. */
#define PIECE_BYTES 12

/* The printable form of the first character of `text`, which takes *used bytes of it. */
static size_t print_next(const char *text, char piece[PIECE_BYTES], size_t *used)
{
	uint32_t point;
	size_t length = safe_utf8_next(text, &point);

	*used = length ? length : 1;
	if (length == 0)
		return (size_t)snprintf(piece, PIECE_BYTES, "\\x%02X", (unsigned char)*text);
	if (is_unprintable(point))
		return (size_t)snprintf(piece, PIECE_BYTES, point < 0x100 ? "\\x%02X" : "\\u{%04X}",
		                        (unsigned)point);
	memcpy(piece, text, length);
	return length;
}

void safe_print(FILE *out, const char *text)
{
	char piece[PIECE_BYTES];
	size_t used;

	for (; *text; text += used)
		fwrite(piece, 1, print_next(text, piece, &used), out);
}

const char *safe_visible(struct arena *arena, const char *text)
{
	char piece[PIECE_BYTES];
	size_t used, bytes = 0;

	for (const char *at = text; *at; at += used)
		bytes += print_next(at, piece, &used);
	char *copy = arena_alloc(arena, bytes + 1), *to = copy;
	for (; *text; text += used) {
		size_t length = print_next(text, piece, &used);
		memcpy(to, piece, length);
		to += length;
	}
	return copy;
}

const char *safe_utf8(struct arena *arena, const char *text)
{
	uint32_t point;
	size_t bad = 0;

	for (const char *at = text; *at;) {
		size_t length = safe_utf8_next(at, &point);
		bad += length == 0;
		at += length ? length : 1;
	}
	if (bad == 0)
		return text;
	char *copy = arena_alloc(arena, strlen(text) + bad * (sizeof(REPLACEMENT) - 1) + 1), *to = copy;
	while (*text) {
		size_t length = safe_utf8_next(text, &point);
		const char *from = length ? text : REPLACEMENT;
		size_t bytes = length ? length : sizeof(REPLACEMENT) - 1;
		memcpy(to, from, bytes);
		to += bytes;
		text += length ? length : 1;
	}
	return copy;
}
