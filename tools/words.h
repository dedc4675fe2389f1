/* words.h: what the formats say about a finding's parts, each in one way.
 *
 * The words hold names of the program under test: any bytes, so an emitter escapes them as its
 * format asks. Memory: the arena's. Threads: one. */
#ifndef TOOLS_WORDS_H
#define TOOLS_WORDS_H

#include "arena.h"
#include "model.h"
#include "source.h"

/* ", created by the main thread at bug.c:48 in main"; "" when nothing is known of it. */
const char *words_created(struct arena *arena, const struct report_finding *finding,
                          const struct report_thread *thread);

/* "`accounts[0].lock`". */
const char *words_lock(struct arena *arena, const struct report_finding *finding, uint32_t id);

/* "thread 2 (teller_out)"; `thread` NULL: all that is known is its id. */
const char *words_thread(struct arena *arena, const struct report_thread *thread, uint32_t id);

/* "src/bank.c:31 in transfer", "bin/bank+0x1010", or what of it is known. */
const char *words_spot(struct arena *arena, const struct spot *spot);

/* "holding `a`, acquired here:" and its like; for an event whose stack follows. */
const char *words_event(struct arena *arena, const struct report_finding *finding,
                        const struct report_event *event);

/* "thread 2 (teller_out) holding `a`, acquired here": who and what, for an event without its stack. */
const char *words_step(struct arena *arena, const struct report_finding *finding,
                       const struct report_event *event);

/* "also holding `b`, `c`": the locks held besides `said`, the one whose HOLD event comes before (a
 * gate would be one of these). NULL: none. */
const char *words_also_held(struct arena *arena, const struct report_finding *finding,
                            const struct report_event *event, uint32_t said);

/* "SUMMARY: libdetect: 1 error, …": the last line, for scripts. How much was seen goes with it: "no
 * findings" over nothing promises nothing. */
const char *words_summary(struct arena *arena, const struct report *report);

#endif
