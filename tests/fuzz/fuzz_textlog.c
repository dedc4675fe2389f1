/* Any bytes as a text log. What is taken makes a log that the reader takes whole, with nothing left
 * hanging and a name for every lock and thread. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <detect/check.h>
#include <detect/log_read.h>

#include "budget.h"
#include "textlog.h"

static void drop(void *context, const struct dt_finding *finding)
{
	(void)context;
	(void)finding;
}

static void check(const struct dt_textlog *text)
{
	const struct dt_check_options options = {.max_search_steps = 20000, .want_filtered = true};
	struct dt_analysis analysis = {0};
	struct dt_facts *facts;
	size_t size;
	uint64_t bad;
	const void *bytes = dt_textlog_bytes(text, &size);

	if (dt_facts_new(&facts, &dt_alloc_libc) != DT_OK)
		return;
	if (dt_log_read(facts, bytes, size, &bad) != DT_OK || dt_facts_dangling(facts) ||
	    dt_facts_unknown(facts) || dt_facts_unfinished(facts))
		abort();
	for (uint32_t i = 0; i < dt_facts_lock_count(facts); i++)
		if (!dt_textlog_lock_name(text, dt_facts_lock_nth(facts, i)->id))
			abort();
	for (uint32_t i = 0; i < dt_facts_thread_count(facts); i++)
		if (!dt_textlog_thread_name(text, dt_facts_thread_nth(facts, i)->id))
			abort();
	dt_analyse(facts, &dt_alloc_libc, &options, drop, NULL, &analysis);
	dt_facts_free(facts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dt_textlog_error error = {0};
	struct dt_textlog *text;

	if (!size)
		return 0;
	/* The last byte says how much memory there is: mostly enough. */
	struct budget budget = budget_of(data[size - 1] == '!' ? 64 << 10 : 32 << 20);
	enum dt_err err = dt_textlog_read(&text, &budget.alloc, (const char *)data, size, &error);
	if (err == DT_OK)
		check(text);
	else if (text || (err == DT_ERR_SYNTAX && (!error.line || !*error.text)))
		abort();
	dt_textlog_free(text);
	budget_end(&budget);
	return 0;
}
