/* One process's facts are in memory at a time; what stays is the resolved findings.
 *
 * Findings with one fingerprint and one program are one bug, whichever processes showed it: the
 * first of the highest level stands for all, with their counts added. */
#include "report.h"

#include <detect/check.h>

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "between.h"
#include "bugs.h"
#include "claims_before.h"
#include "contention.h"
#include "endings.h"
#include "finding.h"
#include "notices.h"
#include "names.h"
#include "order.h"
#include "progress.h"
#include "say.h"

struct merged {
	const char *key; /* what makes two findings one */
	struct report_finding finding;
	UT_hash_handle hh; /* in order of arrival */
};

struct report_builder {
	struct report_settings settings;
	struct arena *arena;
	struct symbols *symbols;
	struct merged *merged;
	struct report report;
	struct resolve *resolve; /* of the log that is being added */
	struct peers *peers;     /* other processes that findings are about */
	struct between *between;
	struct claims_before *claims; /* NULL: none */
	bool has_bugs; /* of the log: findings that tell of one bug */
};

struct report_builder *report_open(const struct report_settings *settings)
{
	struct report_builder *builder = must_realloc(NULL, 1, sizeof(*builder));

	*builder =
	    (struct report_builder){.settings = *settings, .arena = arena_new(), .symbols = symbols_open()};
	if (!builder->symbols)
		say_out_of_memory();
	builder->peers = peers_open(NULL, builder->symbols, builder->arena);
	builder->between = between_open();
	if (settings->claims && settings->claims->count)
		builder->claims = claims_before_open(settings->claims);
	return builder;
}

void report_close(struct report_builder *builder)
{
	if (!builder)
		return;
	HASH_CLEAR(hh, builder->merged);
	claims_before_close(builder->claims);
	peers_close(builder->peers);
	between_close(builder->between);
	symbols_close(builder->symbols);
	free(builder->report.processes);
	free(builder->report.findings);
	free(builder->report.notices);
	free(builder->report.remarks);
	order_free(&builder->report.graph);
	contention_free(&builder->report);
	free((void *)(uintptr_t)builder->report.gone);
	arena_free(builder->arena);
	free(builder);
}

static void add_line(struct arena *arena, const char ***lines, size_t *count, const char *line)
{
	*lines = must_realloc(*lines, *count + 1, sizeof(**lines));
	(*lines)[(*count)++] = arena_copy(arena, line);
}

void report_add_notice(struct report_builder *builder, const char *notice)
{
	add_line(builder->arena, &builder->report.notices, &builder->report.notice_count, notice);
}

static void add_notice(void *context, const char *notice)
{
	report_add_notice(context, notice);
}

static void add_remark(struct report_builder *builder, const char *remark)
{
	add_line(builder->arena, &builder->report.remarks, &builder->report.remark_count, remark);
}

struct arena *report_arena(const struct report_builder *builder)
{
	return builder->arena;
}

struct report_graph *report_get_graph(struct report_builder *builder)
{
	return &builder->report.graph;
}

const struct report_settings *report_get_settings(const struct report_builder *builder)
{
	return &builder->settings;
}

struct report_process *report_add_process(struct report_builder *builder, size_t *index)
{
	struct report *report = &builder->report;

	report->processes =
	    must_realloc(report->processes, report->process_count + 1, sizeof(*report->processes));
	*index = report->process_count++;
	return &report->processes[*index];
}

static struct report_process *add_process(struct report_builder *builder, const struct dt_facts *facts)
{
	const struct dt_process *process = dt_facts_process(facts);
	size_t argc = process->argv ? process->argc : 0, index;
	const char **argv = arena_alloc(builder->arena, (argc + 1) * sizeof(*argv));

	for (size_t i = 0; i < argc; i++)
		argv[i] = arena_copy(builder->arena, process->argv[i]);
	struct report_process *added = report_add_process(builder, &index);
	*added = (struct report_process){
	    .pid = process->pid,
	    .ppid = process->ppid,
	    .start_ns = process->start_ns,
	    .program = arena_copy(builder->arena, model_program(process)),
	    .argv = argv,
	    .argc = argc,
	    .exited = process->exited,
	    .exit_status = process->exited ? process->status : 0,
	    .execed = process->execed,
	    .threads = dt_facts_thread_count(facts),
	    .locks = dt_facts_lock_count(facts),
	    .acquisitions = dt_facts_acq_count(facts),
	};
	return added;
}

static const char *merge_key(struct arena *arena, const char *fingerprint, bool filtered, const char *program)
{
	return arena_printf(arena, "%s %d %s", fingerprint, filtered, program);
}

void report_add_finding(struct report_builder *builder, const struct report_finding *finding)
{
	const char *program = builder->report.processes[finding->process].program;
	const char *key = merge_key(builder->arena, finding->fingerprint, finding->filtered, program);
	struct merged *merged;

	HASH_FIND_STR(builder->merged, key, merged);
	if (!merged) {
		merged = arena_alloc(builder->arena, sizeof(*merged));
		merged->key = key;
		merged->finding = *finding;
		HASH_ADD_KEYPTR(hh, builder->merged, merged->key, strlen(merged->key), merged);
		return;
	}
	uint64_t count = merged->finding.count + finding->count;
	if (finding->level > merged->finding.level)
		merged->finding = *finding;
	merged->finding.count = count;
}

const struct report_finding *report_find(const struct report_builder *builder, const char *fingerprint,
                                         size_t process)
{
	const char *program = builder->report.processes[process].program;
	const struct merged *merged;
	const char *key = merge_key(builder->arena, fingerprint, false, program);

	HASH_FIND_STR(builder->merged, key, merged);
	return merged ? &merged->finding : NULL;
}

static void merge_finding(void *context, const struct dt_finding *found)
{
	struct report_builder *builder = context;

	progress_show("names and lines of finding", HASH_COUNT(builder->merged) + 1, 0, NULL);
	struct report_finding finding = finding_resolve(builder->resolve, builder->peers, found);
	finding.process = builder->report.process_count - 1;
	builder->has_bugs |= finding.bug != 0;
	report_add_finding(builder, &finding);
}

/* Findings of the process at hand that tell of one bug refer to each other. */
static void relate(struct report_builder *builder, size_t process)
{
	struct report_finding **told = must_realloc(NULL, HASH_COUNT(builder->merged) + 1, sizeof(struct report_finding *));
	size_t count = 0;

	for (struct merged *one = builder->merged; one; one = one->hh.next)
		if (one->finding.bug && one->finding.process == process)
			told[count++] = &one->finding;
	bugs_relate(told, count);
	free(told);
}

/* Semaphores that the banker's test leaves out. */
static void say_signals(struct report_builder *builder, const struct dt_facts *facts, const char *who)
{
	for (uint32_t i = 0; builder->settings.want_filtered && i < dt_facts_lock_count(facts); i++) {
		const struct dt_lock *lock = dt_facts_lock_nth(facts, i);
		if (lock->kind == DT_LOCK_SEM && lock->signal && lock->units > 1)
			add_remark(builder, arena_printf(builder->arena,
			                                 "%s: `%s` is posted by threads that have not waited for it: a signal, "
			                                 "no resource of %u units; not in unsafe states",
			                                 who, names_lock(builder->resolve, lock->id).name, lock->units));
	}
}

static void analyse(struct report_builder *builder, struct dt_facts *facts, const char *who)
{
	const struct dt_check_options options = {
	    .rwlock_prefer_writer = builder->settings.prefer_writer,
	    .want_filtered = builder->settings.want_filtered,
	};
	struct dt_analysis analysis = {0};

	builder->resolve = resolve_open(facts, builder->symbols, builder->arena);
	if (dt_analyse(facts, &dt_alloc_libc, &options, merge_finding, builder, &analysis) != DT_OK)
		say_out_of_memory();
	say_signals(builder, facts, who);
	if (builder->has_bugs)
		relate(builder, builder->report.process_count - 1);
	builder->has_bugs = false;
	if (builder->settings.want_graph) {
		order_add(&builder->report.graph, builder->resolve, builder->report.process_count - 1);
		contention_add(&builder->report, builder->resolve, builder->report.process_count - 1);
	}
	resolve_close(builder->resolve);
	builder->resolve = NULL;
	notices_of_bounds(analysis.bounded, who, builder->arena, add_notice, builder);
}

static void add_log(struct report_builder *builder, const struct log_file *log)
{
	struct dt_facts *facts;
	uint64_t bad_offset = 0;

	enum dt_err err = logs_read(log, &facts, &bad_offset);
	if (err) /* the header was checked by logs.c */
		report_add_notice(builder,
		                  arena_printf(builder->arena,
		                               "%s: corrupt at offset %llu; what came before it is reported",
		                               log->path, (unsigned long long)bad_offset));
	const struct report_process *process = add_process(builder, facts);
	const char *who = arena_printf(builder->arena, "%s (pid %d)", process->program, process->pid);
	notices_of_facts(facts, who, builder->arena, add_notice, builder);
	between_note(builder->between, facts);
	if (builder->claims)
		claims_before_add(builder->claims, facts);
	analyse(builder, facts, who);
	dt_facts_free(facts);
}

static int rank(const struct report_finding *finding)
{
	return finding->filtered ? DT_LEVEL_ERROR + 1 : DT_LEVEL_ERROR - (int)finding->level;
}

/* Stable: within a rank in order of arrival. */
static void lay_out_findings(struct report_builder *builder)
{
	struct report *report = &builder->report;

	report->findings = must_realloc(NULL, HASH_COUNT(builder->merged), sizeof(*report->findings));
	for (int r = 0; r <= DT_LEVEL_ERROR + 1; r++)
		for (struct merged *merged = builder->merged; merged; merged = merged->hh.next)
			if (rank(&merged->finding) == r)
				report->findings[report->finding_count++] = merged->finding;
}

static void judge(struct report_finding *finding, struct report_summary *summary,
                  struct suppressions *suppressions, struct baseline *baseline)
{
	if (finding->filtered)
		return;
	bool known = baseline && baseline_meet(baseline, finding->fingerprint);
	if (suppressions && suppress_match(suppressions, finding)) {
		finding->suppressed = true;
		summary->suppressed++;
	} else if (known) {
		finding->known = true;
		summary->known++;
	} else {
		summary->levels[finding->level]++;
	}
}

/* After all findings were judged. */
static void find_gone(struct report_builder *builder, struct baseline *baseline)
{
	struct report *report = &builder->report;
	const struct report_gone *gone;
	struct report_gone *all = NULL;
	size_t count = 0;

	while ((gone = baseline_nth(baseline, count, false))) {
		all = must_realloc(all, count + 1, sizeof(*all));
		all[count++] = *gone;
	}
	report->has_baseline = true;
	report->gone = all;
	report->summary.gone = count;
}

const struct report *report_finish(struct report_builder *builder, struct suppressions *suppressions,
                                   struct baseline *baseline)
{
	struct report *report = &builder->report;
	const char *line;

	endings_find(report, &builder->settings, builder->arena, add_notice, builder);
	if ((line = claims_before_notice(builder->claims)))
		report_add_notice(builder, line);
	lay_out_findings(builder);
	for (size_t i = 0; i < report->finding_count; i++)
		judge(&report->findings[i], &report->summary, suppressions, baseline);
	order_mark_findings(report);
	if (baseline)
		find_gone(builder, baseline);
	for (size_t i = 0; (line = symbols_warning(builder->symbols, i)); i++)
		report_add_notice(builder, arena_printf(builder->arena, "names can be missing: %s", line));
	for (size_t i = 0; suppressions && (line = suppress_unused(suppressions, i)); i++)
		add_remark(builder, arena_printf(builder->arena, "suppression never used: %s", line));
	for (size_t i = 0; suppressions && (line = suppress_used(suppressions, i)); i++)
		add_remark(builder, arena_printf(builder->arena, "suppression used: %s", line));
	return report;
}

const struct report *report_of_logs(struct report_builder *builder, struct log_set *logs,
                                    struct suppressions *suppressions, struct baseline *baseline)
{
	logs_sort(logs);
	peers_close(builder->peers);
	builder->peers = peers_open(logs, builder->symbols, builder->arena);
	for (size_t i = 0; i < logs->notice_count; i++)
		report_add_notice(builder, logs->notices[i]);
	for (size_t i = 0; i < logs->count; i++) {
		progress_show("log", i + 1, logs->count, logs->files[i].path);
		add_log(builder, &logs->files[i]);
	}
	between_find(builder->between, builder, logs, builder->symbols);
	return report_finish(builder, suppressions, baseline);
}
