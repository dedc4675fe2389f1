/* Five entities are all that XML asks for once the text is printable. */
#include "xml.h"

#include <string.h>

#include "safe.h"

static const char *entity(char character)
{
	switch (character) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	default:
		return "&apos;";
	}
}

void xml_lines(FILE *out, const char *text)
{
	while (*text) {
		size_t plain = strcspn(text, "&<>\"'");

		fwrite(text, 1, plain, out);
		text += plain;
		if (*text)
			fputs(entity(*text++), out);
	}
}

void xml_text(FILE *out, struct arena *arena, const char *text)
{
	xml_lines(out, safe_visible(arena, text));
}

void xml_element(FILE *out, struct arena *arena, int indent, const char *name, const char *text)
{
	if (!text)
		return;
	fprintf(out, "%*s<%s>", indent, "", name);
	xml_text(out, arena, text);
	fprintf(out, "</%s>\n", name);
}

void xml_attribute(FILE *out, struct arena *arena, const char *name, const char *text)
{
	fprintf(out, " %s=\"", name);
	xml_text(out, arena, text);
	fputc('"', out);
}
