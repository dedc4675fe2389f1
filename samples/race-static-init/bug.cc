// A table that the first caller fills, by a flag of its own.
#include <thread>

#include "../lesson.h"

static int squares[100];
static bool filled;

static int square(int n)
{
	if (!filled) {
		for (int i = 0; i < 100; i++)
			squares[i] = i * i;
		filled = true;
	}
	return squares[n];
}

int main()
{
	int seen = 0;
	std::thread first([] {
		lesson_step(0);
		square(2);
		lesson_step(1);
	});
	std::thread second([&] {
		lesson_step(2);
		seen = square(3);
	});
	first.join();
	second.join();
	return seen != 9;
}
