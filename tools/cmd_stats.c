/* detect stats: contention, by lock or by class of lock. */
#include "command.h"

#include <argp.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <uthash.h>

#include <detect/log_read.h>
#include <detect/stats.h>

#include "inspect.h"
#include "json.h"
#include "names.h"
#include "options.h"
#include "places.h"
#include "safe.h"
#include "say.h"
#include "symbols.h"

enum { LIMIT_USUAL = 20, LIMIT_MOST = 1000000, WATCH_MOST_S = 86400 };

struct stats_arguments {
	bool json, by_class;
	unsigned limit, watch_s; /* watch_s 0: once */
	char **targets;
	size_t count;
};

/* A line of the table: a lock, or all of one class. */
struct row {
	const char *key;
	const char *name; /* with its kind */
	struct dt_stat total;
	const char *wait_site, *hold_site;
	uint64_t wait_site_ns, hold_site_ns;
	uint32_t locks;
	UT_hash_handle hh;
};

struct table {
	struct arena *arena;
	struct row *rows; /* by key */
	struct dt_stat total;
	size_t processes;
};

static error_t parse(int key, char *value, struct argp_state *state)
{
	struct stats_arguments *arguments = state->input;
	static const char *const formats[] = {"text", "json", NULL};
	static const char *const groups[] = {"lock", "class", NULL};

	switch (key) {
	case 'f':
		arguments->json = options_word("--format", value, formats) == 1;
		return 0;
	case 'b':
		arguments->by_class = options_word("--by", value, groups) == 1;
		return 0;
	case 'n':
		arguments->limit = (unsigned)options_number("--limit", value, 1, LIMIT_MOST);
		return 0;
	case 'w':
		arguments->watch_s = value ? (unsigned)options_number("--watch", value, 1, WATCH_MOST_S) : 1;
		return 0;
	case ARGP_KEY_ARG:
		arguments->targets =
		    must_realloc(arguments->targets, arguments->count + 1, sizeof(*arguments->targets));
		arguments->targets[arguments->count++] = value;
		return 0;
	case ARGP_KEY_NO_ARGS:
		say_usage("which LOG or PID? See 'detect stats --help'");
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const char *site_words(struct resolve *resolve, struct arena *arena, uint32_t stack)
{
	if (!stack)
		return NULL;
	const struct report_stack resolved = resolve_stack(resolve, stack);
	return names_frame(arena, places_find(&resolved));
}

static struct row *row_of(struct table *table, const char *key, const char *name)
{
	struct row *row;

	HASH_FIND_STR(table->rows, key, row);
	if (!row) {
		row = arena_alloc(table->arena, sizeof(*row));
		row->key = key;
		row->name = name;
		HASH_ADD_KEYPTR(hh, table->rows, row->key, strlen(row->key), row);
	}
	return row;
}

static void add_lock(struct table *table, struct resolve *resolve, const struct dt_lock_stats *stats,
                     int32_t pid, bool by_class)
{
	const struct report_lock lock = names_lock(resolve, stats->lock);
	const char *name = by_class ? lock.class_name : lock.name;
	const char *key = by_class ? arena_printf(table->arena, "%s %s", lock.kind, name)
	                           : arena_printf(table->arena, "%d %u", pid, stats->lock);
	struct row *row = row_of(table, key, arena_printf(table->arena, "%s `%s`", lock.kind_words, name));

	dt_stat_add(&row->total, &stats->total);
	dt_stat_add(&table->total, &stats->total);
	row->locks++;
	if (stats->wait_site_ns > row->wait_site_ns) {
		row->wait_site_ns = stats->wait_site_ns;
		row->wait_site = site_words(resolve, table->arena, stats->wait_stack);
	}
	if (stats->hold_site_ns > row->hold_site_ns) {
		row->hold_site_ns = stats->hold_site_ns;
		row->hold_site = site_words(resolve, table->arena, stats->hold_stack);
	}
}

/* What add_process is called with. */
struct adding {
	struct table *table;
	struct symbols *symbols;
	bool by_class;
};

static void add_process(void *context, const struct inspect *inspect)
{
	const struct adding *adding = context;
	struct table *table = adding->table;
	struct dt_facts *facts;
	struct dt_lock_stats *locks;
	uint32_t count;

	if (dt_facts_new(&facts, &dt_alloc_libc) != DT_OK ||
	    dt_log_read(facts, inspect->log, inspect->log_bytes, NULL) == DT_ERR_NOMEM ||
	    dt_stats_by_lock(facts, &dt_alloc_libc, &locks, &count) != DT_OK)
		say_out_of_memory();
	struct resolve *resolve = resolve_open(facts, adding->symbols, table->arena);
	for (uint32_t i = 0; i < count; i++)
		if (dt_facts_lock(facts, locks[i].lock))
			add_lock(table, resolve, &locks[i], inspect->pid, adding->by_class);
	table->processes++;
	if (dt_facts_counter(facts, DT_COUNT_STATS_LOST))
		say("process %d: too many locks and sites: %" PRIu64 " samples and waits had no place",
		    inspect->pid, dt_facts_counter(facts, DT_COUNT_STATS_LOST));
	resolve_close(resolve);
	dt_alloc_libc.resize(&dt_alloc_libc, locks, count * sizeof(*locks), 0);
	dt_facts_free(facts);
}

/* What costs most first: waiting, then holding. */
static int compare(struct row *a, struct row *b)
{
	if (a->total.wait_total_ns != b->total.wait_total_ns)
		return a->total.wait_total_ns < b->total.wait_total_ns ? 1 : -1;
	if (a->total.hold_total_ns != b->total.hold_total_ns)
		return a->total.hold_total_ns < b->total.hold_total_ns ? 1 : -1;
	return strcmp(a->name, b->name);
}

/* "1.25 ms", in five characters and the unit. */
static const char *duration(struct arena *arena, double ns)
{
	static const struct {
		double ns;
		const char *unit;
	} units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}};
	size_t i = 0;

	if (ns <= 0)
		return "-";
	while (i < 3 && ns < units[i].ns)
		i++;
	double value = ns / units[i].ns;
	return arena_printf(arena,
	                    value < 10    ? "%.2f %s"
	                    : value < 100 ? "%.1f %s"
	                                  : "%.0f %s",
	                    value, units[i].unit);
}

static double mean(uint64_t total, uint64_t count)
{
	return count ? (double)total / (double)count : 0;
}

/* Of the calls; never more than all. */
static double contended_share(const struct dt_stat *stat)
{
	uint64_t calls = stat->acquisitions > stat->contended ? stat->acquisitions : stat->contended;
	return calls ? 100.0 * (double)stat->contended / (double)calls : 0;
}

static double mean_hold(const struct dt_stat *stat)
{
	return mean(stat->hold_total_ns, stat->acquisitions);
}

static void print_site(const char *what, const char *site, const char *of)
{
	if (!site)
		return;
	printf("    %s at ", what);
	safe_print(stdout, site);
	printf(" (%s)\n", of);
}

static void print_table(struct table *table, const struct stats_arguments *arguments)
{
	struct arena *arena = table->arena;
	unsigned shown = 0;

	printf("%zu process%s, %u lock%s; acquisitions and holds are estimated from %" PRIu64
	       " samples, waits are all counted\n\n",
	       table->processes, table->processes == 1 ? "" : "es", HASH_COUNT(table->rows),
	       HASH_COUNT(table->rows) == 1 ? "" : "s", table->total.samples);
	printf("%12s %9s  %9s %9s %9s  %9s %9s %9s  %s\n", "acquired", "contended", "wait", "mean", "max",
	       "held", "mean", "max", arguments->by_class ? "class of lock" : "lock");
	for (struct row *row = table->rows; row && shown < arguments->limit; row = row->hh.next, shown++) {
		const struct dt_stat *s = &row->total;
		printf("%12" PRIu64 " %8.1f%%  %9s %9s %9s  %9s %9s %9s  ", s->acquisitions,
		       contended_share(s), duration(arena, (double)s->wait_total_ns),
		       duration(arena, mean(s->wait_total_ns, s->contended)),
		       duration(arena, (double)s->wait_max_ns), duration(arena, (double)s->hold_total_ns),
		       duration(arena, mean_hold(s)), duration(arena, (double)s->hold_max_ns));
		safe_print(stdout, row->name);
		if (row->locks > 1)
			printf(" (%u locks)", row->locks);
		putchar('\n');
		print_site("waits longest", row->wait_site, duration(arena, (double)row->wait_site_ns));
		print_site("holds longest", row->hold_site, duration(arena, (double)row->hold_site_ns));
	}
	if (HASH_COUNT(table->rows) > shown)
		printf("... and %u more (--limit)\n", HASH_COUNT(table->rows) - shown);
}

static const char *text_or_null(struct arena *arena, const char *text)
{
	return text ? safe_utf8(arena, text) : NULL;
}

static void print_json(struct table *table, const struct stats_arguments *arguments)
{
	json_t *locks = json_array();
	unsigned shown = 0;

	for (struct row *row = table->rows; row && shown < arguments->limit; row = row->hh.next, shown++) {
		const struct dt_stat *s = &row->total;
		json_t *sites = json_pack(
		    "{s:s?, s:I, s:s?, s:I}", "wait", text_or_null(table->arena, row->wait_site), "wait_ns",
		    (json_int_t)row->wait_site_ns, "hold", text_or_null(table->arena, row->hold_site),
		    "hold_ns", (json_int_t)row->hold_site_ns);
		json_push(
		    locks,
		    json_pack("{s:s, s:i, s:I, s:I, s:I, s:f, s:I, s:f, s:I, s:I, s:f, s:I, s:o}", "name",
		              safe_utf8(table->arena, row->name), "locks", (int)row->locks, "acquisitions",
		              (json_int_t)s->acquisitions, "samples", (json_int_t)s->samples, "contended",
		              (json_int_t)s->contended, "contended_percent", contended_share(s),
		              "wait_total_ns", (json_int_t)s->wait_total_ns, "wait_mean_ns",
		              mean(s->wait_total_ns, s->contended), "wait_max_ns", (json_int_t)s->wait_max_ns,
		              "hold_total_ns", (json_int_t)s->hold_total_ns, "hold_mean_ns", mean_hold(s),
		              "hold_max_ns", (json_int_t)s->hold_max_ns, "sites", sites));
	}
	json_print(stdout,
	           json_pack("{s:s, s:i, s:s, s:i, s:o}", "format", "libdetect-stats", "version", 1, "by",
	                     arguments->by_class ? "class" : "lock", "processes", (int)table->processes,
	                     "locks", locks),
	           JSON_INDENT(2));
	putchar('\n');
}

static void show(const struct stats_arguments *arguments, struct symbols *symbols)
{
	struct table table = {.arena = arena_new()};
	struct adding adding = {&table, symbols, arguments->by_class};

	for (size_t i = 0; i < arguments->count; i++)
		inspect_each(arguments->targets[i], add_process, &adding);
	HASH_SORT(table.rows, compare);
	if (arguments->json)
		print_json(&table, arguments);
	else
		print_table(&table, arguments);
	fflush(stdout);
	HASH_CLEAR(hh, table.rows);
	arena_free(table.arena);
}

static int run(int argc, char **argv)
{
	static const struct argp_option rows[] = {
	    {"format", 'f', "FORMAT", 0, "text (default) or json", 0},
	    {"by", 'b', "WHAT", 0, "lock (default), or class: all locks made at one place together", 0},
	    {"limit", 'n', "N", 0, "Show the N that cost most (20)", 0},
	    {"watch", 'w', "SECONDS", OPTION_ARG_OPTIONAL, "Show again every SECONDS (1), until interrupted",
	     0},
	    {0},
	};
	static const struct argp argp = {
	    .options = rows,
	    .parser = parse,
	    .args_doc = "LOG|PID...",
	    .doc = "Show how locks are contended: how often they are taken, how long they are waited for and "
	           "held, and where. Sorted by "
	           "what costs most. A LOG is a file or a folder of them, also of a process that runs; with "
	           "a PID the log is found in the "
	           "process itself.",
	};
	struct stats_arguments arguments = {.limit = LIMIT_USUAL};

	options_parse(&argp, argc, argv, 0, &arguments);
	struct symbols *symbols = symbols_open();
	show(&arguments, symbols);
	while (arguments.watch_s) {
		sleep(arguments.watch_s);
		if (isatty(STDOUT_FILENO))
			fputs("\033[H\033[2J", stdout);
		show(&arguments, symbols);
	}
	symbols_close(symbols);
	free(arguments.targets);
	return STATUS_OK;
}

const struct command cmd_stats = {
    .name = "stats",
    .summary = "contention: acquisitions, wait and hold times, by lock",
    .run = run,
};
