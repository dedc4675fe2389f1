/* findings_file.h: the findings of a JSON report (emit_json.c), one at a time: a report of 100,000 findings
 * does not fit in memory as a tree.
 *
 * Nothing but "format", "version" and the findings is looked at, so that reports of later versions with
 * more in them still serve. Memory: a finding is good during the call. Threads: one. */
#ifndef TOOLS_FINDINGS_FILE_H
#define TOOLS_FINDINGS_FILE_H

#include <jansson.h>

/* `finding` is an object and has a string "fingerprint". */
typedef void findings_file_visit(void *context, const char *fingerprint, const json_t *finding);

/* Returns NULL, or why the file is no such report: one line, to be freed. */
char *findings_file_read(const char *path, findings_file_visit *visit, void *context);

#endif
