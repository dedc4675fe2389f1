/* The unwinder's tables: rows shared by threads, forgotten when code goes, and broken .eh_frame. */
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "../../preload/unwind.h"
#include "../../preload/unwind_cursor.h"
#include "../../preload/unwind_row.h"
#include "unwind_shapes.h"

enum { FRAMES = 256, WALKERS = 4, PAGE = 4096 };
#define SLOT_HERE() ((uintptr_t)__builtin_frame_address(0) + 8)

struct stack {
	size_t count;
	bool complete;
	struct shim_frame frames[FRAMES];
};

static __attribute__((noinline)) void take(void *argument)
{
	struct stack *stack = argument;
	stack->count = shim_unwind(SLOT_HERE(), stack->frames, FRAMES, &stack->complete);
}

static void test_row_is_found_until_forgotten(void **state)
{
	(void)state;
	uint64_t row;
	for (uintptr_t pc = 0x1000; pc < 0x1100; pc++)
		shim_row_add(pc, pc * 3, atomic_load(&shim_row_era));
	for (uintptr_t pc = 0x1000; pc < 0x1100; pc++)
		assert_true(shim_row_find(pc, &row) && row == pc * 3);
	shim_unwind_forget(0x1010, 0x1020);
	for (uintptr_t pc = 0x1000; pc < 0x1100; pc++)
		assert_int_equal(shim_row_find(pc, &row), pc < 0x1010 || pc >= 0x1020);
	/* Worked out before the forgetting, added after it. */
	shim_row_add(0x1010, 1, atomic_load(&shim_row_era) - 1);
	assert_false(shim_row_find(0x1010, &row));
	shim_unwind_forget(0, UINTPTR_MAX);
	assert_false(shim_row_find(0x1000, &row));
}

static void test_a_full_set_takes_the_newest(void **state)
{
	(void)state;
	uintptr_t pcs[64];
	size_t count = 0;
	for (uintptr_t pc = 1; count < 64; pc++)
		if (shim_row_set(pc) == shim_rows[5])
			pcs[count++] = pc;
	for (size_t i = 0; i < count; i++) {
		uint64_t row;
		shim_row_add(pcs[i], i, atomic_load(&shim_row_era));
		assert_true(shim_row_find(pcs[i], &row));
		assert_int_equal(row, i);
	}
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t row;
		kept += shim_row_find(pcs[i], &row) && row == i;
	}
	assert_int_equal(kept, SHIM_ROW_WAYS);
	shim_unwind_forget(0, UINTPTR_MAX);
}

/* Few keys in one set, four threads that write: a mixed row is one whose value is not its key's. */
static uintptr_t crowd[12];
static _Atomic size_t mixed_rows, whole_rows;

static void *crowd_main(void *argument)
{
	unsigned seed = (unsigned)(uintptr_t)argument;
	size_t whole = 0, mixed = 0;
	for (int i = 0; i < 300000; i++) {
		uintptr_t pc = crowd[rand_r(&seed) % 12];
		uint64_t row;
		if (!shim_row_find(pc, &row))
			shim_row_add(pc, pc * 0x9e3779b97f4a7c15u, atomic_load(&shim_row_era));
		else if (row == pc * 0x9e3779b97f4a7c15u)
			whole++;
		else
			mixed++;
	}
	atomic_fetch_add(&mixed_rows, mixed);
	atomic_fetch_add(&whole_rows, whole);
	return NULL;
}

static void test_rows_are_whole(void **state)
{
	(void)state;
	size_t count = 0;
	for (uintptr_t pc = 1; count < 12; pc++)
		if (shim_row_set(pc) == shim_rows[7])
			crowd[count++] = pc;
	pthread_t threads[WALKERS];
	for (uintptr_t i = 0; i < WALKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, crowd_main, (void *)(i + 1)), 0);
	for (int i = 0; i < WALKERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(mixed_rows, 0);
	assert_true(whole_rows > 1000);
	shim_unwind_forget(0, UINTPTR_MAX);
}

static _Atomic bool walk_on;
static _Atomic size_t walks, wrong_walks;

/* Alike inside the frame that begins at `frame`. The call in it may exist twice in the code. */
static bool alike(const struct stack *a, const struct stack *b, uintptr_t frame)
{
	size_t inside = 0;
	while (inside < a->count && a->frames[inside].slot < frame)
		inside++;
	return a->complete && b->complete && a->count == b->count && inside > 10 &&
	       memcmp(a->frames, b->frames, (inside - 1) * sizeof *a->frames) == 0;
}

/* The same stack again and again must always look the same, whatever the others do to the table. */
static void *walker_main(void *argument)
{
	(void)argument;
	shim_unwind_set_stack((uintptr_t)__builtin_frame_address(0), (uintptr_t)pthread_self());
	static __thread struct stack first, again;
	for (size_t i = 0; atomic_load(&walk_on) || i < 100; i++) {
		unwind_shapes_O2.mixed(3, take, i ? &again : &first);
		if (i && !alike(&first, &again, (uintptr_t)__builtin_frame_address(0)))
			atomic_fetch_add(&wrong_walks, 1);
		atomic_fetch_add(&walks, 1);
	}
	return NULL;
}

static void test_threads_on_a_cold_table(void **state)
{
	(void)state;
	pthread_t threads[WALKERS];
	atomic_store(&walk_on, true);
	for (int i = 0; i < WALKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, walker_main, NULL), 0);
	for (int i = 0; i < 2000; i++)
		shim_unwind_forget(0, UINTPTR_MAX);
	atomic_store(&walk_on, false);
	for (int i = 0; i < WALKERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(wrong_walks, 0);
	assert_true(walks >= 100 * WALKERS);
}

/* Broken tables: _dl_find_object is this program's own, and names a copy of the program that lies
 * between unreadable pages. Only the bytes count that the copy's headers give to be read. */
static struct dl_find_object broken;
static struct link_map broken_map;

int _dl_find_object(void *address, struct dl_find_object *found)
{
	static int (*_Atomic real)(void *, struct dl_find_object *);
	if (address >= broken.dlfo_map_start && address < broken.dlfo_map_end) {
		*found = broken;
		return 0;
	}
	if (!real) {
		void *symbol = dlsym(RTLD_NEXT, "_dl_find_object");
		memcpy((void *)&real, &symbol, sizeof symbol);
	}
	return real(address, found);
}

/* ASan would object to what lies between the program's variables. */
static SHIM_READS_STACKS void copy_bytes(volatile unsigned char *to, const volatile unsigned char *from,
                                         size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		to[i] = from[i];
}

struct copy {
	unsigned char *bytes;
	size_t size, table, table_segment, table_segment_end;
};

static struct dl_find_object find_this_program(void)
{
	struct dl_find_object self;
	uintptr_t any_code;
	void (*code)(void *) = take;
	memcpy(&any_code, (void *)&code, sizeof any_code);
	assert_int_equal(_dl_find_object((void *)any_code, &self), 0);
	return self;
}

static void copy_this_program(struct copy *copy)
{
	struct dl_find_object self = find_this_program();
	const unsigned char *from = self.dlfo_map_start;
	size_t size = (size_t)((unsigned char *)self.dlfo_map_end - from);
	copy->size = size = (size + PAGE - 1) & ~(size_t)(PAGE - 1);
	copy->table = (size_t)((unsigned char *)self.dlfo_eh_frame - from);
	unsigned char *area = mmap(NULL, size + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(area, MAP_FAILED);
	copy->bytes = area + PAGE;
	const ElfW(Ehdr) *elf = (const void *)from;
	const ElfW(Phdr) *header = (const void *)(from + elf->e_phoff);
	for (unsigned i = 0; i < elf->e_phnum; i++) {
		size_t start = self.dlfo_link_map->l_addr + header[i].p_vaddr - (uintptr_t)from;
		if (header[i].p_type != PT_LOAD || !(header[i].p_flags & PF_R))
			continue;
		size_t first = start & ~(size_t)(PAGE - 1), end = start + header[i].p_filesz;
		mprotect(copy->bytes + first, end - first, PROT_READ | PROT_WRITE);
		copy_bytes(copy->bytes + start, from + start, header[i].p_filesz);
		if (copy->table >= start && copy->table < end) {
			copy->table_segment = start;
			copy->table_segment_end = end;
		}
	}
	/* Its addresses are shifted, so that this program's own headers don't describe it too. */
	ElfW(Phdr) *copied = (void *)(copy->bytes + elf->e_phoff);
	for (unsigned i = 0; i < elf->e_phnum; i++)
		copied[i].p_vaddr += PAGE;
	broken_map.l_addr = self.dlfo_link_map->l_addr + (uintptr_t)(copy->bytes - from) - PAGE;
	broken = (struct dl_find_object){.dlfo_map_start = copy->bytes,
	                                 .dlfo_map_end = copy->bytes + size,
	                                 .dlfo_link_map = &broken_map,
	                                 .dlfo_eh_frame = copy->bytes + copy->table};
}

/* How many of the copy's places have a row. */
static size_t look_everywhere(const struct copy *copy, size_t stride)
{
	size_t found = 0;
	for (size_t i = 0; i < copy->size; i += stride) {
		struct shim_cfi_row row;
		struct shim_view view = {0, 0, false};
		uintptr_t registers[SHIM_REGISTERS] = {0}, value;
		uint64_t packed;
		if (!shim_cfi_find((uintptr_t)copy->bytes + i, &row))
			continue;
		found++;
		shim_row_pack(&row, &packed);
		for (unsigned reg = 0; reg < SHIM_REGISTERS; reg++)
			if (row.rules.rule[reg] >= SHIM_RULE_AT_EXPRESSION)
				shim_expr_value(&row, row.rules.value[reg], registers, registers, &view,
				                &value);
		if (row.rules.cfa_register == SHIM_REGISTERS)
			shim_expr_value(&row, row.rules.cfa_value, registers, NULL, &view, &value);
	}
	return found;
}

static void test_broken_frame_information(void **state)
{
	(void)state;
	struct copy copy;
	copy_this_program(&copy);
	size_t whole = look_everywhere(&copy, 1);
	assert_true(whole > 4000);
	size_t bytes = copy.table_segment_end - copy.table;
	unsigned seed = 7;
	bool ever_less = false;
	unsigned char *saved = malloc(bytes);
	memcpy(saved, copy.bytes + copy.table, bytes);
	for (int round = 0; round < 400; round++) {
		for (int i = 0; i < 1 + round % 64; i++)
			copy.bytes[copy.table + (size_t)rand_r(&seed) % bytes] = (unsigned char)rand_r(&seed);
		ever_less |= look_everywhere(&copy, 97) < whole / 97 / 2;
		memcpy(copy.bytes + copy.table, saved, bytes);
	}
	/* The head of the table, where one byte counts most. */
	for (unsigned byte = 0; byte < 256; byte++)
		for (size_t at = 0; at < 12; at++) {
			copy.bytes[copy.table + at] = (unsigned char)byte;
			ever_less |= look_everywhere(&copy, 4093) == 0;
			copy.bytes[copy.table + at] = saved[at];
		}
	assert_true(ever_less);
	assert_int_equal(look_everywhere(&copy, 1), whole);
	free(saved);
	broken = (struct dl_find_object){0};
	munmap(copy.bytes - PAGE, copy.size + 2 * PAGE);
}

/* An FDE that says that it is longer than its segment. */
static void test_too_long_a_record(void **state)
{
	(void)state;
	struct copy copy;
	copy_this_program(&copy);
	struct dl_find_object self = broken;
	uintptr_t code;
	void (*function)(void *) = take;
	memcpy(&code, (void *)&function, sizeof code);
	broken = (struct dl_find_object){0};
	code += (uintptr_t)copy.bytes - (uintptr_t)find_this_program().dlfo_map_start;
	broken = self;
	struct shim_fde fde;
	assert_true(shim_fde_find(code, &fde));
	/* Before the program: length, CIE pointer, start, size, length of no augmentation. */
	unsigned char *record = copy.bytes + (fde.program - 17 - copy.bytes);
	uint32_t bytes = (uint32_t)(fde.program_end - (record + 4)), too_many = 0x7fffffff;
	assert_memory_equal(record, &bytes, sizeof bytes);
	memcpy(record, &too_many, sizeof too_many);
	assert_false(shim_fde_find(code, &fde));
	memcpy(record, &bytes, sizeof bytes);
	assert_true(shim_fde_find(code, &fde));
	broken = (struct dl_find_object){0};
	munmap(copy.bytes - PAGE, copy.size + 2 * PAGE);
}

static void test_broken_headers(void **state)
{
	(void)state;
	struct copy copy;
	copy_this_program(&copy);
	size_t whole = look_everywhere(&copy, 997);
	unsigned char saved[1024];
	unsigned seed = 11;
	memcpy(saved, copy.bytes, sizeof saved);
	assert_true(whole > 4);
	for (int round = 0; round < 20000; round++) {
		copy.bytes[(size_t)rand_r(&seed) % sizeof saved] = (unsigned char)rand_r(&seed);
		look_everywhere(&copy, 8191);
		if (round % 8 == 7)
			memcpy(copy.bytes, saved, sizeof saved);
	}
	/* Headers that speak of another table. */
	const ElfW(Ehdr) *elf = (const void *)copy.bytes;
	ElfW(Phdr) *header = (void *)(copy.bytes + elf->e_phoff);
	for (unsigned i = 0; i < elf->e_phnum; i++)
		header[i].p_vaddr += header[i].p_type == PT_GNU_EH_FRAME ? 8 : 0;
	assert_int_equal(look_everywhere(&copy, 997), 0);
	memcpy(copy.bytes, saved, sizeof saved);
	assert_int_equal(look_everywhere(&copy, 997), whole);
	memcpy(copy.bytes, "not an ELF file", 16);
	assert_int_equal(look_everywhere(&copy, 997), 0);
	mprotect(copy.bytes, PAGE, PROT_NONE);
	assert_int_equal(look_everywhere(&copy, 997), 0);
	broken = (struct dl_find_object){0};
	munmap(copy.bytes - PAGE, copy.size + 2 * PAGE);
}

/* Where the program's mapping has holes, glibc calls only the part with the code its mapping. */
static void test_mapping_without_its_headers(void **state)
{
	(void)state;
	struct shim_cfi_row row, again;
	uintptr_t code;
	void (*function)(void *) = take;
	memcpy(&code, (void *)&function, sizeof code);
	assert_true(shim_cfi_find(code, &row));
	broken = find_this_program();
	broken.dlfo_map_start = (void *)(code & ~(uintptr_t)(PAGE - 1));
	assert_true(shim_cfi_find(code, &again));
	assert_memory_equal(&row.rules, &again.rules, sizeof row.rules);
	broken = (struct dl_find_object){0};
}

/* One row has one base for the registers that it says are saved. */
static void test_what_does_not_fit_a_word(void **state)
{
	(void)state;
	const unsigned char expressions[] = {2, 0x76, 0x70, 2, 0x73, 0}; /* rbp - 16; rbx + 0 */
	struct shim_cfi_row row = {.base = expressions, .end = expressions + sizeof expressions};
	uint64_t packed;
	row.rules.cfa_register = SHIM_RSP;
	row.rules.cfa_value = 32;
	row.rules.rule[SHIM_RA] = SHIM_RULE_AT_CFA;
	row.rules.value[SHIM_RA] = -8;
	row.rules.rule[SHIM_R12] = SHIM_RULE_AT_EXPRESSION;
	assert_true(shim_row_pack(&row, &packed));
	row.rules.rule[SHIM_RBX] = SHIM_RULE_AT_CFA;
	row.rules.value[SHIM_RBX] = -16;
	assert_false(shim_row_pack(&row, &packed));
	row.rules.rule[SHIM_R12] = SHIM_RULE_AT_CFA;
	row.rules.value[SHIM_R12] = -8 * SHIM_ROW_SAVED_MAX;
	assert_true(shim_row_pack(&row, &packed));
	const int32_t outside[] = {-8 * SHIM_ROW_SAVED_MAX - 8, 0, 8, -12};
	for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
		row.rules.value[SHIM_R12] = outside[i];
		assert_false(shim_row_pack(&row, &packed));
	}
	row.rules.rule[SHIM_R12] = SHIM_RULE_AT_EXPRESSION;
	row.rules.value[SHIM_R12] = 3;
	row.rules.rule[SHIM_RBX] = SHIM_RULE_NONE;
	assert_false(shim_row_pack(&row, &packed));
	row.rules.rule[SHIM_R12] = SHIM_RULE_NONE;
	row.rules.cfa_value = 12;
	assert_false(shim_row_pack(&row, &packed));
}

static void test_bounds_follow_the_stack(void **state)
{
	(void)state;
	enum { PAGES = 256 };
	char *area = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t start = (uintptr_t)area, top = start + PAGES * PAGE;
	shim_unwind_set_stack(top - 3 * PAGE + 16, top);
	assert_int_equal(shim_bounds.floor, top - 3 * PAGE);
	/* Too far below to be this stack's. */
	shim_unwind_set_stack(start, top);
	assert_int_equal(shim_bounds.floor, top);
	mprotect(area + (PAGES - 5) * PAGE, PAGE, PROT_NONE);
	shim_unwind_set_stack(top - 6 * PAGE, top);
	assert_int_equal(shim_bounds.floor, top);
	assert_false(shim_memory_readable(top - 5 * PAGE));
	assert_true(shim_memory_readable(top - 4 * PAGE));
	shim_unwind_set_stack(0, 0);
	munmap(area, PAGES * PAGE);
}

static void test_cursor_keeps_to_its_bytes(void **state)
{
	(void)state;
	const unsigned char bytes[] = {0xff, 0xff, 0xff, 1, 2, 3, 4};
	struct shim_cursor c = {bytes, bytes + 3, false};
	assert_int_equal(shim_cursor_fixed(&c, 2), 0xffff);
	assert_false(c.bad);
	assert_int_equal(shim_cursor_fixed(&c, 4), 0);
	assert_true(c.bad && c.at == c.end);
	c = (struct shim_cursor){bytes, bytes + 3, false};
	shim_cursor_uleb(&c);
	assert_true(c.bad && c.at == c.end);
	c = (struct shim_cursor){bytes, bytes + 3, false};
	assert_int_equal(shim_cursor_fixed_signed(&c, 1), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_row_is_found_until_forgotten),
	    cmocka_unit_test(test_a_full_set_takes_the_newest),
	    cmocka_unit_test(test_rows_are_whole),
	    cmocka_unit_test(test_threads_on_a_cold_table),
	    cmocka_unit_test(test_what_does_not_fit_a_word),
	    cmocka_unit_test(test_bounds_follow_the_stack),
	    cmocka_unit_test(test_cursor_keeps_to_its_bytes),
	    cmocka_unit_test(test_mapping_without_its_headers),
	    cmocka_unit_test(test_broken_frame_information),
	    cmocka_unit_test(test_too_long_a_record),
	    cmocka_unit_test(test_broken_headers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
