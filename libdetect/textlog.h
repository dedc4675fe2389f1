/* textlog.h: logs as text, for tests: what threads did, an event a line, in the order in which it
 * happened. Reading one plays the recorder: the facts are those that the shim would have written.
 *
 *     # a comment
 *     T1 create T2
 *     T1 at main:10 > transfer:31    # from here on T1 is there; the innermost place comes last
 *     T1 got A
 *     T1 got B
 *     T1 rel B
 *     T2 got B at deposit:7          # of this event only
 *     T2 want A try
 *     expect lock-order-cycle warning A B
 *
 * The first word is a thread, the second what it did. A thread that is not created is there from the
 * start, ordered with nothing. Names are words of any other characters than white space and '#'.
 *
 *     T got L [read] [try|timed]     wanted L and got it. Completes an earlier `want` of it
 *     T want L [read] [try|timed]    wanted L; without try or timed the next thing T does is to get it
 *     T rel L                        in any order
 *     T at PLACE > PLACE...          `at ?` is an unknown stack. Before the first: the place line:N
 *     T create U [FUNCTION]          U is a new thread that starts in FUNCTION
 *     T join U [timed]               began to; has joined when it does something else
 *     T wait C M [timed]             on condition C with mutex M: has M again when it does something else
 *     T signal C, T broadcast C
 *     T await S [timed]              waited on semaphore S, which is a signal
 *     T post S                       a unit that T holds, or a signal
 *     T barrier X                    arrived; when all have, they go on
 *     T once O                       the first to say so has run the routine, the others met it done
 *     T destroy L                    the same name is another object from here on
 *     T name NAME                    as by pthread_setname_np
 *     T exit                         does nothing more
 *     T handles SIGNAL               is interrupted: what it does from here on, its handler does
 *     T returns                      from the handler; what it took there it has released
 *     T forks PID TIME               what T did up to here is before all that PID does from TIME on
 *     T reaps PID TIME               all that PID did up to TIME is before what T does from here on
 *     T blocks SIGNAL, T unblocks SIGNAL   a created thread begins with what its creator blocks
 *
 * Objects are declared by their first use (a mutex when got, an rwlock when got to read), or:
 *
 *     lock L [mutex|rwlock|spin|sem [UNITS]] [recursive|errorcheck|prefer-writer|class]
 *     cond C
 *     barrier X COUNT
 *     process PID TIME               of several logs, whose this is, and when it began
 *     shared L PLACE                 L is in memory that logs share, at that number
 *     handler SIGNAL                 the program has installed one (SIGUSR1 or its like)
 *
 * A log tells a run that can happen: what is held by another thread can't be got (of a class or a
 * semaphore, it can). Taking a recursive mutex again, or reading what one reads already, counts and
 * makes no acquisition. Lines that start with `expect` are handed to the test as they are.
 *
 * Memory: everything belongs to struct dt_textlog until dt_textlog_free; look-ups are linear, logs are
 * meant to be short. Threads: one at a time. Failure: DT_ERR_SYNTAX with a line and what is wrong
 * there, DT_ERR_NOMEM. */
#ifndef DT_TEXTLOG_H
#define DT_TEXTLOG_H

#include <stddef.h>
#include <stdint.h>

#include <detect/alloc.h>
#include <detect/err.h>

struct dt_textlog;

struct dt_textlog_error {
	uint32_t line; /* from 1 */
	char text[120];
};

/* Read `text`. On failure *out is NULL and `error`, which may be NULL, says why. */
enum dt_err dt_textlog_read(struct dt_textlog **out, struct dt_alloc *alloc, const char *text,
                            size_t text_bytes, struct dt_textlog_error *error);
void dt_textlog_free(struct dt_textlog *textlog);

/* The log as dt_log_read takes it, 8-byte aligned. */
const void *dt_textlog_bytes(const struct dt_textlog *textlog, size_t *size_bytes);

/* The lines that start with `expect`: what comes behind that word, comments and outer blanks taken off.
 * NULL behind the last. `line` may be NULL. */
const char *dt_textlog_expect(const struct dt_textlog *textlog, uint32_t index, uint32_t *line);

/* Ids and addresses back to names; NULL when the log has none such. A place's name is that of any
 * program counter in it ("transfer:31"). */
const char *dt_textlog_place_name(const struct dt_textlog *textlog, uint64_t pc);
const char *dt_textlog_lock_name(const struct dt_textlog *textlog, uint32_t id);
const char *dt_textlog_thread_name(const struct dt_textlog *textlog, uint32_t id);

/* And names to ids, 0 when there is none; of several objects of that name, the last. */
uint32_t dt_textlog_lock_id(const struct dt_textlog *textlog, const char *name);
uint32_t dt_textlog_thread_id(const struct dt_textlog *textlog, const char *name);

#endif
