/* log_read.h: read a fact log's bytes into facts. Takes any bytes at all without crashing. */
#ifndef DETECT_LOG_READ_H
#define DETECT_LOG_READ_H

#include <detect/facts.h>

/* Add every record of the log at `bytes` (`size` long, 8-byte aligned) to `facts`, which are new, and
 * settle them. The log may be one that its process still writes: it is read as far as it got.
 *
 * DT_ERR_NOT_A_LOG, _VERSION, _BYTE_ORDER, _TRUNCATED: nothing was read. DT_ERR_CORRUPT: the
 * records before *bad_offset were read and can be used. A log whose tail lies past the file (the
 * file was cut) is read as far as it goes and answers DT_ERR_CORRUPT. DT_ERR_NOMEM: the facts can
 * only be freed. `bad_offset` may be NULL. The bytes stay readable until the facts are freed: most of a log is
 * looked up in it again, not copied. */
enum dt_err dt_log_read(struct dt_facts *facts, const void *bytes, size_t size, uint64_t *bad_offset);

/* Who wants to know how far it got: `passed` is called every few megabytes, and records before `offset` are read.
 * Of a mapped log their pages can be given back (they come again when something is looked up). */
struct dt_log_reader {
	void (*passed)(void *context, uint64_t offset);
	void *context;
};

/* As dt_log_read; `reader` may be NULL. */
enum dt_err dt_log_read_along(struct dt_facts *facts, const void *bytes, size_t size, uint64_t *bad_offset,
                              const struct dt_log_reader *reader);

/* The version a log says it has (for the message of DT_ERR_VERSION); 0 when too short. */
uint32_t dt_log_version(const void *bytes, size_t size);

#endif
