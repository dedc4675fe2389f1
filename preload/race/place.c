/* place.c: what the memory is that a race is about: a heap block, a thread-local variable, a variable of a
 * call on some thread's stack, or else a global.
 *
 * A call's frame begins where its return address lies (at CFA - 8), and that is what it was entered with; at
 * the lower end of the frame lies the return address of the call that it has made last, which tells where in
 * the function it is. Both are read from another thread's stack, while that runs on: the kernel reads, so
 * that a stack that goes away is no fault, and what does not fit together is not told. */
#include <elf.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../modules.h"
#include "../tables.h"
#include "../unwind_cfi.h"
#include "report.h"
#include "sync.h"

enum { FRAME_WORDS_MAX = 1 << 13, WORDS_AT_ONCE = 512 };

/* How many words could be read. */
static size_t read_words(uintptr_t from, uintptr_t *words, size_t count)
{
	struct iovec to = {words, count * sizeof *words}, source = {(void *)from, count * sizeof *words};
	long got = syscall(SYS_process_vm_readv, syscall(SYS_getpid), &to, 1UL, &source, 1UL, 0UL);
	return got > 0 ? (size_t)got / sizeof *words : 0;
}

/* Where `value` lies, in `words` words from `from` on; 0: nowhere. */
static uintptr_t find_word(uintptr_t from, size_t words, uintptr_t value)
{
	uintptr_t some[WORDS_AT_ONCE];
	while (words) {
		size_t count = read_words(from, some, words < WORDS_AT_ONCE ? words : WORDS_AT_ONCE);
		for (size_t i = 0; i < count; i++)
			if (some[i] == value)
				return from + i * sizeof *some;
		if (count < WORDS_AT_ONCE)
			return 0;
		from += sizeof some;
		words -= count;
	}
	return 0;
}

/* The call that has the address in its frame: the outermost one whose frame reaches down to it. */
static const struct race_frame *call_around(const struct race_thread *t, uintptr_t address)
{
	uintptr_t last = UINTPTR_MAX;
	for (const struct race_frame *frame = t->frames; frame < t->frames + RACE_FRAMES_MAX && frame->pc;
	     frame++) {
		if (frame->stack >= last)
			return NULL;
		if (frame->stack <= address)
			return frame;
		last = frame->stack;
	}
	return NULL;
}

static void find_frame(struct dt_rec_race *rec, const struct race_thread *t)
{
	const struct race_frame *call = call_around(t, rec->address);
	uintptr_t pc, from, at;
	struct shim_fde fde;
	if (!call || read_words(call->stack, &pc, 1) != 1 || !shim_fde_find(pc - 1, &fde))
		return;
	/* Mostly its caller has called it from where it has called __tsan_func_entry. */
	from = call > t->frames ? call[-1].stack : 0;
	if (!from || find_word(from, 1, call->pc) != from)
		from = call->stack + sizeof pc;
	at = find_word(from, FRAME_WORDS_MAX, call->pc);
	if (!at || at < rec->address)
		return;
	const struct shim_frame frame = {pc, 0};
	rec->owner_frame = shim_stack_intern(&frame, 1, false);
	rec->owner_offset = (int32_t)(rec->address - (at + 8));
	rec->owner_frame_bytes = (uint32_t)(at - call->stack);
	shim_stack_log(rec->owner_frame);
}

/* Of the program itself: its block ends at the thread pointer. */
static size_t program_block(void)
{
	const Elf64_Phdr *header = (const void *)getauxval(AT_PHDR);
	for (size_t i = 0; header && i < getauxval(AT_PHNUM); i++)
		if (header[i].p_type == PT_TLS)
			return (header[i].p_memsz + header[i].p_align - 1) & ~(header[i].p_align - 1);
	return 0;
}

static bool find_thread_local(struct dt_rec_race *rec, const struct race_thread *t)
{
	size_t block = program_block();
	uintptr_t below = t->pointer - rec->address, outermost = t->frames->stack;
	if (below - 1 < block) {
		rec->block = getauxval(AT_ENTRY);
		rec->owner_offset = (int32_t)(block - below);
		shim_modules_see(rec->block);
	} else if (rec->address < t->stack_start || rec->address >= t->pointer ||
	           rec->address >= t->stack_end || !outermost || rec->address < outermost + 4096) {
		/* Libraries' lie between the program's and the thread's first call. */
		return false;
	}
	rec->place = DT_PLACE_THREAD_LOCAL;
	rec->owner = t->id;
	return true;
}

void race_find_place(struct dt_rec_race *rec)
{
	uintptr_t address = rec->address, start;
	const struct race_block *block = race_block_find(address, &start);
	if (block) {
		rec->place = DT_PLACE_HEAP;
		rec->block = start;
		rec->block_bytes = block->bytes;
		rec->alloc_stack = block->stack;
		rec->alloc_thread = block->thread;
		shim_stack_log(block->stack);
		return;
	}
	for (const struct race_thread *t = race_threads; t; t = t->next_all) {
		if (!t->live)
			continue;
		if (find_thread_local(rec, t))
			return;
		if (address < t->stack_start || address >= t->stack_end)
			continue;
		rec->place = DT_PLACE_STACK;
		rec->owner = t->id;
		find_frame(rec, t);
		return;
	}
	shim_modules_see(address);
	rec->place = DT_PLACE_UNKNOWN;
}
