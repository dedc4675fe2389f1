/* options.c: key=value pairs with colons between, as sanitizer users know them. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "say.h"

struct shim_options shim_options = {
#define DT_OPTION(name, type, fallback, help) .name = fallback,
#include <detect/options.def>
};

enum option_type { STRING, BOOL, UINT, ENUM };

static const struct option_row {
	const char *name;
	enum option_type type;
	size_t offset;
} rows[] = {
#define DT_OPTION(name, type, fallback, help) {#name, type, offsetof(struct shim_options, name)},
#include <detect/options.def>
};

static const struct word_row {
	const char *option;
	uint32_t index;
	const char *word;
} words[] = {
#define DT_OPTION_WORD(name, index, word) {#name, index, word},
#include <detect/options.def>
};

static char text[8192];

static bool set_bool(bool *at, const char *value)
{
	if (!strcmp(value, "yes") || !strcmp(value, "true") || !strcmp(value, "1"))
		*at = true;
	else if (!strcmp(value, "no") || !strcmp(value, "false") || !strcmp(value, "0"))
		*at = false;
	else
		return false;
	return true;
}

static bool set_number(uint32_t *at, const char *value)
{
	uint64_t n = 0;
	if (!*value)
		return false;
	for (; *value; value++) {
		if (*value < '0' || *value > '9' || (n = n * 10 + (uint64_t)(*value - '0')) > UINT32_MAX)
			return false;
	}
	*at = (uint32_t)n;
	return true;
}

static bool set_word(uint32_t *at, const char *option, const char *value)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (!strcmp(words[i].option, option) && !strcmp(words[i].word, value)) {
			*at = words[i].index;
			return true;
		}
	}
	return false;
}

static bool set(const struct option_row *row, char *value)
{
	void *at = (char *)&shim_options + row->offset;
	switch (row->type) {
	case STRING:
		*(const char **)at = value;
		return true;
	case BOOL:
		return set_bool(at, value);
	case UINT:
		return set_number(at, value);
	case ENUM:
		return set_word(at, row->name, value);
	}
	return false;
}

static void complain(const char *what, const char *name)
{
	char buffer[512];
	struct shim_text t = {buffer, 0, sizeof buffer};
	shim_text_add(&t, "libdetect: DETECT_OPTIONS: ");
	shim_text_add(&t, what);
	shim_text_add(&t, " '");
	shim_text_add(&t, name);
	shim_text_add(&t, "': left out\n");
	shim_text_write(&t);
}

static void set_pair(char *pair)
{
	char *value = strchr(pair, '=');
	if (!value) {
		if (*pair)
			complain("no '=' in", pair);
		return;
	}
	*value++ = '\0';
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (strcmp(rows[i].name, pair))
			continue;
		if (!set(&rows[i], value))
			complain("bad value for", pair);
		return;
	}
	complain("unknown option", pair);
}

extern char **environ;
extern void *__libc_stack_end;

/* A program's .preinit_array runs before the C library is initialised, and so has no environment; where the
 * kernel put it the loader knows: behind argc and argv. */
static const char *find_variable(const char *name)
{
	if (environ)
		return getenv(name);
	const uintptr_t *stack = __libc_stack_end;
	char **variable = (char **)(stack + 1 + stack[0] + 1);
	size_t length = strlen(name);
	for (; *variable; variable++)
		if (strncmp(*variable, name, length) == 0 && (*variable)[length] == '=')
			return *variable + length + 1;
	return NULL;
}

void shim_options_read(void)
{
	const char *from = find_variable("DETECT_OPTIONS");
	if (!from)
		return;
	if (strlen(from) >= sizeof text) {
		complain("too long:", "8191 characters at most");
		return;
	}
	char *to = text, *pair = text;
	for (;; from++) {
		if (*from == '\\' && from[1]) {
			*to++ = *++from;
		} else if (*from == ':' || !*from) {
			*to++ = '\0';
			set_pair(pair);
			pair = to;
			if (!*from)
				return;
		} else {
			*to++ = *from;
		}
	}
}
