/* unwind_reference.c: libgcc's frames are found by where their return addresses lie. */
#include <errno.h>
#include <string.h>
#include <unwind.h>

#include "../../preload/unwind.h"
#include "unwind_reference.h"

/* What libgcc sees from `slot` on. */
struct reference {
	uintptr_t slot;
	size_t count;
	struct shim_frame frames[UNWIND_FRAMES];
	bool interrupted[UNWIND_FRAMES]; /* the pc is not a return address */
};

static _Unwind_Reason_Code collect(struct _Unwind_Context *context, void *argument)
{
	struct reference *r = argument;
	int before = 0;
	struct shim_frame frame = {_Unwind_GetIPInfo(context, &before), _Unwind_GetCFA(context) - 8};
	if ((!r->count && frame.slot != r->slot) || !frame.pc || r->count == UNWIND_FRAMES)
		return _URC_NO_REASON;
	r->interrupted[r->count] = before;
	r->frames[r->count++] = frame;
	return _URC_NO_REASON;
}

static bool same(const struct reference *r, const struct shim_frame *frames, size_t count)
{
	if (r->count != count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (frames[i].pc != r->frames[i].pc || *(const uintptr_t *)frames[i].slot != frames[i].pc)
			return false;
		if (!r->interrupted[i] && frames[i].slot != r->frames[i].slot)
			return false;
	}
	return true;
}

__attribute__((noinline)) void unwind_compare(void *argument)
{
	struct unwind_outcome *o = argument;
	static __thread struct reference r;
	static __thread struct shim_frame frames[UNWIND_FRAMES];
	r.slot = UNWIND_SLOT();
	r.count = 0;
	_Unwind_Backtrace(collect, &r);
	for (int i = 0; i < 2; i++) {
		bool complete;
		errno = 4711;
		size_t count = shim_unwind(r.slot, frames, UNWIND_FRAMES, &complete);
		o->comparisons++;
		o->mismatches += !same(&r, frames, count) || errno != 4711 || !r.count;
		o->unfinished |= !complete;
		o->deepest = count > o->deepest ? count : o->deepest;
	}
}
