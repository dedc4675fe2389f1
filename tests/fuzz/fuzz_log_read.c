/* fuzz_log_read.c: any bytes as a log: read, analyse, free. Memory is bounded, so that running out of
 * it is met too; the header is repaired half of the time, so that the records are reached. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <detect/check.h>
#include <detect/log_read.h>

enum { BUDGET_BYTES = 8 << 20 };

struct budget {
	struct dt_alloc alloc;
	size_t used;
};

static void *resize(struct dt_alloc *self, void *block, size_t old_bytes, size_t new_bytes)
{
	struct budget *budget = (struct budget *)self;
	if (new_bytes > old_bytes && budget->used + (new_bytes - old_bytes) > BUDGET_BYTES)
		return NULL;
	void *moved = dt_alloc_libc.resize(&dt_alloc_libc, block, old_bytes, new_bytes);
	if (moved || !new_bytes)
		budget->used += new_bytes - old_bytes;
	return moved;
}

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
	header.header_bytes = sizeof header;
	header.tail_bytes = size;
	memcpy(bytes, &header, sizeof header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct budget budget = {{resize}, 0};
	struct dt_facts *facts;
	struct dt_analysis analysis = {0};
	uint64_t bad, sum = 0;
	if (!size)
		return 0;
	size_t log_bytes = size - 1;
	unsigned char *log = malloc(log_bytes + 8);
	if (!log)
		return 0;
	memcpy(log, data + 1, log_bytes);
	if (data[0] & 1)
		repair(log, log_bytes);
	if (dt_facts_new(&facts, &budget.alloc) == DT_OK) {
		const struct dt_check_options options = {
		    .max_search_steps = 20000, .rwlock_prefer_writer = data[0] & 2, .want_filtered = data[0] & 4};
		dt_log_read(facts, log, log_bytes, &bad);
		dt_analyse(facts, &budget.alloc, &options, sink, &sum, &analysis);
		dt_facts_free(facts);
	}
	free(log);
	if (budget.used)
		abort(); /* a leak */
	return sum == UINT64_MAX;
}
