/* textlog.h: logs as text, for tests without threads. One event a line; `#` begins a comment.
 *
 *   lock R rwlock [prefer-writer]     lock M mutex [recursive] [class]     lock S spin
 *   cond C        barrier X 2         free A         the next A is another object
 *   T1 create T2  T1 join T2 [timed]  T1 name teller
 *   T1 at transfer                    the place of what T1 does from here on (else: its own line)
 *   T1 want A [read] [try|timed]      T1 got A [read] [try|timed]    (got without want: both)
 *   T1 rel A                          in any order
 *   T1 wait C M [timed]               T1 signal C
 *   T1 barrier X                      the round is complete with the last of its lines
 *   T1 once O                         the first line runs the routine; `T1 once-done O` ends it
 *   expect RULE LEVEL LOCK...         expect filtered REASON LOCK...     expect none
 *   count N                           of the expect line before it
 *
 * It plays the recorder: the same facts as the shim's, as bytes of a log. Locks need no line of
 * their own; a mutex is the default. T1 is the first thread. Test code: exits on a bad line. */
#ifndef TEXTLOG_H
#define TEXTLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TEXTLOG_NAMES = 512, TEXTLOG_EXPECTS = 64 };

struct textlog {
	unsigned char *bytes;   /* a whole log, header included */
	size_t size;
	char *lock_names[TEXTLOG_NAMES];  /* by lock id */
	struct textlog_expect {
		char *text;     /* "RULE LEVEL NAMES" or "filtered REASON NAMES", names sorted */
		unsigned count; /* 0: any */
	} expects[TEXTLOG_EXPECTS];
	size_t expect_count;
	bool expect_none;
};

void textlog_parse(struct textlog *log, const char *name, const char *text);
void textlog_free(struct textlog *log);

#endif
