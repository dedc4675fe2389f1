/* The table of formats, and the one loop over the findings. */
#include "emit.h"

static const struct emitter *const emitters[] = {
    &emit_text,     &emit_json,   &emit_sarif,  &emit_junit,
    &emit_valgrind, &emit_gitlab, &emit_github, &emit_markdown,
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

bool emit_report(const struct emitter *emitter, struct emit *emit)
{
	const struct report *report = emit->report;

	emitter->begin(emit);
	for (int known = 0; known <= 1; known++)
		for (size_t i = 0; i < report->finding_count; i++)
			if (!report->findings[i].suppressed && !report->findings[i].filtered &&
			    report->findings[i].known == known)
				emitter->finding(emit, &report->findings[i]);
	for (size_t i = 0; i < report->finding_count; i++)
		if (report->findings[i].filtered)
			emitter->finding(emit, &report->findings[i]);
	emitter->end(emit);
	return fflush(emit->out) == 0 && !ferror(emit->out);
}
