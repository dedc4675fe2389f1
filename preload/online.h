/* online.h: the shim's own analysis: a finding is said the moment it can be known.
 *
 * It reads the process's own log, as the reporter does, with the same engine. Threads: whoever
 * added a fact and finds nobody analysing does it; the others only leave a mark. Nobody waits. */
#ifndef SHIM_ONLINE_H
#define SHIM_ONLINE_H

/* Facts were added to the log. */
void shim_online_feed(void);
/* The process ends: say what could only be known now. */
void shim_online_finish(void);
/* Another process now, with a log of its own: begin anew. */
void shim_online_forked(void);

#endif
