/* log_write.c: appending to a block that doubles. */
#include "log_write.h"

#include <elf.h>
#include <string.h>

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_NONE
#endif

static enum dt_err make_room(struct dt_log_buffer *log, size_t bytes)
{
	size_t room = log->room_bytes ? log->room_bytes : 2 * DT_LOG_HEADER_BYTES;

	if (bytes > SIZE_MAX / 2 - log->size_bytes)
		return DT_ERR_NOMEM;
	while (room - log->size_bytes < bytes)
		room *= 2;
	if (room == log->room_bytes)
		return DT_OK;
	unsigned char *block = log->alloc->resize(log->alloc, log->bytes, log->room_bytes, room);
	if (!block)
		return DT_ERR_NOMEM;
	log->bytes = block;
	log->room_bytes = room;
	return DT_OK;
}

static void set_size(struct dt_log_buffer *log, size_t size_bytes)
{
	log->size_bytes = size_bytes;
	dt_log_buffer_header(log)->tail_bytes = size_bytes;
	dt_log_buffer_header(log)->capacity_bytes = size_bytes;
}

enum dt_err dt_log_buffer_init(struct dt_log_buffer *log, struct dt_alloc *alloc)
{
	*log = (struct dt_log_buffer){.alloc = alloc};
	enum dt_err err = make_room(log, DT_LOG_HEADER_BYTES);

	if (err)
		return err;
	memset(log->bytes, 0, DT_LOG_HEADER_BYTES);
	struct dt_log_header *header = dt_log_buffer_header(log);
	memcpy(header->magic, DT_LOG_MAGIC, sizeof header->magic);
	header->version = DT_LOG_VERSION;
	header->byte_order = DT_LOG_BYTE_ORDER;
	header->header_bytes = DT_LOG_HEADER_BYTES;
	header->arch = MACHINE;
	set_size(log, DT_LOG_HEADER_BYTES);
	return DT_OK;
}

void dt_log_buffer_fini(struct dt_log_buffer *log)
{
	if (log->bytes)
		log->alloc->resize(log->alloc, log->bytes, log->room_bytes, 0);
	log->bytes = NULL;
}

struct dt_log_header *dt_log_buffer_header(struct dt_log_buffer *log)
{
	return (struct dt_log_header *)(void *)log->bytes;
}

enum dt_err dt_log_buffer_add(struct dt_log_buffer *log, const void *rec, size_t rec_bytes, const void *rest,
                              size_t rest_bytes)
{
	size_t bytes = rec_bytes + rest_bytes, words = bytes / 8 + (bytes % 8 != 0);
	struct dt_rec head;

	if (bytes < rest_bytes || words > UINT32_MAX)
		return DT_ERR_NOMEM;
	enum dt_err err = make_room(log, words * 8);
	if (err)
		return err;
	unsigned char *at = log->bytes + log->size_bytes;
	memcpy(at, rec, rec_bytes);
	if (rest_bytes)
		memcpy(at + rec_bytes, rest, rest_bytes);
	memset(at + bytes, 0, words * 8 - bytes);
	memcpy(&head, at, sizeof head);
	head.words = (uint32_t)words;
	memcpy(at, &head, sizeof head);
	set_size(log, log->size_bytes + words * 8);
	return DT_OK;
}
