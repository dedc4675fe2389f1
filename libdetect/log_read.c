/* log_read.c: a walk over length-prefixed records that trusts no length. What a record says is checked
 * where it is added (facts_add.c). */
#include <stddef.h>
#include <string.h>

#include <detect/log_read.h>

enum { TELL_EACH = 4 << 20 };

uint32_t dt_log_version(const void *bytes, size_t size)
{
	struct dt_log_header header;

	if (size < sizeof header)
		return 0;
	memcpy(&header, bytes, sizeof header);
	return header.byte_order == DT_LOG_BYTE_ORDER ? header.version : __builtin_bswap32(header.version);
}

/* `bad` is where the header is damaged. */
static enum dt_err read_header(struct dt_log_header *header, const void *bytes, size_t size, size_t *bad)
{
	*bad = 0;
	if (size < sizeof header->magic || memcmp(bytes, DT_LOG_MAGIC, sizeof header->magic) != 0)
		return DT_ERR_NOT_A_LOG;
	if (size < sizeof *header)
		return DT_ERR_TRUNCATED;
	memcpy(header, bytes, sizeof *header);
	if (header->byte_order == __builtin_bswap32(DT_LOG_BYTE_ORDER))
		return DT_ERR_BYTE_ORDER;
	*bad = offsetof(struct dt_log_header, byte_order);
	if (header->byte_order != DT_LOG_BYTE_ORDER)
		return DT_ERR_CORRUPT;
	*bad = 0;
	if (header->version != DT_LOG_VERSION)
		return DT_ERR_VERSION;
	*bad = offsetof(struct dt_log_header, header_bytes);
	if (header->header_bytes < sizeof *header || header->header_bytes % 8)
		return DT_ERR_CORRUPT;
	*bad = 0;
	return header->header_bytes > size ? DT_ERR_TRUNCATED : DT_OK;
}

/* The records from *at to `end`; *at becomes where the first bad one lies, or the end. */
static enum dt_err read_records(struct dt_facts *facts, const void *bytes, uint64_t *at, uint64_t end,
                                const struct dt_log_reader *reader)
{
	uint64_t told = *at;

	while (*at < end) {
		const struct dt_rec *rec = (const void *)((const char *)bytes + *at);
		enum dt_err err = dt_facts_add(facts, rec, (size_t)(end - *at));
		if (err)
			return err;
		*at += (uint64_t)rec->words * 8;
		if (reader && *at - told >= TELL_EACH) {
			reader->passed(reader->context, *at);
			told = *at;
		}
	}
	return DT_OK;
}

enum dt_err dt_log_read(struct dt_facts *facts, const void *bytes, size_t size, uint64_t *bad_offset)
{
	return dt_log_read_along(facts, bytes, size, bad_offset, NULL);
}

enum dt_err dt_log_read_along(struct dt_facts *facts, const void *bytes, size_t size, uint64_t *bad_offset,
                              const struct dt_log_reader *reader)
{
	struct dt_log_header header;
	size_t bad;
	enum dt_err err = read_header(&header, bytes, size, &bad);
	uint64_t at = bad;

	if (bad_offset)
		*bad_offset = at;
	if (err)
		return err;
	dt_facts_set_header(facts, &header);
	uint64_t tail = __atomic_load_n(&((const struct dt_log_header *)bytes)->tail_bytes, __ATOMIC_ACQUIRE);
	at = header.header_bytes;
	dt_facts_lend(facts, true);
	err = read_records(facts, bytes, &at, tail < size ? tail : size, reader);
	dt_facts_lend(facts, false);
	if (bad_offset)
		*bad_offset = at;
	if (err == DT_ERR_NOMEM)
		return err;
	enum dt_err settled = dt_facts_settle(facts);
	if (settled)
		return settled;
	return at == tail ? DT_OK : DT_ERR_CORRUPT;
}
