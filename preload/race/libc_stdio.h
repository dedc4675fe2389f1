/* libc_stdio.h: what the two files of wrappers around streams share. */
#ifndef SHIM_RACE_LIBC_STDIO_H
#define SHIM_RACE_LIBC_STDIO_H

#include <stddef.h>

struct _IO_FILE; /* FILE: <stdio.h> gives the names of scanf to others, which not all who include this can bear */

/* What is about to be put into the stream may go to the kernel at once. */
void race_stream_before_output(struct _IO_FILE *to, size_t bytes);

#endif
