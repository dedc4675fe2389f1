/* The table of formats, and the one loop over the findings. */
#include "emit.h"

#include "progress.h"

static const struct emitter *const emitters[] = {
    &emit_text,     &emit_json,   &emit_sarif,  &emit_junit,
    &emit_valgrind, &emit_gitlab, &emit_github, &emit_markdown, &emit_html,
};

const struct emitter *emit_nth(size_t index)
{
	return index < sizeof(emitters) / sizeof(*emitters) ? emitters[index] : NULL;
}

bool emit_fails(const struct emit *emit, const struct report_finding *finding)
{
	return !finding->filtered && !finding->suppressed && !finding->known &&
	       (int)finding->level >= emit->fail_on;
}

/* In which of the passes over the findings one is printed. */
enum pass { PASS_NEW, PASS_KNOWN, PASS_FILTERED, PASSES };

static enum pass pass_of(const struct report_finding *finding)
{
	return finding->filtered ? PASS_FILTERED : finding->known ? PASS_KNOWN : PASS_NEW;
}

bool emit_report(const struct emitter *emitter, struct emit *emit)
{
	const struct report *report = emit->report;
	size_t done = 0;

	emitter->begin(emit);
	for (enum pass pass = PASS_NEW; pass < PASSES; pass++)
		for (size_t i = 0; i < report->finding_count; i++) {
			const struct report_finding *finding = &report->findings[i];

			if (finding->suppressed || pass_of(finding) != pass)
				continue;
			progress_show("writing finding", ++done, report->finding_count, NULL);
			emitter->finding(emit, finding);
		}
	emitter->end(emit);
	return fflush(emit->out) == 0 && !ferror(emit->out);
}
