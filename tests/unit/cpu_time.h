/*
 * That a check ends is tested by its CPU time, within a bound far above what it takes: no claim of speed, but
 * one step that is quadratic would take minutes.
 */
#ifndef CPU_TIME_H
#define CPU_TIME_H

#include <time.h>

/* Seconds of CPU time; a sanitizer and a busy machine make everything slower. */
#define ENDS_WITHIN 30.0

/* The process's CPU time so far, in seconds. */
static inline double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

#endif
