/* What Helgrind and DRD call their errors, and our rules of the same sense; and their frames.
 *
 * A C++ name is mangled in Valgrind's files and demangled in our stacks. A mangled pattern is decoded as
 * far as it is literal and a plain nested name (Itanium C++ ABI, 5.1: <prefix>): the rest, most
 * often parameters or a star, becomes a star. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "near.h"
#include "pattern.h"
#include "suppress_set.h"

struct kind {
	const char *word; /* "Tool:Kind" */
	const char *rules[SUPPRESS_RULES_MAX];
};

#define RACES "data-race", "predicted-race"
#define MISUSE                                                                                               \
	"self-deadlock", "unlock-not-locked", "unlock-not-owner", "destroy-locked", "use-destroyed",         \
	    "init-locked"

static const struct kind kinds[] = {
    {"Helgrind:Race", {RACES}},
    {"Helgrind:LockOrder", {"lock-order-cycle"}},
    {"Helgrind:UnlockUnlocked", {"unlock-not-locked"}},
    {"Helgrind:UnlockForeign", {"unlock-not-owner"}},
    {"Helgrind:UnlockBogus", {"unlock-not-locked", "use-destroyed"}},
    {"Helgrind:FreeMemLock", {"destroy-locked"}},
    {"Helgrind:PthAPIerror", {MISUSE, "destroy-waited"}},
    {"Helgrind:Misc",
     {MISUSE, "destroy-waited", "exit-holding-lock", "cond-mutex-mismatch", "cond-wait-unlocked"}},
    {"Helgrind:Dubious", {NULL}},
    {"DRD:ConflictingAccess", {RACES}},
    {"DRD:MutexErr", {MISUSE}},
    {"DRD:RwlockErr", {MISUSE}},
    {"DRD:SemaphoreErr", {"destroy-waited", "use-destroyed", "init-locked"}},
    {"DRD:BarrierErr", {"destroy-waited", "use-destroyed", "init-locked"}},
    {"DRD:CondErr", {"cond-mutex-mismatch", "cond-wait-unlocked", "use-destroyed"}},
    {"DRD:CondWaitErr", {"cond-mutex-mismatch", "cond-wait-unlocked"}},
    {"DRD:CondDestrErr", {"destroy-waited"}},
    {"DRD:CondRaceErr", {NULL}},
    {"DRD:HoldtimeErr", {"long-wait"}},
    {"DRD:GenericErr", {NULL}},
    {"DRD:InvalidThreadId", {NULL}},
    {"DRD:UnimpHgClReq", {NULL}},
    {"DRD:UnimpDrdClReq", {NULL}},
};

static const char *const other_tools[] = {
    "Memcheck", "Addrcheck", "CoreCheck", "CoreError",    "Cachegrind",  "Callgrind", "Massif",  "DHAT",
    "exp-dhat", "Lackey",    "Nulgrind",  "exp-ptrcheck", "exp-sgcheck", "exp-bbv",   "exp-drd", "None",
};

static const char *nth_kind(size_t index)
{
	return index < sizeof(kinds) / sizeof(*kinds) ? kinds[index].word : NULL;
}

static bool has_tool(const char *list, const char *tool)
{
	size_t length = strlen(tool);

	for (const char *at = list; *at && *at != ':'; at++)
		if ((at == list || at[-1] == ',') && strncasecmp(at, tool, length) == 0 &&
		    (at[length] == ',' || at[length] == ':'))
			return true;
	return false;
}

static bool has_other_tool(const char *list)
{
	for (size_t i = 0; i < sizeof(other_tools) / sizeof(*other_tools); i++)
		if (has_tool(list, other_tools[i]))
			return true;
	return false;
}

/* "Tool[,Tool]:Kind" and nothing else: not a name that has a colon somewhere. */
static bool looks_like_kind(const char *text)
{
	size_t tools = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-,");
	size_t length = strlen(text);

	if (tools == 0 || text[tools] != ':' || tools + 1 == length)
		return false;
	for (const char *at = text + tools + 1; *at; at++)
		if (!isalnum((unsigned char)*at) && *at != '-' && *at != '_')
			return false;
	return true;
}

bool suppress_valgrind_is_kind(const char *text)
{
	return looks_like_kind(text) &&
	       (has_tool(text, "Helgrind") || has_tool(text, "drd") || has_other_tool(text));
}

char *suppress_valgrind_kind(struct suppress_parse *parse, const char *text, bool *taken)
{
	struct suppress_entry *block = parse->block;

	if (!looks_like_kind(text))
		return NULL;
	bool helgrind = has_tool(text, "Helgrind"), drd = has_tool(text, "drd"), known = false;
	if (!helgrind && !drd) {
		*taken = parse->is_foreign = has_other_tool(text);
		return NULL;
	}
	*taken = true;
	parse->is_valgrind = true;
	const char *word = strchr(text, ':') + 1;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		const char *colon = strchr(kinds[i].word, ':');

		if (strcmp(colon + 1, word) || !(kinds[i].word[0] == 'H' ? helgrind : drd))
			continue;
		known = true;
		suppress_add(block, SUPPRESS_KIND, kinds[i].word)->rules = kinds[i].rules;
		block->is_mute |= !kinds[i].rules[0];
		break;
	}
	if (known)
		return NULL;
	return suppress_complain(parse, "no kind of error", text, near_find(text, nth_kind));
}

/* What a mangled pattern stands for, as far as it can be told; NULL: no nested name. */
static const char *decode(struct arena *arena, const char *mangled)
{
	const char *at = mangled + 2, *plain = "";

	if (strncmp(mangled, "_Z", 2))
		return NULL;
	at += strspn(at, "NKL");
	if (strncmp(at, "St", 2) == 0)
		plain = "std", at += 2;
	while (isdigit((unsigned char)*at)) {
		char *end;
		unsigned long length = strtoul(at, &end, 10);

		size_t literal = strcspn(end, "*?");
		bool cut = length > literal;
		if (length == 0 || (cut && !end[literal]))
			break;
		if (cut) /* the name itself has a wildcard */
			return arena_printf(arena, "%s%s%.*s*", plain, *plain ? "::" : "", (int)literal, end);
		plain = arena_printf(arena, "%s%s%.*s", plain, *plain ? "::" : "", (int)length, end);
		at = end + length;
		at += *at == 'L'; /* of internal linkage, as gcc marks it */
	}
	if (!*plain)
		return NULL;
	return strpbrk(at, "*?") || isupper((unsigned char)*at) ? arena_printf(arena, "%s*", plain) : plain;
}

static struct suppress_condition *open_stack(struct suppress_entry *block)
{
	struct suppress_condition *last =
	    block->condition_count ? &block->conditions[block->condition_count - 1] : NULL;

	return last && last->key == SUPPRESS_STACK ? last : suppress_add(block, SUPPRESS_STACK, NULL);
}

char *suppress_valgrind_frame(struct suppress_parse *parse, const char *text, bool *taken)
{
	static const char *const parts[] = {[SUPPRESS_FUN] = "fun:",
	                                    [SUPPRESS_OBJ] = "obj:",
	                                    [SUPPRESS_SRC] = "src:",
	                                    [SUPPRESS_GAP] = "..."};
	size_t part = 0;

	while (part <= SUPPRESS_GAP && strncmp(text, parts[part], strlen(parts[part])))
		part++;
	*taken = part <= SUPPRESS_GAP && (part != SUPPRESS_GAP || !text[strlen(parts[part])]);
	if (!*taken)
		return NULL;
	const char *pattern = text + strlen(parts[part]) + strspn(text + strlen(parts[part]), " \t");
	if (part != SUPPRESS_GAP && !*pattern)
		return suppress_complain(parse, "no pattern after", text, NULL);
	struct suppress_condition *stack = open_stack(parse->block);
	stack->frames = must_realloc(stack->frames, stack->frame_count + 1, sizeof(*stack->frames));
	stack->frames[stack->frame_count++] = (struct suppress_frame){
	    .part = (enum suppress_part)part,
	    .pattern = pattern,
	    .plain = part == SUPPRESS_FUN ? decode(parse->set->arena, pattern) : NULL,
	};
	return NULL;
}

static bool is_one_of(const struct suppress_frame *frame, const char *const *functions)
{
	if (frame->part == SUPPRESS_OBJ)
		return strstr(frame->pattern, "vgpreload_") != NULL;
	for (size_t i = 0; frame->part == SUPPRESS_FUN && functions[i]; i++)
		if (pattern_whole(functions[i], frame->pattern))
			return true;
	return false;
}

void suppress_valgrind_trim(struct suppress_entry *entry)
{
	static const char *const wrappers[] = {"*_WRK", "*_intercept", "pthread_*", "sem_*",
	                                       "mtx_*", "cnd_*",       NULL};
	static const char *const starters[] = {"*thread_wrapper", "start_thread", "(below main)", NULL};

	for (size_t c = 0; c < entry->condition_count; c++) {
		struct suppress_condition *stack = &entry->conditions[c];
		size_t first = 0, end;

		if (stack->key != SUPPRESS_STACK)
			continue;
		while (first < stack->frame_count && is_one_of(&stack->frames[first], wrappers))
			first++;
		for (end = first; end < stack->frame_count; end++)
			if (is_one_of(&stack->frames[end], starters))
				break;
		stack->frame_count = end - first;
		memmove(stack->frames, stack->frames + first, stack->frame_count * sizeof(*stack->frames));
	}
}
