/* log_read.c: a walk over length-prefixed records that trusts no length. */
#include <string.h>

#include <detect/log_read.h>

uint32_t dt_log_version(const void *bytes, size_t size)
{
	struct dt_log_header header;
	if (size < sizeof header)
		return 0;
	memcpy(&header, bytes, sizeof header);
	return header.byte_order == DT_LOG_BYTE_ORDER ? header.version : __builtin_bswap32(header.version);
}

static enum dt_err check_header(const struct dt_log_header *header, size_t size)
{
	if (size < sizeof header->magic || memcmp(header->magic, DT_LOG_MAGIC, sizeof header->magic))
		return DT_ERR_NOT_A_LOG;
	if (size < sizeof *header)
		return DT_ERR_TRUNCATED;
	if (header->byte_order != DT_LOG_BYTE_ORDER)
		return DT_ERR_BYTE_ORDER;
	if (header->version != DT_LOG_VERSION)
		return DT_ERR_VERSION;
	if (header->header_bytes < sizeof *header || header->header_bytes % 8 || header->header_bytes > size)
		return DT_ERR_TRUNCATED;
	return DT_OK;
}

enum dt_err dt_log_read(struct dt_facts *facts, const void *bytes, size_t size, uint64_t *bad_offset)
{
	const struct dt_log_header *header = bytes;
	enum dt_err err = check_header(header, size);
	if (err != DT_OK)
		return err;
	dt_facts_set_header(facts, header);
	uint64_t tail = __atomic_load_n(&header->tail_bytes, __ATOMIC_ACQUIRE);
	uint64_t end = tail < size ? tail : size, at = header->header_bytes;
	enum dt_err bad = tail > size ? DT_ERR_CORRUPT : DT_OK;
	while (at + sizeof(struct dt_rec) <= end) {
		const struct dt_rec *rec = (const void *)((const char *)bytes + at);
		uint64_t head_bits = __atomic_load_n((const uint64_t *)rec, __ATOMIC_ACQUIRE);
		if (!head_bits)
			break;
		err = dt_facts_add(facts, rec, (size_t)(end - at));
		if (err == DT_ERR_NOMEM)
			return err;
		if (err != DT_OK) {
			bad = DT_ERR_CORRUPT;
			break;
		}
		at += (uint64_t)rec->words * 8;
	}
	if (bad_offset)
		*bad_offset = at;
	err = dt_facts_settle(facts);
	return err != DT_OK ? err : bad;
}
