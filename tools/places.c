/* Name patterns, one row each. A demangled C++ name is cut down to its bare name first, because a
 * template's carries its return type and every one its parameters. */
#include "places.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

static const char *const no_places[] = {
    /* allocators */
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "memalign",
    "aligned_alloc",
    "posix_memalign",
    "valloc",
    "pvalloc",
    "strdup",
    "strndup",
    "__libc_malloc",
    "operator new*",
    "xmalloc",
    "xcalloc",
    "xzalloc",
    "xrealloc",
    "zmalloc*",
    "zcalloc*",
    "ztrymalloc*",
    "je_*alloc*",
    "tc_*alloc*",
    "mi_*alloc*",
    "g_malloc*",
    "g_try_malloc*",
    "g_slice_alloc*",
    "CRYPTO_malloc",
    "CRYPTO_zalloc",
    "PyMem_*",
    "PyObject_Malloc",
    "PyObject_Calloc",
    "_PyMem_*",
    "_PyObject_Malloc*",
    "av_malloc*",
    "av_calloc",
    "sqlite3Malloc*",
    "sqlite3_malloc*",
    "sqlite3MemMalloc",
    /* lock wrappers */
    "pthread_mutex_*",
    "pthread_rwlock_*",
    "pthread_spin_*",
    "pthread_cond_*",
    "pthread_barrier_*",
    "__pthread_*",
    "mtx_*",
    "cnd_*",
    "sem_*",
    "__gthread_*",
    "__gthrw_*",
    "g_mutex_*",
    "g_rec_mutex_*",
    "g_rw_lock_*",
    "g_static_mutex_*",
    "CRYPTO_THREAD_*_lock",
    "CRYPTO_THREAD_lock_new",
    "ff_mutex_*",
    "PyThread_allocate_lock",
    "PyThread_acquire_lock*",
    "uv_mutex_*",
    "uv_rwlock_*",
    "pthreadMutex*",
    "apr_thread_mutex_*",
    "SDL_LockMutex*",
    "SDL_CreateMutex",
    /* the C++ library and what it is made of */
    "std::*",
    "__gnu_cxx::*",
    "boost::*mutex::*",
    "boost::*lock*::*",
    "absl::Mutex*",
    "QMutex*",
    "QBasicMutex*",
    "QReadWriteLock*",
    "QMutexLocker*",
};

/* Begin and end of the bare name in `function`. */
static const char *find_bare_name(const char *function, size_t *length)
{
	static const char anonymous[] = "(anonymous namespace)", op[] = "operator";
	const char *start = function, *at = function;
	int depth = 0;

	while (*at) {
		if (strncmp(at, anonymous, sizeof(anonymous) - 1) == 0) {
			at += sizeof(anonymous) - 1;
		} else if (depth == 0 && strncmp(at, op, sizeof(op) - 1) == 0) {
			/* operator(), operator<<, operator new: up to the parameters */
			at += sizeof(op) - 1;
			if (strncmp(at, "()", 2) == 0)
				at += 2;
			at += strcspn(at, "(");
		} else {
			if (depth == 0 && *at == '(')
				break;
			if (depth == 0 && *at == ' ')
				start = at + 1;
			if (strchr("<({", *at))
				depth++;
			else if (strchr(">)}", *at) && depth > 0)
				depth--;
			at++;
		}
	}
	if (start == at) { /* no such shape: all of it */
		start = function;
		at = function + strlen(function);
	}
	*length = (size_t)(at - start);
	return start;
}

/* gcc and clang add these to copies that they make of a function. */
static size_t without_clone_suffix(const char *name, size_t length)
{
	static const char *const suffixes[] = {".constprop.", ".isra.",     ".part.",
	                                       ".cold",       ".lto_priv.", ".llvm."};

	for (size_t i = 0; i < length; i++)
		for (size_t s = 0; name[i] == '.' && s < sizeof(suffixes) / sizeof(*suffixes); s++)
			if (i > 0 && strncmp(name + i, suffixes[s], strlen(suffixes[s])) == 0)
				return i;
	return length;
}

const char *places_bare_name(struct arena *arena, const char *function)
{
	size_t length;
	const char *start = find_bare_name(function, &length);

	length = without_clone_suffix(start, length);
	return arena_printf(arena, "%.*s", (int)(length < 4096 ? length : 4096), start);
}

bool places_is_place(const struct report_frame *frame)
{
	size_t length;
	char bare[256];

	if (!frame->function)
		return false;
	const char *start = find_bare_name(frame->function, &length);
	if (length >= sizeof(bare))
		length = sizeof(bare) - 1;
	memcpy(bare, start, length);
	bare[length] = '\0';
	for (size_t i = 0; i < sizeof(no_places) / sizeof(*no_places); i++)
		if (fnmatch(no_places[i], bare, 0) == 0)
			return false;
	return true;
}

const struct report_frame *places_find(const struct report_stack *stack)
{
	for (size_t i = 0; i < stack->count; i++)
		if (places_is_place(&stack->frames[i]))
			return &stack->frames[i];
	return stack->count ? &stack->frames[0] : NULL;
}
