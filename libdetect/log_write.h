/* log_write.h: a fact log made in memory, record by record, by one thread: for text logs, tests and
 * merging. (Processes under test write theirs by preload/log.c, many threads at once.)
 *
 * Memory: the buffer's bytes are its own, from the allocator given, until dt_log_buffer_fini. They are
 * 8-byte aligned as the allocator's blocks are, and are at every moment a whole log that dt_log_read
 * reads. Threads: one at a time. Failure: DT_ERR_NOMEM; the log is as it was before. */
#ifndef DT_LOG_WRITE_H
#define DT_LOG_WRITE_H

#include <detect/alloc.h>
#include <detect/err.h>
#include <detect/log_format.h>

struct dt_log_buffer {
	struct dt_alloc *alloc;
	unsigned char *bytes;
	size_t size_bytes, room_bytes;
};

/* An empty log of this machine's byte order and kind. */
enum dt_err dt_log_buffer_init(struct dt_log_buffer *log, struct dt_alloc *alloc);
void dt_log_buffer_fini(struct dt_log_buffer *log);

/* To fill in whose log it is and what was counted; valid until the next add. */
struct dt_log_header *dt_log_buffer_header(struct dt_log_buffer *log);

/* Add one record: `rec` is its struct of `rec_bytes`, starting with a struct dt_rec whose type and flags
 * are set (the length is computed); `rest` is what comes behind the struct. */
enum dt_err dt_log_buffer_add(struct dt_log_buffer *log, const void *rec, size_t rec_bytes, const void *rest,
                              size_t rest_bytes);

#endif
