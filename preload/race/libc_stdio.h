/* libc_stdio.h: what the two files of wrappers around streams share. */
#ifndef SHIM_RACE_LIBC_STDIO_H
#define SHIM_RACE_LIBC_STDIO_H

#include <stdio.h>

/* What is about to be put into the stream may go to the kernel at once. */
void race_stream_before_output(FILE *to, size_t bytes);

#endif
