/* Any bytes as a log: read, analyse, free. The first byte says how: the header is repaired half of the
 * time, so that the records are reached; memory is short half of the time. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <detect/check.h>
#include <detect/log_read.h>

#include "budget.h"

enum { REPAIR = 1, PREFER_WRITER = 2, FILTERED = 4, SHORT_OF_MEMORY = 8 };

/* Touch what the sink gets, for the sanitizer. */
static void sink(void *context, const struct dt_finding *finding)
{
	uint64_t *sum = context;

	for (uint32_t i = 0; i < finding->event_count; i++)
		for (uint32_t j = 0; j < finding->events[i].holding_count; j++)
			*sum += finding->events[i].holding[j];
	for (uint32_t i = 0; i < finding->lock_count; i++)
		*sum += finding->locks[i];
}

static void repair(unsigned char *bytes, size_t size)
{
	struct dt_log_header header;

	if (size < sizeof header)
		return;
	memcpy(&header, bytes, sizeof header);
	memcpy(header.magic, DT_LOG_MAGIC, sizeof header.magic);
	header.version = DT_LOG_VERSION;
	header.byte_order = DT_LOG_BYTE_ORDER;
	header.header_bytes = size < DT_LOG_HEADER_BYTES ? sizeof header : DT_LOG_HEADER_BYTES;
	header.tail_bytes = size;
	memcpy(bytes, &header, sizeof header);
}

static void read_and_analyse(unsigned char how, const void *log, size_t log_bytes)
{
	const struct dt_check_options options = {
	    .max_search_steps = 20000,
	    .rwlock_prefer_writer = how & PREFER_WRITER,
	    .want_filtered = how & FILTERED,
	};
	struct budget budget = budget_of(how & SHORT_OF_MEMORY ? 96 << 10 : 32 << 20);
	struct dt_analysis analysis = {0};
	struct dt_facts *facts;
	uint64_t bad = 0, sum = 0;

	if (dt_facts_new(&facts, &budget.alloc) == DT_OK) {
		dt_log_read(facts, log, log_bytes, &bad);
		if (bad > log_bytes)
			abort();
		dt_analyse(facts, &budget.alloc, &options, sink, &sum, &analysis);
		dt_facts_free(facts);
	}
	budget_end(&budget);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	size_t log_bytes = size - 1;
	unsigned char *log = malloc(log_bytes ? log_bytes : 1);
	if (!log)
		return 0;
	memcpy(log, data + 1, log_bytes);
	if (data[0] & REPAIR)
		repair(log, log_bytes);
	read_and_analyse(data[0], log, log_bytes);
	free(log);
	return 0;
}
