/* say.c: our own minimal printing, usable where libc's is not. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>

#include "say.h"

void shim_text_add(struct shim_text *t, const char *s)
{
	size_t n = strlen(s);
	if (n > t->capacity - t->length)
		n = t->capacity - t->length;
	memcpy(t->buffer + t->length, s, n);
	t->length += n;
}

static void add_digits(struct shim_text *t, uint64_t n, unsigned base)
{
	char digits[24];
	size_t at = sizeof digits;
	digits[--at] = '\0';
	do
		digits[--at] = "0123456789abcdef"[n % base];
	while (n /= base);
	shim_text_add(t, digits + at);
}

void shim_text_number(struct shim_text *t, uint64_t n)
{
	add_digits(t, n, 10);
}

void shim_text_hex(struct shim_text *t, uint64_t n)
{
	shim_text_add(t, "0x");
	add_digits(t, n, 16);
}

/* A direct call: write(2) of libc is a cancellation point. */
void shim_text_write(const struct shim_text *t)
{
	int saved = errno;
	size_t done = 0;
	while (done < t->length) {
		long n = syscall(SYS_write, 2, t->buffer + done, t->length - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	errno = saved;
}

void shim_say(const char *text)
{
	char buffer[512];
	struct shim_text t = {buffer, 0, sizeof buffer};
	shim_text_add(&t, "libdetect: ");
	shim_text_add(&t, text);
	shim_text_add(&t, "\n");
	shim_text_write(&t);
}

void shim_say_errno(const char *text, const char *detail)
{
	int error = errno;
	char buffer[5120];
	struct shim_text t = {buffer, 0, sizeof buffer - 1};
	shim_text_add(&t, "libdetect: ");
	shim_text_add(&t, text);
	shim_text_add(&t, detail ? detail : "memory");
	shim_text_add(&t, ": ");
	const char *name = strerrordesc_np(error);
	shim_text_add(&t, name ? name : "error");
	shim_text_add(&t, "; the program runs on unobserved\n");
	shim_text_write(&t);
	errno = error;
}
