/* test_symbols.c: names and lines, asked of shared objects that the build made of fixtures/symbols_*: each
 * by several sets of options, and each telling what it expects. Then files that are missing, stripped,
 * rebuilt, no files, or full of noise. */
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixtures/symbols_fixture.h"
#include "fixtures/symbols_heap.h"
#include "symbols.h"

enum { FRAMES = 64 };

static struct symbols *symbols;

static int open_symbols(void **state)
{
	(void)state;
	symbols = symbols_open();
	return 0;
}

static int close_symbols(void **state)
{
	(void)state;
	symbols_close(symbols);
	return 0;
}

/* ---- A loaded fixture as a log would describe it. ---- */

struct loaded {
	char path[512];
	unsigned char build_id[64];
	struct dt_module module;
	void *opened;
};

static void take_build_id(struct loaded *loaded, const char *at, size_t bytes)
{
	const ElfW(Nhdr) *note = (const void *)at;

	if (bytes < sizeof(*note) + 4 || note->n_type != NT_GNU_BUILD_ID ||
	    note->n_descsz > sizeof(loaded->build_id))
		return;
	memcpy(loaded->build_id, at + sizeof(*note) + note->n_namesz, note->n_descsz);
	loaded->module.build_id_bytes = note->n_descsz;
}

static int describe(struct dl_phdr_info *info, size_t size, void *data)
{
	struct loaded *loaded = data;

	(void)size;
	if (strcmp(info->dlpi_name, loaded->path) != 0)
		return 0;
	loaded->module.bias = info->dlpi_addr;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		if (segment->p_type == PT_NOTE && !loaded->module.build_id_bytes)
			take_build_id(loaded, (const char *)(info->dlpi_addr + segment->p_vaddr),
			              segment->p_memsz);
	}
	return 1;
}

static struct loaded *load(const char *name)
{
	struct loaded *loaded = calloc(1, sizeof(*loaded));

	assert_non_null(loaded);
	snprintf(loaded->path, sizeof(loaded->path), "%s/%s.so", FIXTURES, name);
	loaded->opened = dlopen(loaded->path, RTLD_NOW | RTLD_LOCAL);
	if (!loaded->opened)
		fail_msg("%s", dlerror());
	loaded->module.path = loaded->path;
	loaded->module.build_id = loaded->build_id;
	assert_int_equal(dl_iterate_phdr(describe, loaded), 1);
	assert_int_not_equal(loaded->module.build_id_bytes, 0);
	return loaded;
}

static void unload(struct loaded *loaded)
{
	dlclose(loaded->opened);
	free(loaded);
}

static void *entry(const struct loaded *loaded, const char *name)
{
	void *found = dlsym(loaded->opened, name);

	assert_non_null(found);
	return found;
}

static const struct fixture *fixture_of(const struct loaded *loaded)
{
	void *found = entry(loaded, "fixture");
	const struct fixture *(*fixture)(void);

	memcpy(&fixture, &found, sizeof(fixture));
	return fixture();
}

/* ---- Where a hook was called. ---- */

static struct {
	uint64_t pc;
	unsigned lines[3];
} seen;

__attribute__((noinline)) static void hook(unsigned line, unsigned caller, unsigned outer)
{
	seen.pc = (uint64_t)(uintptr_t)__builtin_return_address(0);
	seen.lines[0] = line;
	seen.lines[1] = caller;
	seen.lines[2] = outer;
}

/* A C++ name may have its parameters behind it. */
static bool is_function(const char *name, const char *expected)
{
	size_t length = strlen(expected);

	return name && strncmp(name, expected, length) == 0 && (name[length] == '\0' || name[length] == '(');
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = text ? strlen(text) : 0;

	return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

static void check_frames(const struct loaded *loaded, const char *name)
{
	const struct fixture *fixture = fixture_of(loaded);
	struct sym_frame frames[FRAMES];
	size_t expected = 0;

	fixture->call(hook);
	size_t count = symbols_frames(symbols, &loaded->module, seen.pc, true, frames, FRAMES);
	for (; fixture->frames[expected].function; expected++) {
		const struct fixture_frame *want = &fixture->frames[expected];
		if (expected >= count)
			fail_msg("%s: %zu frames, no %s", name, count, want->function);
		const struct sym_frame *got = &frames[expected];
		if (!is_function(got->function, want->function) || got->inlined != (want->inlined != 0))
			fail_msg("%s: frame %zu is %s%s, not %s", name, expected,
			         got->function ? got->function : "unknown", got->inlined ? " inlined" : "",
			         want->function);
		const char *source = strncmp(name, "cpp", 3) == 0 ? "/symbols_cpp.cc" : "/symbols_c.c";
		if (!ends_with(got->file, source) || strstr(got->file, "/.") ||
		    got->line != seen.lines[expected])
			fail_msg("%s: frame %zu is at %s:%u, not line %u", name, expected,
			         got->file ? got->file : "nowhere", got->line, seen.lines[expected]);
		if (got->column == 0)
			fail_msg("%s: frame %zu has no column", name, expected);
		assert_string_equal(got->module, strrchr(loaded->path, '/') + 1);
		assert_int_equal(got->offset, seen.pc - loaded->module.bias);
	}
	if (count != expected)
		fail_msg("%s: %zu frames, not %zu", name, count, expected);
}

static void check_globals(const struct loaded *loaded, const char *name)
{
	for (const struct fixture_global *global = fixture_of(loaded)->globals; global->name; global++) {
		uint64_t address = (uint64_t)(uintptr_t)global->address;
		const char *got = symbols_global(symbols, &loaded->module, address), *file;
		unsigned line;
		if (!got || strcmp(got, global->name) != 0)
			fail_msg("%s: %s is called %s", name, global->name, got ? got : "nothing");
		if (!global->line)
			continue;
		if (!symbols_global_place(symbols, &loaded->module, address, &file, &line))
			fail_msg("%s: %s is declared nowhere", name, global->name);
		if (line != global->line || !strstr(file, "/symbols_c") || strstr(file, "/."))
			fail_msg("%s: %s is declared at %s:%u, not line %u", name, global->name, file, line,
			         global->line);
	}
}

static void for_each(const char *names, void (*check)(const struct loaded *, const char *))
{
	char *copy = strdup(names), *save;
	size_t count = 0;

	assert_non_null(copy);
	for (char *name = strtok_r(copy, " ", &save); name; name = strtok_r(NULL, " ", &save), count++) {
		struct loaded *loaded = load(name);
		check(loaded, name);
		const char *warning = symbols_warning(symbols, 0);
		if (warning)
			fail_msg("%s: %s", name, warning);
		unload(loaded);
	}
	assert_int_not_equal(count, 0);
	free(copy);
}

static void test_frames(void **state)
{
	(void)state;
	for_each(FIXTURES_WITH_FRAMES, check_frames);
}

static void test_globals(void **state)
{
	(void)state;
	for_each(FIXTURES_WITH_GLOBALS, check_globals);
}

/* ---- Members of heap blocks. ---- */

static const struct loaded *heap_loaded;
static unsigned heap_at, heap_object_bytes;

__attribute__((noinline)) static void on_heap(size_t block_bytes, size_t offset)
{
	uint64_t pc = (uint64_t)(uintptr_t)__builtin_return_address(0);
	const char *const *names = entry(heap_loaded, heap_object_bytes > 1 ? "heap_names" : "heap_names_of_any");
	const char *expected = names[heap_at];
	const char *got = symbols_heap_member(symbols, &heap_loaded->module, pc, block_bytes, offset, heap_object_bytes);

	if (!got != !expected || (got && strcmp(got, expected) != 0))
		fail_msg("%s: %u is called %s, not %s", heap_loaded->path, heap_at, got ? got : "nothing",
		         expected ? expected : "nothing");
	heap_at++;
}

static void check_heap_objects(const struct loaded *loaded, unsigned bytes)
{
	void *found = entry(loaded, "heap_each");
	void (*each)(heap_hook);

	heap_loaded = loaded;
	heap_at = 0;
	heap_object_bytes = bytes;
	memcpy(&each, &found, sizeof(each));
	each(on_heap);
	assert_int_equal(heap_at, *(const unsigned *)entry(loaded, "heap_count"));
}

static void check_heap(const struct loaded *loaded, const char *name)
{
	(void)name;
	check_heap_objects(loaded, sizeof(pthread_mutex_t));
	check_heap_objects(loaded, 1);
}

static void test_heap_members(void **state)
{
	(void)state;
	for_each(FIXTURES_WITH_HEAP, check_heap);
}

/* ---- Less than everything. ---- */

static void test_symbol_table_only(void **state)
{
	struct loaded *loaded = load("c_symtab");
	const struct fixture *fixture = fixture_of(loaded);
	struct sym_frame frame;

	(void)state;
	fixture->call(hook);
	assert_int_equal(symbols_frames(symbols, &loaded->module, seen.pc, true, &frame, 1), 1);
	assert_string_equal(frame.function, "outermost");
	assert_null(frame.file);
	assert_int_equal(frame.line, 0);
	/* By symbol and offset; shards is the second row of the fixture's list. */
	const char *name =
	    symbols_global(symbols, &loaded->module, (uint64_t)(uintptr_t)fixture->globals[1].address);
	assert_non_null(name);
	assert_int_equal(strncmp(name, "shards+0x", 9), 0);
	assert_string_equal(
	    symbols_global(symbols, &loaded->module, (uint64_t)(uintptr_t)fixture->globals[0].address),
	    "g_log_mutex");
	const char *file;
	unsigned line;
	assert_false(symbols_global_place(symbols, &loaded->module,
	                                  (uint64_t)(uintptr_t)fixture->globals[0].address, &file, &line));
	assert_null(symbols_warning(symbols, 0));
	unload(loaded);
}

static void test_stripped(void **state)
{
	struct loaded *loaded = load("c_stripped");
	const struct fixture *fixture = fixture_of(loaded);
	struct sym_frame frame;

	(void)state;
	fixture->call(hook);
	assert_int_equal(symbols_frames(symbols, &loaded->module, seen.pc, true, &frame, 1), 1);
	assert_null(frame.function);
	assert_string_equal(frame.module, "c_stripped.so");
	assert_int_equal(frame.offset, seen.pc - loaded->module.bias);
	assert_null(
	    symbols_global(symbols, &loaded->module, (uint64_t)(uintptr_t)fixture->globals[0].address));
	unload(loaded);
}

/* Module and offset, no names; and what the warning says (NULL: nothing is said). */
static void check_unknown(const struct dt_module *module, const char *warning)
{
	struct sym_frame frame;
	const char *file;
	unsigned line;

	for (int again = 0; again < 2; again++) {
		assert_int_equal(symbols_frames(symbols, module, module->bias + 0x1234, true, &frame, 1), 1);
		assert_null(frame.function);
		assert_null(frame.file);
		assert_int_equal(frame.offset, 0x1234);
		assert_null(symbols_global(symbols, module, module->bias + 0x1234));
		assert_false(symbols_global_place(symbols, module, module->bias + 0x1234, &file, &line));
		assert_null(symbols_heap_member(symbols, module, module->bias + 0x1234, 48, 8, 40));
	}
	const char *said = symbols_warning(symbols, 0);
	if (!warning) {
		assert_null(said);
		return;
	}
	assert_non_null(said);
	assert_non_null(strstr(said, module->path));
	assert_non_null(strstr(said, warning));
	assert_null(symbols_warning(symbols, 1)); /* once */
}

static void test_rebuilt_since(void **state)
{
	struct loaded *loaded = load("c_O0");

	(void)state;
	loaded->build_id[3] ^= 1;
	check_unknown(&loaded->module, "built anew");
	unload(loaded);
}

static void test_missing(void **state)
{
	struct dt_module module = {.path = "/nowhere/libgone.so", .bias = 0x7f0000000000};

	(void)state;
	check_unknown(&module, "No such file");
}

/* The vdso is in no file, and that is nothing to complain about. */
static void test_vdso(void **state)
{
	struct dt_module module = {.path = "linux-vdso.so.1", .bias = 0x7fff00000000};

	(void)state;
	check_unknown(&module, NULL);
}

/* Nobody writes to it: opening it must not wait. */
static void test_fifo(void **state)
{
	char path[] = "/tmp/detect-symbols-XXXXXX";
	struct dt_module module = {.path = path, .bias = 0x10000};

	(void)state;
	assert_non_null(mkdtemp(path));
	char fifo[64];
	snprintf(fifo, sizeof(fifo), "%s/fifo", path);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	module.path = fifo;
	alarm(10);
	check_unknown(&module, "not a regular file");
	alarm(0);
	unlink(fifo);
	rmdir(path);
}

/* One path and two builds of it are two files; both are told apart from then on. */
static void test_two_builds_of_one_path(void **state)
{
	struct loaded *good = load("c_O0"), *bad = load("c_O0");
	struct sym_frame frame;

	(void)state;
	bad->build_id[0] ^= 0xff;
	fixture_of(good)->call(hook);
	for (int i = 0; i < 3; i++) {
		assert_int_not_equal(symbols_frames(symbols, &bad->module, seen.pc, true, &frame, 1), 0);
		assert_null(frame.function);
		assert_int_not_equal(symbols_frames(symbols, &good->module, seen.pc, true, &frame, 1), 0);
		assert_non_null(frame.function);
	}
	unload(good);
	unload(bad);
}

/* ---- Noise. ---- */

static char *read_file(const char *path, size_t *bytes)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	char *content = malloc((size_t)status.st_size);
	assert_non_null(content);
	*bytes = (size_t)status.st_size;
	assert_int_equal(read(fd, content, *bytes), status.st_size);
	close(fd);
	return content;
}

static void write_file(const char *path, const char *content, size_t bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, bytes), bytes);
	close(fd);
}

static uint32_t next(uint32_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 17;
	*random ^= *random << 5;
	return *random;
}

static void ask_everything(const struct dt_module *module, size_t bytes)
{
	struct sym_frame frames[FRAMES];
	const char *file;
	unsigned line;

	for (uint64_t offset = 0; offset < bytes; offset += 61) {
		symbols_frames(symbols, module, module->bias + offset, true, frames, FRAMES);
		symbols_global(symbols, module, module->bias + offset);
		symbols_global_place(symbols, module, module->bias + offset, &file, &line);
		symbols_heap_member(symbols, module, module->bias + offset, 48, 8, 40);
	}
}

/* In a child of its own: a crash or a loop there is a status here. */
static int in_child(const struct dt_module *module, size_t bytes)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		alarm(20);
		struct symbols *mine = symbols_open();
		symbols = mine;
		ask_everything(module, bytes);
		symbols_close(mine);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void test_noise(void **state)
{
	char folder[] = "/tmp/detect-symbols-XXXXXX", path[64];
	struct loaded *loaded = load(NOISE_FIXTURE);
	size_t bytes;
	char *content = read_file(loaded->path, &bytes), *noisy = malloc(bytes);
	struct dt_module module = {.path = path, .bias = 0x400000};

	(void)state;
	assert_non_null(noisy);
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/noisy.so", folder);
	for (uint32_t seed = 1; seed <= NOISE_RUNS; seed++) {
		uint32_t random = seed * 2654435761u;
		size_t kept = seed % 8 == 0 ? next(&random) % bytes : bytes;
		unsigned changes = 1 + next(&random) % 64;
		memcpy(noisy, content, bytes);
		/* Most of the file is debug information, behind the first page. */
		for (unsigned i = 0; i < changes; i++)
			noisy[64 + next(&random) % (bytes - 64)] = (char)next(&random);
		write_file(path, noisy, kept);
		int status = in_child(&module, bytes);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			fail_msg("seed %u: status 0x%x; the file is kept: %s", seed, status, path);
	}
	unlink(path);
	rmdir(folder);
	free(content);
	free(noisy);
	unload(loaded);
}

/* What comes before the loop is known, and no walk goes round in it. */
static void test_loops(void **state)
{
	struct loaded *loaded = load("loop");
	struct sym_frame frame;

	(void)state;
	int status = in_child(&loaded->module, 0x8000);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	const char *name =
	    symbols_global(symbols, &loaded->module, (uint64_t)(uintptr_t)entry(loaded, "loop"));
	assert_non_null(name);
	assert_int_equal(strncmp(name, "loop.same.same", 14), 0);
	uint64_t function = (uint64_t)(uintptr_t)entry(loaded, "loop_function");
	assert_int_equal(symbols_frames(symbols, &loaded->module, function, false, &frame, 1), 1);
	assert_string_equal(frame.function, "loop_function");
	unload(loaded);
}

/* ---- Remembered. ---- */

static void test_a_million_lookups(void **state)
{
	struct loaded *loaded = load("c_O0");
	uint64_t start = (uint64_t)(uintptr_t)entry(loaded, "fixture");
	struct sym_frame frames[FRAMES];
	struct timespec from, to;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (unsigned i = 0; i < 1000000; i++)
		assert_true(
		    symbols_frames(symbols, &loaded->module, start + i % 1000, false, frames, FRAMES) > 0);
	clock_gettime(CLOCK_MONOTONIC, &to);
	/* 0.2 s here. Not remembered it takes minutes. */
	assert_true(to.tv_sec - from.tv_sec < 20);
	const char *function = frames[0].function;
	symbols_frames(symbols, &loaded->module, start + 999, false, frames, FRAMES);
	assert_ptr_equal(frames[0].function, function);
	unload(loaded);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_symbols, close_symbols)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_frames),
	    TEST(test_globals),
	    TEST(test_heap_members),
	    TEST(test_symbol_table_only),
	    TEST(test_stripped),
	    TEST(test_rebuilt_since),
	    TEST(test_missing),
	    TEST(test_vdso),
	    TEST(test_fifo),
	    TEST(test_two_builds_of_one_path),
	    TEST(test_noise),
	    TEST(test_loops),
	    TEST(test_a_million_lookups),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
