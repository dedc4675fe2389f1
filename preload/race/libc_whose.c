/* libc_whose.c: whose call of libc it was. The linker takes the wrappers for all that it puts into a program, also
 * for what was compiled without -fsanitize=thread (static libraries, libstdc++.a): what those do with memory counts
 * no more than what shared libraries do.
 *
 * (One whose call is the last that it does, and a jump, leaves no trace: that is taken for its caller's.)
 *
 * A function that is watched has said that it was entered, from within its frame. So the stack is unwound from
 * the wrapper to its caller's end, once for each place that calls: when the innermost function that was entered
 * lies in the caller's frame, it is the caller; when it lies in an older frame, the caller said nothing. On a
 * stack where it is not found (contexts that nobody announced) it is not known, and counts as the program's. */
#include "../unwind.h"
#include "libc.h"

enum { PLACES = 1 << 12, PROBES = 8, FRAMES_MAX = 64 };
enum whose { UNKNOWN, PROGRAMS, OTHERS };

/* A place and the answer in its two lowest bits. */
static uint64_t places[PLACES];

static enum whose look_up(uintptr_t pc)
{
	uint64_t hash = pc * 0x9e3779b97f4a7c15u >> 40;
	for (uint32_t i = 0; i < PROBES; i++) {
		uint64_t found = __atomic_load_n(&places[(hash + i) % PLACES], __ATOMIC_RELAXED);
		if (found >> 2 == pc)
			return (enum whose)(found & 3);
		if (!found)
			break;
	}
	return UNKNOWN;
}

/* One that finds no room is worked out again each time. */
static void keep(uintptr_t pc, enum whose whose)
{
	uint64_t hash = pc * 0x9e3779b97f4a7c15u >> 40, entry = (uint64_t)pc << 2 | whose;
	for (uint32_t i = 0; i < PROBES; i++) {
		uint64_t none = 0, *at = &places[(hash + i) % PLACES];
		if (__atomic_compare_exchange_n(at, &none, entry, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED) ||
		    none == entry)
			return;
	}
}

static __attribute__((noinline)) enum whose work_out(const struct race_hot *hot, uintptr_t pc)
{
	struct shim_frame frames[FRAMES_MAX];
	bool complete;
	size_t count = shim_unwind((uintptr_t)SHIM_SLOT(), frames, FRAMES_MAX, &complete), caller = 0;
	while (caller < count && frames[caller].pc != pc)
		caller++;
	if (caller + 1 >= count || hot->thread->deeper)
		return UNKNOWN;
	const struct race_frame *entered = hot->frame;
	while (entered > hot->thread->frames && entered[-1].stack < frames[caller].slot)
		entered--;
	if (entered == hot->thread->frames || entered[-1].stack >= frames[count - 1].slot)
		return UNKNOWN;
	return entered[-1].stack < frames[caller + 1].slot ? PROGRAMS : OTHERS;
}

bool race_libc_is_programs(uintptr_t pc)
{
	const struct race_hot *hot = &race_hot;
	if (SHIM_UNLIKELY(!hot->stamp || hot->busy))
		return true;
	if (SHIM_UNLIKELY(hot->frame == hot->thread->frames))
		return false; /* nothing was entered */
	enum whose whose = look_up(pc);
	if (SHIM_UNLIKELY(!whose) && (whose = work_out(hot, pc)))
		keep(pc, whose);
	return whose != OTHERS;
}

void shim_race_unloaded_now(void)
{
	for (uint32_t i = 0; i < PLACES; i++)
		__atomic_store_n(&places[i], 0, __ATOMIC_RELAXED);
}
