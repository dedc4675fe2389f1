/* unwind_bench.c: nanoseconds an unwind, of ours and of libgcc's, on stacks of given depths.
 *
 *   unwind_bench [SECONDS]     for each measurement, default 0.2
 *
 * cold: with an empty table of rows; warm: the rows are there. The best of five runs. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unwind.h>

#include "../../preload/unwind.h"

enum { FRAMES = 128, RUNS = 5, COLD_ROUNDS = 50 };

static double seconds = 0.2;

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

struct trace {
	struct shim_frame frames[FRAMES];
	size_t count, max;
};

static _Unwind_Reason_Code visit(struct _Unwind_Context *context, void *argument)
{
	struct trace *trace = argument;
	if (trace->count == trace->max)
		return _URC_END_OF_STACK;
	trace->frames[trace->count].pc = _Unwind_GetIP(context);
	trace->frames[trace->count++].slot = _Unwind_GetCFA(context) - 8;
	return _URC_NO_REASON;
}

static __attribute__((noinline)) void unwind_ours(struct trace *trace)
{
	bool complete;
	uintptr_t slot = (uintptr_t)__builtin_frame_address(0) + 8;
	trace->count = shim_unwind(slot, trace->frames, trace->max, &complete);
}

static __attribute__((noinline)) void unwind_libgcc(struct trace *trace)
{
	trace->count = 0;
	_Unwind_Backtrace(visit, trace);
}

typedef void unwinder(struct trace *trace);

static double warm_ns(unwinder *unwind, struct trace *trace)
{
	double best = 0;
	for (int run = 0; run < RUNS; run++) {
		double begin = now_ns(), end;
		long count = 0;
		do {
			for (int i = 0; i < 64; i++)
				unwind(trace);
			count += 64;
		} while ((end = now_ns()) < begin + seconds * 1e9 / RUNS);
		double ns = (end - begin) / (double)count;
		best = run && best < ns ? best : ns;
	}
	return best;
}

static double cold_ns(struct trace *trace)
{
	double best = 0;
	for (int round = 0; round < COLD_ROUNDS; round++) {
		shim_unwind_forget(0, UINTPTR_MAX);
		double begin = now_ns();
		unwind_ours(trace);
		double ns = now_ns() - begin;
		best = round && best < ns ? best : ns;
	}
	return best;
}

static volatile int sink;

static void measure(size_t max)
{
	static struct trace trace;
	trace.max = max;
	double cold = cold_ns(&trace), warm = warm_ns(unwind_ours, &trace),
	       libgcc = warm_ns(unwind_libgcc, &trace);
	printf("%6zu %10.0f %10.1f %10.0f %8.1fx\n", trace.count, cold, warm, libgcc, libgcc / warm);
}

/* Two functions with different frames, in turn. */
static void deep_wide(size_t depth, size_t max);

static __attribute__((noinline)) void deep(size_t depth, size_t max)
{
	if (depth)
		deep_wide(depth - 1, max);
	else
		measure(max);
	sink++;
}

static __attribute__((noinline)) void deep_wide(size_t depth, size_t max)
{
	volatile int room[64];
	int a = sink, b = sink, c = sink, d = sink;
	room[depth % 64] = a;
	if (depth)
		deep(depth - 1, max);
	else
		measure(max);
	sink = room[depth % 64] + a * b + c * d;
}

int main(int argc, char **argv)
{
	extern void *__libc_stack_end;
	if (argc > 1)
		seconds = atof(argv[1]);
	shim_unwind_set_stack((uintptr_t)__builtin_frame_address(0), (uintptr_t)__libc_stack_end);
	printf("frames    cold ns    warm ns  libgcc ns    ratio\n");
	const size_t depths[] = {1, 5, 10, 30, 100};
	for (size_t i = 0; i < sizeof depths / sizeof *depths; i++)
		deep(120, depths[i]);
	shim_unwind_set_stack(0, 0);
	printf("on a stack of unknown bounds:\n");
	deep(120, 10);
	return 0;
}
