/* Merged facts stand alone: logs beside them would be counted twice if they were merged before. */
#include "fact_sources.h"

#include "arena.h"
#include "merged.h"

void fact_sources_open(struct fact_sources *sources)
{
	*sources = (struct fact_sources){0};
	logs_open(&sources->logs);
}

void fact_sources_close(struct fact_sources *sources)
{
	logs_close(&sources->logs);
	store_close(sources->store);
}

char *fact_sources_add(struct fact_sources *sources, const char *place)
{
	if (!sources->store && !store_is_place(place))
		return logs_add(&sources->logs, place);
	if (sources->store || sources->logs.count)
		return must_printf("%s: merged facts are reported alone; 'detect merge' adds logs to them",
		                   place);
	return store_open(&sources->store, place, false);
}

char *fact_sources_report(struct fact_sources *sources, struct report_builder *builder,
                          struct suppressions *suppressions, struct baseline *baseline,
                          const struct report **report)
{
	char *why = sources->store ? merged_report(builder, sources->store) : NULL;

	if (!why)
		*report = report_of_logs(builder, &sources->logs, suppressions, baseline);
	return why;
}
