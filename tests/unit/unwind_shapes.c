/* unwind_shapes.c: built as SHAPES. What a frame computes goes to `sink`,
 * after the call, so that no call is a tail call. */
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "unwind_shapes.h"

static _Thread_local volatile uint64_t sink;

static __attribute__((noinline)) void plain(int depth, unwind_leaf *leaf, void *argument)
{
	uint64_t a = sink + 1, b = sink * 3, c = sink ^ 5, d = sink - 7, e = sink | 9;
	if (depth > 1)
		plain(depth - 1, leaf, argument);
	else
		leaf(argument);
	sink = a + b * c + d * e;
}

static __attribute__((noinline)) void take_many(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                                                uint64_t f, uint64_t g, unwind_leaf *leaf, void *argument)
{
	leaf(argument);
	sink = a + b + c + d + e + f + g;
}

static __attribute__((noinline)) void alloca_and_args(int depth, unwind_leaf *leaf, void *argument)
{
	char *block = __builtin_alloca((size_t)depth * 40 + 8);
	memset(block, depth, (size_t)depth * 40 + 8);
	if (depth > 1)
		alloca_and_args(depth - 1, leaf, argument);
	else
		take_many(1, 2, 3, 4, 5, 6, sink, leaf, argument);
	sink = (uint64_t)block[depth];
}

static __attribute__((noinline)) void over_aligned(int depth, unwind_leaf *leaf, void *argument)
{
	_Alignas(128) volatile char line[256];
	uint64_t a = sink + 1, b = sink * 3, c = sink ^ 5;
	line[0] = (char)depth;
	char *block = __builtin_alloca((size_t)depth * 24 + 8);
	block[depth] = line[0];
	if (depth > 1)
		over_aligned(depth - 1, leaf, argument);
	else
		leaf(argument);
	sink = (uint64_t)line[0] + (uint64_t)block[depth] + a * b + c;
}

static __attribute__((noinline)) void variadic(unwind_leaf *leaf, void *argument, ...)
{
	va_list list;
	va_start(list, argument);
	double number = va_arg(list, double);
	leaf(argument);
	sink = (uint64_t)number + va_arg(list, unsigned);
	va_end(list);
}

static __attribute__((noinline)) void large_frame(int depth, unwind_leaf *leaf, void *argument)
{
	volatile char room[700000];
	room[0] = room[sizeof room - 1] = (char)depth;
	if (depth > 1)
		large_frame(depth - 1, leaf, argument);
	else
		leaf(argument);
	sink = (uint64_t)room[0];
}

struct rounds {
	int left;
	unwind_leaf *leaf;
	void *argument;
};

static void mixed(int rounds, unwind_leaf *leaf, void *argument);

static void by_variadic(void *argument)
{
	const struct rounds *rounds = argument;
	mixed(rounds->left, rounds->leaf, rounds->argument);
	sink = 1;
}

static void by_aligned(void *argument)
{
	variadic(by_variadic, argument, 2.5, 7u);
	sink = 2;
}

static void by_alloca(void *argument)
{
	over_aligned(2, by_aligned, argument);
	sink = 3;
}

static __attribute__((noinline)) void mixed(int rounds, unwind_leaf *leaf, void *argument)
{
	struct rounds next = {rounds - 1, leaf, argument};
	if (rounds)
		alloca_and_args(2, by_alloca, &next);
	else
		plain(2, leaf, argument);
	sink = 4;
}

extern const struct unwind_shapes SHAPES;
const struct unwind_shapes SHAPES = {plain, alloca_and_args, over_aligned, variadic, large_frame, mixed};
