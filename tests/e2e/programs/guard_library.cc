// Local statics, in a library that brings libstdc++ along without showing it to the program.
#include <atomic>
#include <unistd.h>

static std::atomic<int> made, tried;

struct Slow {
	int value;
	Slow() : value(42)
	{
		usleep(50000);
		made++;
	}
};

struct Fails {
	int value;
	Fails() : value(42)
	{
		usleep(20000);
		if (tried++ < 3)
			throw 1;
	}
};

extern "C" int slow_value()
{
	static Slow slow;
	return slow.value * made;
}

extern "C" int failing_value()
{
	for (;;) {
		try {
			static Fails fails;
			return fails.value + tried;
		} catch (int) {
		}
	}
}
