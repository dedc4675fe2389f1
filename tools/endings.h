/* endings.h: what became of the processes: ended how, still running, or another program by now. */
#ifndef TOOLS_ENDINGS_H
#define TOOLS_ENDINGS_H

#include "arena.h"
#include "report.h"

/* Complete the processes, which are in order of their start, and give a line for each whose report
 * is not the last word. */
void endings_find(struct report *report, const struct report_settings *settings, struct arena *arena,
                  void (*add)(void *context, const char *notice), void *context);

#endif
