// C++: the library's locks are pthread's underneath, and the guards are frames of their own without
// optimisation. Built twice, with -O0 and with -O2.
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <thread>

#include "case.h"

template <class Mutex> struct Pair {
	Mutex first, second;

	static Pair pair;

	static void forwards()
	{
		std::lock_guard<Mutex> held(pair.first);
		std::lock_guard<Mutex> wanted(pair.second);
	}

	static void backwards()
	{
		std::lock_guard<Mutex> held(pair.second);
		std::lock_guard<Mutex> wanted(pair.first);
	}

	static void both()
	{
		std::scoped_lock together(pair.second, pair.first);
	}

	static void inverted()
	{
		in_turn(forwards, backwards);
	}
	static void ordered()
	{
		in_turn(forwards, forwards);
	}
	static void scoped()
	{
		in_turn(forwards, both);
	}
};
template <class Mutex> Pair<Mutex> Pair<Mutex>::pair;

static std::mutex left, right;

static void guarded_forwards()
{
	std::lock_guard<std::mutex> held(left);    // line: forwards-hold
	std::lock_guard<std::mutex> wanted(right); // line: forwards-want
}

static void guarded_backwards()
{
	std::lock_guard<std::mutex> held(right);  // line: backwards-hold
	std::lock_guard<std::mutex> wanted(left); // line: backwards-want
}

static void guards()
{
	in_turn(guarded_forwards, guarded_backwards);
}

static void unique_backwards()
{
	std::unique_lock<std::mutex> held(right);
	std::unique_lock<std::mutex> wanted(left, std::defer_lock);
	wanted.lock();
}

static void unique()
{
	in_turn(guarded_forwards, unique_backwards);
}

static void unique_try_backwards()
{
	std::unique_lock<std::mutex> held(right);
	std::unique_lock<std::mutex> wanted(left, std::try_to_lock);
	CHECK(wanted.owns_lock());
}

static void unique_try()
{
	in_turn(guarded_forwards, unique_try_backwards);
}

static std::timed_mutex slow_left, slow_right;

static void timed_forwards()
{
	std::lock_guard<std::timed_mutex> held(slow_left);
	std::lock_guard<std::timed_mutex> wanted(slow_right);
}

static void timed_backwards()
{
	std::lock_guard<std::timed_mutex> held(slow_right);
	CHECK(slow_left.try_lock_for(std::chrono::seconds(60)));
	slow_left.unlock();
}

static void timed_wait()
{
	in_turn(timed_forwards, timed_backwards);
}

static std::shared_mutex left_table, right_table;

static void read_left_write_right()
{
	std::shared_lock<std::shared_mutex> reading(left_table);
	std::unique_lock<std::shared_mutex> writing(right_table);
}

static void read_right_write_left()
{
	std::shared_lock<std::shared_mutex> reading(right_table);
	std::unique_lock<std::shared_mutex> writing(left_table);
}

static void read_left_right()
{
	std::shared_lock<std::shared_mutex> reading(left_table);
	std::shared_lock<std::shared_mutex> reading_too(right_table);
}

static void read_right_left()
{
	std::shared_lock<std::shared_mutex> reading(right_table);
	std::shared_lock<std::shared_mutex> reading_too(left_table);
}

static void shared_upgrade()
{
	in_turn(read_left_write_right, read_right_write_left);
}
static void shared_readers()
{
	in_turn(read_left_right, read_right_left);
}

// Once.
static std::once_flag once;

static void once_forwards()
{
	std::call_once(once, guarded_forwards);
}

static void once_then_backwards()
{
	std::call_once(once, guarded_forwards);
	guarded_backwards();
}

static void once_between()
{
	in_turn(once_forwards, once_then_backwards);
}
static void once_without_call()
{
	in_turn(once_forwards, guarded_backwards);
}

// A routine that throws was not the once; the next one is.
static void once_that_throws()
{
	try {
		std::call_once(once, [] {
			guarded_forwards();
			throw std::runtime_error("not yet");
		});
		CHECK(false);
	} catch (const std::runtime_error &) {
	}
}

static void once_after_throw()
{
	in_turn(once_that_throws, once_forwards, once_then_backwards);
}

// Again from the same frame, and from within another once call.
static void throw_some_times()
{
	static int times;
	static std::once_flag thrown;

	for (int i = 0; i < 3; i++) {
		try {
			std::call_once(thrown, [] {
				if (times++ < 2)
					throw std::runtime_error("not yet");
			});
		} catch (const std::runtime_error &) {
		}
	}
	CHECK(times == 3);
}

static void once_throws_again()
{
	throw_some_times();
	std::call_once(once, throw_some_times);
	in_turn(guarded_forwards, guarded_forwards);
}

static void once_throws_within()
{
	std::call_once(once, throw_some_times);
	in_turn(guarded_forwards, guarded_backwards);
}

// Condition variables.
static std::condition_variable condition;
static bool ready;

static void wait_then_nest()
{
	std::unique_lock<std::mutex> held(left);
	condition.wait_for(held, std::chrono::milliseconds(1), [] { return ready; });
	std::lock_guard<std::mutex> wanted(right);
}

static void wait_then_separate()
{
	{
		std::unique_lock<std::mutex> held(left);
		condition.wait_for(held, std::chrono::milliseconds(1), [] { return ready; });
	}
	std::lock_guard<std::mutex> alone(right);
}

static void condition_held()
{
	in_turn(wait_then_nest, guarded_backwards);
}
static void condition_free()
{
	in_turn(wait_then_separate, guarded_backwards);
}

// Objects with mutexes that were never initialised by a call nor destroyed by one.
struct Object {
	std::mutex mutex;
	int value = 0;
};

static Object *one, *other;

static __attribute__((noinline)) Object *make_object()
{
	return new Object; // line: allocation
}

static void one_then_other()
{
	std::lock_guard<std::mutex> held(one->mutex);
	std::lock_guard<std::mutex> wanted(other->mutex);
}

static void other_then_one()
{
	std::lock_guard<std::mutex> held(other->mutex);
	std::lock_guard<std::mutex> wanted(one->mutex);
}

static void heap_kept()
{
	one = make_object();
	other = make_object();
	in_turn(one_then_other, other_then_one);
	delete one;
	delete other;
}

// Deleted and made again at the same addresses, while both threads live.
static void heap_reused()
{
	one = make_object();
	other = make_object();
	std::thread before([] {
		one_then_other();
		step(0);
	});
	std::thread after([] {
		step(3);
		other_then_one();
	});
	step(1);
	Object *old_one = one, *old_other = other;
	delete one;
	delete other;
	other = make_object();
	one = make_object();
	CHECK(one == old_one && other == old_other);
	step(2);
	before.join();
	after.join();
	delete one;
	delete other;
}

// Destructors of thread_local objects run when the thread ends.
struct AtThreadEnd {
	void (*routine)() = nullptr;
	~AtThreadEnd()
	{
		if (routine)
			routine();
	}
};
static thread_local AtThreadEnd at_thread_end;

static void end_after(void (*routine)())
{
	int done = 0;
	static int *told;
	told = &done;
	std::thread first_thread([] {
		at_thread_end.routine = [] {
			guarded_forwards();
			__atomic_store_n(told, 1, __ATOMIC_RELEASE);
		};
	});
	std::thread second_thread([routine] {
		while (!__atomic_load_n(told, __ATOMIC_ACQUIRE))
			sched_yield();
		at_thread_end.routine = routine;
	});
	first_thread.join();
	second_thread.join();
}

static void thread_local_inverted()
{
	end_after(guarded_backwards);
}
static void thread_local_ordered()
{
	end_after(guarded_forwards);
}

// Unwinding releases.
static void throw_while_holding()
{
	try {
		std::lock_guard<std::mutex> held(left);
		throw std::runtime_error("out");
	} catch (const std::runtime_error &) {
	}
	std::lock_guard<std::mutex> alone(right);
}

static void exception_releases()
{
	in_turn(throw_while_holding, guarded_backwards);
}

CASES({"mutex", Pair<std::mutex>::inverted}, {"mutex-ordered", Pair<std::mutex>::ordered},
      {"mutex-scoped", Pair<std::mutex>::scoped}, {"recursive", Pair<std::recursive_mutex>::inverted},
      {"recursive-ordered", Pair<std::recursive_mutex>::ordered}, {"timed", Pair<std::timed_mutex>::inverted},
      {"timed-ordered", Pair<std::timed_mutex>::ordered},
      {"recursive-timed", Pair<std::recursive_timed_mutex>::inverted},
      {"recursive-timed-ordered", Pair<std::recursive_timed_mutex>::ordered},
      {"shared", Pair<std::shared_mutex>::inverted}, {"shared-ordered", Pair<std::shared_mutex>::ordered},
      {"shared-timed", Pair<std::shared_timed_mutex>::inverted},
      {"shared-timed-ordered", Pair<std::shared_timed_mutex>::ordered}, {"shared-upgrade", shared_upgrade},
      {"shared-readers", shared_readers}, {"guards", guards}, {"unique", unique}, {"unique-try", unique_try},
      {"timed-wait", timed_wait}, {"once-between", once_between}, {"once-without-call", once_without_call},
      {"once-after-throw", once_after_throw},
      {"once-throws-again", once_throws_again}, {"once-throws-within", once_throws_within},
      {"condition-held", condition_held},
      {"condition-free", condition_free}, {"heap-kept", heap_kept}, {"heap-reused", heap_reused},
      {"thread-local", thread_local_inverted}, {"thread-local-ordered", thread_local_ordered},
      {"exception-releases", exception_releases})
