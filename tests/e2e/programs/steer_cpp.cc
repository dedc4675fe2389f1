// Cycles of the C++ library's locks, whose guards are frames of their own without optimisation. Built twice,
// with -O0 and with -O2. A run without steering ends well.
#include <chrono>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "case.h"

static std::mutex left, right;
static std::shared_mutex table, index_lock;

static void nap(int ms)
{
	std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

static void guards()
{
	std::thread first([] {
		std::lock_guard<std::mutex> held(left);
		std::unique_lock<std::mutex> wanted(right);
	});
	std::thread second([] {
		nap(20);
		std::unique_lock<std::mutex> held(right);
		std::lock_guard<std::mutex> wanted(left);
	});
	first.join();
	second.join();
}

static void shared()
{
	std::thread first([] {
		std::shared_lock<std::shared_mutex> held(table);
		std::unique_lock<std::shared_mutex> wanted(index_lock);
	});
	std::thread second([] {
		nap(20);
		std::shared_lock<std::shared_mutex> held(index_lock);
		std::unique_lock<std::shared_mutex> wanted(table);
	});
	first.join();
	second.join();
}

CASES({"guards", guards}, {"shared", shared})
