/* jansson answers -1 or NULL for lack of memory only: its other reason, invalid UTF-8, is kept away by
 * json_text. */
#include "json.h"

#include <inttypes.h>
#include <stdio.h>

#include "safe.h"
#include "say.h"

static json_t *made(json_t *value)
{
	if (!value)
		say_out_of_memory();
	return value;
}

json_t *json_text(struct arena *arena, const char *value)
{
	return value ? made(json_string(safe_utf8(arena, value))) : json_null();
}

json_t *json_words(struct arena *arena, const char *value)
{
	return value ? made(json_string(safe_visible(arena, value))) : json_null();
}

json_t *json_hexadecimal(uint64_t value)
{
	char digits[2 + 16 + 1];

	snprintf(digits, sizeof(digits), "0x%" PRIx64, value);
	return made(json_string(digits));
}

void json_push(json_t *array, json_t *value)
{
	if (json_array_append_new(array, value))
		say_out_of_memory();
}

void json_put(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value))
		say_out_of_memory();
}

void json_print(FILE *out, json_t *value, size_t flags)
{
	/* What fails here is the stream, and its error indicator says so. */
	(void)json_dumpf(made(value), out, flags);
	json_decref(value);
}
