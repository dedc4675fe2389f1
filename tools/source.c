/* A path is placed once and remembered: reports name few files very often.
 *
 * A file that is not below the root may have been compiled elsewhere (a container, another
 * checkout): then the longest end of its path that exists below the root is taken, of two parts at
 * least, since a bare "main.c" would be found anywhere. */
#include "source.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#include "arena.h"
#include "places.h"

struct placed {
	const char *from; /* key */
	const char *path;
	bool in_root;
	UT_hash_handle hh;
};

struct source {
	struct arena *arena;
	const char *root, *real_root; /* as given, and without symbolic links; no "/" at their ends */
	struct placed *placed;
};

static const char *without_end_slashes(struct arena *arena, const char *path)
{
	size_t length = strlen(path);

	while (length > 0 && path[length - 1] == '/')
		length--;
	return arena_printf(arena, "%.*s", (int)length, path);
}

/* The nearest folder upwards that has a .git (a file in a worktree); "" is the root of all. */
static char *find_checkout(const char *from)
{
	char *folder = must_printf("%s", from), *slash;

	for (;;) {
		char *git = must_printf("%s/.git", folder);
		bool found = access(git, F_OK) == 0;

		free(git);
		if (found)
			return folder;
		slash = strrchr(folder, '/');
		if (!slash) {
			free(folder);
			return must_printf("%s", from);
		}
		*slash = '\0';
	}
}

static char *default_root(void)
{
	static const char *const variables[] = {"GITHUB_WORKSPACE", "CI_PROJECT_DIR"};
	char *here, *root;

	for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++) {
		const char *value = getenv(variables[i]);
		if (value && *value == '/')
			return must_printf("%s", value);
	}
	here = getcwd(NULL, 0);
	if (!here)
		return must_printf("/");
	root = find_checkout(here);
	free(here);
	return root;
}

struct source *source_open(const char *root)
{
	struct source *source = must_realloc(NULL, 1, sizeof(*source));
	char *chosen = root ? must_printf("%s", root) : default_root();
	char *real = realpath(chosen, NULL);

	*source = (struct source){.arena = arena_new()};
	source->real_root = without_end_slashes(source->arena, real ? real : chosen);
	source->root = *chosen == '/' ? without_end_slashes(source->arena, chosen) : source->real_root;
	free(real);
	free(chosen);
	return source;
}

void source_close(struct source *source)
{
	if (!source)
		return;
	HASH_CLEAR(hh, source->placed);
	arena_free(source->arena);
	free(source);
}

const char *source_root(const struct source *source)
{
	return *source->root ? source->root : "/";
}

/* What follows `root` in `path`; NULL when it is not below it. */
static const char *below(const char *root, const char *path)
{
	size_t length = strlen(root);

	if (strncmp(path, root, length) || path[length] != '/')
		return NULL;
	path += length;
	path += strspn(path, "/");
	return *path ? path : NULL;
}

static bool exists(const struct source *source, const char *relative)
{
	char *path = must_printf("%s/%s", source->real_root, relative);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

/* Has a "." or ".." part, which would lead out of the root. */
static bool has_dots(const char *path)
{
	for (const char *part = path; part; part = strchr(part, '/')) {
		part += *part == '/';
		size_t length = strcspn(part, "/");
		if ((length == 1 && *part == '.') || (length == 2 && strncmp(part, "..", 2) == 0))
			return true;
	}
	return false;
}

static const char *find_in_root(const struct source *source, const char *path)
{
	const char *rest = below(source->root, path);

	if (has_dots(path))
		return NULL;
	if (!rest)
		rest = below(source->real_root, path);
	if (rest)
		return rest;
	if (*path != '/')
		return *path && exists(source, path) ? path : NULL;
	for (const char *end = path; (end = strchr(end, '/')) && strchr(end + 1, '/'); end++)
		if (end[1] != '/' && exists(source, end + 1))
			return end + 1;
	return NULL;
}

static const struct placed *place(struct source *source, const char *path)
{
	struct placed *placed;

	HASH_FIND_STR(source->placed, path, placed);
	if (placed)
		return placed;
	const char *rest = find_in_root(source, path);
	placed = arena_alloc(source->arena, sizeof(*placed));
	placed->from = arena_copy(source->arena, path);
	placed->in_root = rest != NULL;
	placed->path = rest ? arena_copy(source->arena, rest) : placed->from;
	HASH_ADD_KEYPTR(hh, source->placed, placed->from, strlen(placed->from), placed);
	return placed;
}

static struct spot make_spot(struct source *source, const char *path, const struct report_frame *frame)
{
	const struct placed *placed = place(source, path);

	return (struct spot){.path = placed->path, .in_root = placed->in_root, .frame = frame};
}

bool source_frame_spot(struct source *source, const struct report_frame *frame, struct spot *spot)
{
	const char *path = frame->file && *frame->file ? frame->file : frame->module;

	if (!path || !*path)
		return false;
	*spot = make_spot(source, path, frame);
	spot->is_source = path == frame->file;
	spot->line = spot->is_source ? frame->line : 0;
	spot->column = spot->line ? frame->column : 0;
	return true;
}

/* How good a frame is for showing a finding at: the higher the better. */
static int rank(const struct spot *spot)
{
	return 4 * (spot->is_source && spot->in_root) + 2 * spot->is_source + places_is_place(spot->frame);
}

bool source_spot(struct source *source, const struct report_stack *stack, struct spot *spot)
{
	int best = -1;

	for (size_t i = 0; i < stack->count && best < 7; i++) {
		struct spot candidate;

		if (!source_frame_spot(source, &stack->frames[i], &candidate) || rank(&candidate) <= best)
			continue;
		best = rank(&candidate);
		*spot = candidate;
	}
	return best >= 0;
}

const struct report_event *source_main_event(const struct report_finding *finding)
{
	const struct report_event *holding = NULL;

	for (size_t i = 0; i < finding->event_count; i++) {
		const struct report_event *event = &finding->events[i];

		if (event->kind != DT_EVENT_HOLD && event->stack.count)
			return event;
		if (!holding && event->stack.count)
			holding = event;
	}
	return holding || !finding->event_count ? holding : &finding->events[0];
}

struct spot source_finding_spot(struct source *source, const struct report *report,
                                const struct report_finding *finding)
{
	const struct report_event *event = source_main_event(finding);
	const struct report_process *process = &report->processes[finding->process];
	const char *program = process->argc && *process->argv[0] ? process->argv[0] : process->program;
	struct spot spot;

	if (event && source_spot(source, &event->stack, &spot))
		return spot;
	return make_spot(source, *program ? program : "program", NULL);
}
