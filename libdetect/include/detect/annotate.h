/* annotate.h: what a program can say to the race detector. It needs no library: without the shim, or in code that
 * is not compiled with -fsanitize=thread, each of these does nothing.
 *
 *   DETECT_BENIGN_RACE(address, bytes, why)  accesses to this memory may race; why: for the reader
 *   DETECT_HAPPENS_BEFORE(address)           what came before this …
 *   DETECT_HAPPENS_AFTER(address)            … comes before what follows this, with the same address, where the
 *                                            order comes from something the detector can't see
 *   DETECT_NO_RACES                          attribute of a function whose own accesses are not looked at
 *
 * Threads: any. */
#ifndef DETECT_ANNOTATE_H
#define DETECT_ANNOTATE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

void AnnotateBenignRaceSized(char *file, int line, void *address, size_t bytes, char *why) __attribute__((weak));
void AnnotateHappensBefore(char *file, int line, void *address) __attribute__((weak));
void AnnotateHappensAfter(char *file, int line, void *address) __attribute__((weak));

#ifdef __cplusplus
}
#endif

#define DETECT_ANNOTATE_(function, ...)                               \
	do {                                                          \
		if (function)                                         \
			function((char *)__FILE__, __LINE__, __VA_ARGS__); \
	} while (0)

#define DETECT_BENIGN_RACE(address, bytes, why) \
	DETECT_ANNOTATE_(AnnotateBenignRaceSized, (void *)(address), (bytes), (char *)(why))
#define DETECT_HAPPENS_BEFORE(address) DETECT_ANNOTATE_(AnnotateHappensBefore, (void *)(address))
#define DETECT_HAPPENS_AFTER(address) DETECT_ANNOTATE_(AnnotateHappensAfter, (void *)(address))
#define DETECT_NO_RACES __attribute__((no_sanitize("thread")))

#endif
