// Swapping the contents of two inventories: one lock_guard after the other, in the caller's order.
#include <cstdio>
#include <mutex>
#include <thread>
#include <utility>

#include "../lesson.h"

class Inventory
{
      public:
	explicit Inventory(int items) : items_(items)
	{
	}

	void swap_with(Inventory &other)
	{
		std::lock_guard<std::mutex> mine(mutex_);
		std::lock_guard<std::mutex> theirs(other.mutex_);
		std::swap(items_, other.items_);
	}

	int items() const
	{
		return items_;
	}

      private:
	std::mutex mutex_;
	int items_;
};

static Inventory shop(10), store(200);

int main()
{
	std::thread morning([] {
		shop.swap_with(store);
		lesson_step(0);
	});
	std::thread evening([] {
		lesson_step(1); // luck: the first swap is through
		store.swap_with(shop);
	});

	morning.join();
	evening.join();
	std::printf("shop %d, store %d\n", shop.items(), store.items());
}
