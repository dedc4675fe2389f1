// A local static is initialised once, and others wait for it: C++11 6.7.
#include <thread>

#include "../lesson.h"

struct Squares {
	int of[100];
	Squares()
	{
		for (int i = 0; i < 100; i++)
			of[i] = i * i;
	}
};

static int square(int n)
{
	static const Squares squares;
	return squares.of[n];
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
