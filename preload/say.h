/* say.h: the shim's lines on stderr: by write(2) alone, no stdio, no allocation, errno kept. */
#ifndef SHIM_SAY_H
#define SHIM_SAY_H

#include <stddef.h>
#include <stdint.h>

/* "libdetect: TEXT\n" */
void shim_say(const char *text);
/* "libdetect: TEXT DETAIL: strerror\n" */
void shim_say_errno(const char *text, const char *detail);

/* A line or more put together in a buffer of the caller's, then written at once. */
struct shim_text {
	char *buffer;
	size_t length, capacity;
};
void shim_text_add(struct shim_text *t, const char *s);
void shim_text_number(struct shim_text *t, uint64_t n);
void shim_text_hex(struct shim_text *t, uint64_t n);
void shim_text_write(const struct shim_text *t);

#endif
