/* annotate.h: what a program can say to the detector. It needs no library: without the shim each of these does
 * nothing, and in a program that is linked statically.
 *
 * To the banker's test, of any program:
 *
 *   detect_claim(resource, units)   the calling thread takes at most so many units of the resource at once: a sem_t, or
 *                                   1 of a lock. It holds until it says otherwise, and counts instead of what was
 *                                   learned; 0 takes it back. Of the last 8 resources that it named.
 *
 * To the race detector, in code that is compiled with -fsanitize=thread:
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

void libdetect_claim(const void *resource, unsigned units) __attribute__((weak));
void AnnotateBenignRaceSized(char *file, int line, void *address, size_t bytes, char *why) __attribute__((weak));
void AnnotateHappensBefore(char *file, int line, void *address) __attribute__((weak));
void AnnotateHappensAfter(char *file, int line, void *address) __attribute__((weak));

#ifdef __cplusplus
}
#endif

/* Where the dynamic linker finds the function, or NULL. By way of the global offset table in position-dependent code
 * too: an address that such code names otherwise is settled when the executable is linked, as that of nothing. */
#ifdef __x86_64__
#define DETECT_FIND_(pointer, function) \
	__asm__(".weak " #function "\n\tmovq " #function "@GOTPCREL(%%rip), %0" : "=r"(pointer))
#else
#define DETECT_FIND_(pointer, function) ((pointer) = (function))
#endif

static inline void detect_claim(const void *resource, unsigned units)
{
	void (*claim)(const void *, unsigned);

	DETECT_FIND_(claim, libdetect_claim);
	if (claim)
		claim(resource, units);
}

#define DETECT_ANNOTATE_(function, ...)                                         \
	do {                                                                    \
		__typeof__(function) *detect_found_;                            \
		DETECT_FIND_(detect_found_, function);                          \
		if (detect_found_)                                              \
			detect_found_((char *)__FILE__, __LINE__, __VA_ARGS__); \
	} while (0)

#define DETECT_BENIGN_RACE(address, bytes, why) \
	DETECT_ANNOTATE_(AnnotateBenignRaceSized, (void *)(address), (bytes), (char *)(why))
#define DETECT_HAPPENS_BEFORE(address) DETECT_ANNOTATE_(AnnotateHappensBefore, (void *)(address))
#define DETECT_HAPPENS_AFTER(address) DETECT_ANNOTATE_(AnnotateHappensAfter, (void *)(address))
#define DETECT_NO_RACES __attribute__((no_sanitize("thread")))

#endif
