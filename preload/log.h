/* log.h: append facts to the process's log.
 *
 * Memory: the log is a shared file mapping (or anonymous memory when no folder was given), opened
 * once; no descriptor stays open. Threads: any, at once, also from signal handlers: reservation is
 * lock-free (detect/log_format.h tells the protocol).
 * Failure: a record without room is dropped and counted in the log's header; the first one is said
 * on stderr. */
#ifndef SHIM_LOG_H
#define SHIM_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <detect/log_format.h>

struct dt_rec;

/* Make sure this process (not the one it was forked from) has its log and tables. False: recording
 * is off, or another thread is starting it right now. Cheap: two loads. */
bool shim_log_ready(void);

/* Append a copy of the record at `rec` (head.type and head.flags set, head.words not), followed by
 * up to two pieces of payload. False: dropped and counted. */
bool shim_log_append(struct dt_rec *rec, size_t rec_bytes, const void *payload, size_t payload_bytes,
                     const void *more, size_t more_bytes);

/* The same without payload, and where it lies: for records whose contents change. NULL: dropped. */
struct dt_rec *shim_log_add(struct dt_rec *rec, size_t rec_bytes);

void shim_log_count(enum dt_counter counter, uint64_t n);

/* The mapping, for the shim's own analysis: records lie between DT_LOG_HEADER_BYTES and the tail. */
const struct dt_log_header *shim_log_header(void);

/* False once recording is off in this process. */
bool shim_log_wanted(void);

/* Stop recording in this process for good (children=no, nothing to map). */
void shim_log_off(void);

/* CLOCK_REALTIME: what logs of several processes are put in order by. */
uint64_t shim_realtime_ns(void);

/* Append with no payload: SHIM_LOG(rec) for a struct that starts with its head. */
#define SHIM_LOG(rec) shim_log_append(&(rec)->head, sizeof *(rec), NULL, 0, NULL, 0)

#endif
