/* A C program that loads a C++ library: eight threads meet at its local statics. */
#include <dlfcn.h>

#include "case.h"

static int (*value)(void);

static void *ask(void *result)
{
	*(int *)result = value();
	return NULL;
}

static void meet(const char *name, int expected)
{
	enum { THREADS = 8 };
	void *library = dlopen(getenv("GUARD_LIBRARY"), RTLD_NOW | RTLD_LOCAL);
	pthread_t threads[THREADS];
	int results[THREADS];

	CHECK(library);
	value = (int (*)(void))(uintptr_t)dlsym(library, name);
	CHECK(value);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, ask, &results[i]) == 0);
	for (int i = 0; i < THREADS; i++) {
		CHECK(pthread_join(threads[i], NULL) == 0);
		CHECK(results[i] == expected);
	}
}

static void slow(void) { meet("slow_value", 42); }
static void failing(void) { meet("failing_value", 46); }

CASES({"slow", slow}, {"failing", failing})
