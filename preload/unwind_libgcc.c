/* unwind_libgcc.c: several microseconds a stack, and it can fault on a broken one. */
#include <errno.h>
#include <unwind.h>

#include "unwind_libgcc.h"

struct trace {
	uintptr_t slot;
	struct shim_frame *out;
	size_t count, max;
	bool ended;
};

static _Unwind_Reason_Code visit(struct _Unwind_Context *context, void *argument)
{
	struct trace *trace = argument;
	struct shim_frame frame = {_Unwind_GetIP(context), _Unwind_GetCFA(context) - sizeof(uintptr_t)};
	if (!trace->count && frame.slot != trace->slot)
		return _URC_NO_REASON;
	trace->ended = !frame.pc;
	if (trace->ended || trace->count == trace->max)
		return _URC_END_OF_STACK;
	trace->out[trace->count++] = frame;
	return _URC_NO_REASON;
}

size_t shim_unwind_libgcc(uintptr_t slot, struct shim_frame *out, size_t max, bool *complete)
{
	struct trace trace = {slot, out, 0, max, false};
	int saved = errno;
	_Unwind_Backtrace(visit, &trace);
	errno = saved;
	if (!trace.count && max)
		out[trace.count++] = (struct shim_frame){*(const uintptr_t *)slot, slot};
	*complete = trace.ended;
	return trace.count;
}
